package acd

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type number int

func (a number) before(b number) bool { return a < b }

// A sorted set answers as a sorted slice does, through splits and emptied
// blocks.
func TestSortedIsASortedSlice(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var set sorted[number]
		var slice []number
		for range rapid.IntRange(0, 2000).Draw(rt, "steps") {
			n := number(rapid.IntRange(0, 1200).Draw(rt, "n"))
			if i, in := slices.BinarySearch(slice, n); in {
				slice = slices.Delete(slice, i, i+1)
				set.remove(n)
			} else {
				slice = slices.Insert(slice, i, n)
				set.insert(n)
			}
			probe := number(rapid.IntRange(-1, 1201).Draw(rt, "probe"))
			if rank, _ := slices.BinarySearch(slice, probe); set.rank(probe) != rank {
				rt.Fatalf("rank of %d is %d, want %d", probe, set.rank(probe), rank)
			}
			first, okFirst := set.first()
			second, okSecond := set.second()
			if okFirst != (len(slice) > 0) || okFirst && first != slice[0] ||
				okSecond != (len(slice) > 1) || okSecond && second != slice[1] {
				rt.Fatalf("first %v %v, second %v %v of %v", first, okFirst, second, okSecond, slice)
			}
		}
		var all []number
		set.all(func(n number) bool {
			all = append(all, n)
			return true
		})
		if !slices.Equal(all, slice) || set.len() != len(slice) {
			rt.Fatalf("holds %v, want %v", all, slice)
		}
		for _, block := range set.blocks {
			if len(block) == 0 || len(block) >= blockSize {
				rt.Fatalf("a block of %d", len(block))
			}
		}
	})
}

func TestRemoveOfAStrangerPanics(t *testing.T) {
	for name, set := range map[string]*sorted[number]{
		"of none": {}, "in the middle": filled(1, 3), "at the end": filled(1),
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			set.remove(2)
		}()
	}
}

func filled(numbers ...number) *sorted[number] {
	var set sorted[number]
	for _, n := range numbers {
		set.insert(n)
	}
	return &set
}
