package simulation

import (
	"bytes"
	"regexp"
	"time"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/floor"
)

// checker looks at everything the floor does. It sees each fact before the
// book has it, each step after, and the silence at the end.
type checker interface {
	fact(f orchestrator.Fact)
	step(in orchestrator.Input, out orchestrator.Effects)
	end()
}

// checkers are those of reliability 5 that have something to check yet, and
// those that style 6 showed to be half the work: what a floor orders must be
// possible, and what it tells must have been ordered. I4 (recordings) waits
// for recordings.
func checkers(w *World) []checker {
	return []checker{
		&phases{w: w}, &hands{w: w}, &records{w: w, ended: map[orchestrator.CallID]bool{}},
		&presence{w: w, since: map[string]time.Time{}}, &fairness{w: w}, &deadlines{w: w},
		newPossible(w), &pairs{w: w, hung: map[orchestrator.LegID]time.Time{}}, &views{w: w, offered: map[orchestrator.QueueID]int{}}, newCalm(w), newEars(w),
		newSilences(w),
	}
}

func (w *World) check(in orchestrator.Input, out orchestrator.Effects) {
	for _, f := range out.Facts {
		for _, c := range w.checkers {
			c.fact(f)
		}
		w.book.fold(f)
	}
	for _, c := range w.checkers {
		c.step(in, out)
	}
}

// atEnd is liveness: faults are over and nothing is left to happen, so nothing
// may be left over.
func (w *World) atEnd() {
	for _, c := range w.checkers {
		c.end()
	}
	for _, x := range w.wires {
		if n := x.sw.Legs(); n > 0 {
			w.fail("liveness: %d legs are left on switch %s: %+v", n, x.sw.ID(), x.sw.Snapshot().Legs)
		}
		if b := x.sw.Snapshot().Bridges; len(b) > 0 {
			w.fail("liveness: bridges are left on switch %s: %+v", x.sw.ID(), b)
		}
	}
	w.folds()
}

// folds holds that facts alone make the floor that decided them: that is what
// a restart is.
func (w *World) folds() {
	f := floor.New(w.floorConfig())
	for _, fact := range w.tape.Facts {
		f.Apply(fact)
	}
	// Inputs that told nothing moved the floor's clock and count; nothing else.
	if a, b := place.ReplaceAll(w.floor.Image(), nil), place.ReplaceAll(f.Image(), nil); !bytes.Equal(a, b) {
		w.fail("fold: a floor that applies the facts differs from the one that decided them:\n decided %s\n folded  %s", near(a, b), near(b, a))
	}
	restored, err := floor.Restore(w.floorConfig(), w.floor.Image())
	if err != nil {
		w.fail("fold: restore: %v", err)
		return
	}
	if a, b := w.floor.Image(), restored.Image(); !bytes.Equal(a, b) {
		w.fail("fold: a floor made of an image differs from it:\n was %s\n is  %s", near(a, b), near(b, a))
	}
}

// place is where in line an image was taken.
var place = regexp.MustCompile(`"Seq":[0-9]+,"At":"[^"]*",`)

// near is a around the first byte in which it differs from b.
func near(a, b []byte) []byte {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return a[max(0, i-120):min(len(a), i+120)]
}
