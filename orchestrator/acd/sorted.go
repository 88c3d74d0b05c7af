package acd

import "slices"

// blockSize is the length at which a block of a sorted set is split in two: a
// block this long moves in tens of nanoseconds, and ten thousand entries need
// no more than some hundred blocks.
const blockSize = 128

// ordered is what a sorted set holds. before is a strict total order: of two
// different entries exactly one is before the other.
type ordered[T any] interface {
	comparable
	before(other T) bool
}

// sorted is a set in order that can tell an entry's rank: short sorted blocks,
// one after another, none of them empty. An entry must not change its place in
// the order while it is in the set.
//
// It is a list of blocks and not a heap because positions in a queue are asked
// for as often as calls are queued, and a heap cannot tell them.
type sorted[T ordered[T]] struct {
	blocks [][]T
	size   int
}

func (s *sorted[T]) len() int { return s.size }

// first is the entry before all others.
func (s *sorted[T]) first() (entry T, ok bool) {
	if s.size == 0 {
		return entry, false
	}
	return s.blocks[0][0], true
}

// second is the entry before all others but the first.
func (s *sorted[T]) second() (entry T, ok bool) {
	switch {
	case s.size < 2:
		return entry, false
	case len(s.blocks[0]) > 1:
		return s.blocks[0][1], true
	}
	return s.blocks[1][0], true
}

func (s *sorted[T]) insert(entry T) {
	s.size++
	if len(s.blocks) == 0 {
		s.blocks = append(s.blocks, []T{entry})
		return
	}
	b := min(s.blockOf(entry), len(s.blocks)-1)
	block := s.blocks[b]
	block = slices.Insert(block, rankIn(block, entry), entry)
	s.blocks[b] = block
	if len(block) >= blockSize {
		half := len(block) / 2
		s.blocks[b] = block[:half]
		s.blocks = slices.Insert(s.blocks, b+1, slices.Clone(block[half:]))
		clear(block[half:]) // so that nothing is kept alive there
	}
}

// remove takes entry out. It panics if entry is not in the set: then an entry
// changed its place in the order while it was in, and the order is broken.
func (s *sorted[T]) remove(entry T) {
	b := s.blockOf(entry)
	if b == len(s.blocks) {
		panic("acd: entry to remove is not in the set")
	}
	block := s.blocks[b]
	i := rankIn(block, entry)
	if i == len(block) || block[i] != entry {
		panic("acd: entry to remove is not in the set")
	}
	s.size--
	if len(block) == 1 {
		s.blocks = slices.Delete(s.blocks, b, b+1)
		return
	}
	s.blocks[b] = slices.Delete(block, i, i+1)
}

// rank is the number of entries before the given one, which need not be in
// the set.
func (s *sorted[T]) rank(entry T) int {
	b := s.blockOf(entry)
	rank := 0
	for _, block := range s.blocks[:b] {
		rank += len(block)
	}
	if b < len(s.blocks) {
		rank += rankIn(s.blocks[b], entry)
	}
	return rank
}

// blockOf is the first block whose last entry is not before the given one.
func (s *sorted[T]) blockOf(entry T) int {
	low, high := 0, len(s.blocks)
	for low < high {
		middle := (low + high) / 2
		if block := s.blocks[middle]; block[len(block)-1].before(entry) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

func rankIn[T ordered[T]](block []T, entry T) int {
	low, high := 0, len(block)
	for low < high {
		middle := (low + high) / 2
		if block[middle].before(entry) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

// all calls visit for every entry in order until it returns false.
func (s *sorted[T]) all(visit func(T) bool) {
	for _, block := range s.blocks {
		for _, entry := range block {
			if !visit(entry) {
				return
			}
		}
	}
}
