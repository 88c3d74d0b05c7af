package runner

import (
	"sync"

	o "ringmaster/orchestrator"
)

const (
	feedPast   = 1 << 14 // facts a late subscriber can still be given
	feedBuffer = 1 << 12 // facts a slow subscriber may lag behind
)

// feed tells facts to whoever listens. It never waits for a listener: one who
// falls too far behind is dropped and has to look at the whole again.
type feed struct {
	lock   sync.Mutex
	past   []o.Fact // a ring; next is where the next fact goes
	next   int
	first  uint64 // Seq up to which nothing was forgotten
	subs   map[int]chan o.Fact
	lastID int
	closed bool
}

func newFeed() *feed { return &feed{subs: map[int]chan o.Fact{}, past: make([]o.Fact, 0, feedPast)} }

func (f *feed) publish(facts []o.Fact) {
	if len(facts) == 0 {
		return
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	for _, fact := range facts {
		if len(f.past) < feedPast {
			f.past = append(f.past, fact)
		} else {
			f.first = f.past[f.next].Seq
			f.past[f.next] = fact
			f.next = (f.next + 1) % feedPast
		}
		for id, c := range f.subs {
			select {
			case c <- fact:
			default:
				close(c)
				delete(f.subs, id)
			}
		}
	}
}

// subscribe gives the facts after a Seq, past ones first. complete is false
// when some of those are forgotten already.
func (f *feed) subscribe(after uint64) (facts <-chan o.Fact, complete bool, cancel func()) {
	f.lock.Lock()
	defer f.lock.Unlock()
	var past []o.Fact
	for i := range f.past {
		if fact := f.past[(f.next+i)%len(f.past)]; fact.Seq > after {
			past = append(past, fact)
		}
	}
	c := make(chan o.Fact, len(past)+feedBuffer)
	for _, fact := range past {
		c <- fact
	}
	if f.closed {
		close(c)
		return c, after >= f.first, func() {}
	}
	f.lastID++
	id := f.lastID
	f.subs[id] = c
	return c, after >= f.first, func() {
		f.lock.Lock()
		defer f.lock.Unlock()
		if sub, ok := f.subs[id]; ok {
			close(sub)
			delete(f.subs, id)
		}
	}
}

func (f *feed) close() {
	f.lock.Lock()
	defer f.lock.Unlock()
	f.closed = true
	for id, c := range f.subs {
		close(c)
		delete(f.subs, id)
	}
}
