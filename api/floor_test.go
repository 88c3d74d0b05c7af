package api_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"ringmaster/orchestrator"
)

// floor stands in for a running one: it keeps what it is told and sends facts
// as it is bidden.
type floor struct {
	mu      sync.Mutex
	down    error // what Submit answers
	events  []orchestrator.Event
	refuse  *orchestrator.ActionRefused
	live    orchestrator.Live
	calls   map[orchestrator.CallID]orchestrator.Explanation
	facts   []orchestrator.Fact
	oldest  uint64 // facts before are forgotten
	readers map[chan orchestrator.Fact]bool
	room    int // of a reader's channel
}

func newFloor() *floor {
	return &floor{
		calls: map[orchestrator.CallID]orchestrator.Explanation{}, readers: map[chan orchestrator.Fact]bool{}, room: 64,
		live: orchestrator.Live{At: time.Now(), Seq: 1},
	}
}

func (f *floor) Submit(_ context.Context, e orchestrator.Event) ([]orchestrator.Fact, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return nil, f.down
	}
	f.events = append(f.events, e)
	asked, ok := e.(orchestrator.AgentAsked)
	if !ok {
		return nil, nil
	}
	if f.refuse != nil {
		no := *f.refuse
		no.Agent = asked.Agent
		return []orchestrator.Fact{{Seq: 9, At: time.Now(), What: no}}, nil
	}
	for i := range f.live.Agents {
		if a := &f.live.Agents[i]; a.Agent == asked.Agent {
			a.State = map[orchestrator.AgentAction]orchestrator.AgentState{
				orchestrator.ActionLogin: orchestrator.AgentPaused, orchestrator.ActionLogout: orchestrator.AgentLoggedOut,
				orchestrator.ActionReady: orchestrator.AgentReady, orchestrator.ActionPause: orchestrator.AgentPaused,
				orchestrator.ActionWrapUpDone: orchestrator.AgentReady,
			}[asked.Action]
			a.Reason = asked.Reason
		}
	}
	return nil, nil
}

func (f *floor) Live(context.Context) (orchestrator.Live, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.live
	l.Agents = slices.Clone(l.Agents)
	return l, nil
}

func (f *floor) Explain(_ context.Context, id orchestrator.CallID) (orchestrator.Explanation, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.calls[id]
	return e, ok, nil
}

func (f *floor) Subscribe(after uint64) (<-chan orchestrator.Fact, bool, func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var past []orchestrator.Fact
	for _, fact := range f.facts {
		if fact.Seq > after {
			past = append(past, fact)
		}
	}
	c := make(chan orchestrator.Fact, len(past)+f.room)
	for _, fact := range past {
		c <- fact
	}
	f.readers[c] = true
	return c, after+1 >= f.oldest, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.drop(c)
	}
}

func (f *floor) drop(c chan orchestrator.Fact) {
	if f.readers[c] {
		delete(f.readers, c)
		close(c)
	}
}

// send is a step's facts reaching every reader.
func (f *floor) send(facts ...orchestrator.Fact) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.facts = append(f.facts, facts...)
	for _, fact := range facts {
		for c := range f.readers {
			select {
			case c <- fact:
			default:
				f.drop(c)
			}
		}
	}
}

// forget makes facts up to seq unknown.
func (f *floor) forget(seq uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.oldest = seq + 1
	f.facts = slices.DeleteFunc(f.facts, func(fact orchestrator.Fact) bool { return fact.Seq <= seq })
}

func (f *floor) readerCount() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.readers)
}

func (f *floor) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.readers {
		f.drop(c)
	}
}

func (f *floor) setDown(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = err
}

func (f *floor) seen() []orchestrator.Event {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.events)
}
