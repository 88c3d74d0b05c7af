package freeswitch

import (
	"context"
	"hash/fnv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// lines are the connections that carry commands. What concerns one leg always
// takes the same one, so that FreeSWITCH sees it in our order. One that breaks
// is opened again by the next command that needs it.
type lines struct {
	cfg      Config
	counters *counters
	ctx      context.Context //nolint:containedctx // the session's: a line outlives the request that opened it
	each     []*line

	mu       sync.Mutex
	verified time.Time // when we last knew that no newer orchestrator is there
}

type line struct {
	mu sync.Mutex
	w  *wire
}

func newLines(ctx context.Context, cfg Config, n *counters) *lines {
	l := &lines{cfg: cfg, counters: n, ctx: ctx}
	for range cfg.Connections {
		l.each = append(l.each, &line{})
	}
	return l
}

// connect opens all, so that the first calls need not wait for it.
func (l *lines) connect(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for i := range l.each {
		group.Go(func() error {
			_, err := l.wire(ctx, i)
			return err
		})
	}
	return group.Wait()
}

// wire returns the i-th connection, opened anew if need be.
func (l *lines) wire(ctx context.Context, i int) (*wire, error) {
	at := l.each[i]
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.w != nil && at.w.why() == nil {
		return at.w, nil
	}
	if l.ctx.Err() != nil {
		return nil, errClosed
	}
	w, err := open(ctx, l.cfg, nil)
	if err != nil {
		return nil, err
	}
	if at.w != nil {
		l.counters.add(func(n *Stats) { n.Redials++ })
	}
	at.w = w
	stop := context.AfterFunc(l.ctx, func() { _ = w.fail(errClosed) })
	go func() {
		defer stop()
		_ = w.run() // Told to whoever waits for an answer.
	}()
	return w, nil
}

// send carries out commands about one leg, in order, on its connection.
func (l *lines) send(ctx context.Context, about string, orders ...order) ([]string, error) {
	w, err := l.wire(ctx, l.place(about))
	if err != nil {
		return nil, &failure{command: orders[0].name, answer: err.Error(), silent: true, unsent: true}
	}
	if err := l.verify(ctx, w, orders[0].name); err != nil {
		return nil, err
	}
	began := time.Now()
	answers, err := w.send(ctx, orders...)
	l.counters.request(orders[len(orders)-1].name, time.Since(began), err == nil)
	return answers, err
}

func (l *lines) place(about string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(about)) // It never fails.
	return int(h.Sum32() % uint32(len(l.each)))
}

// freshFor is how long the knowledge that no newer orchestrator is there
// lasts. It is renewed by every pulse, so that only a process that was stopped
// and continued, or starved, has to ask before it commands.
const freshFor = 2500 * time.Millisecond

func (l *lines) verify(ctx context.Context, w *wire, what string) error {
	if l.cfg.Epoch == 0 {
		return nil
	}
	l.mu.Lock()
	fresh := time.Since(l.verified) < freshFor
	l.mu.Unlock()
	if fresh {
		return nil
	}
	answers, err := w.send(ctx, encodeReadGlobal(epochVariable))
	if err != nil {
		return err
	}
	if newerThan(l.cfg.Epoch, answers[0]) {
		return &failure{command: what, answer: ReasonSuperseded, unsent: true}
	}
	l.fresh()
	return nil
}

// fresh notes that no newer orchestrator was there a moment ago.
func (l *lines) fresh() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.verified = time.Now()
}
