package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"ringmaster/orchestrator"
)

const (
	// maxBatch is how many facts one transaction takes while catching up: about
	// a second's work. A single step may exceed it.
	maxBatch = 4000
	// A database that is away is asked again after so long, growing.
	firstRetry = 50 * time.Millisecond
	lastRetry  = 2 * time.Second
	// attemptTimeout bounds one try where the server neither answers nor goes.
	attemptTimeout = statementTimeout + connectTimeout
	partitionEvery = time.Hour
)

// Source is where facts come from: the tail of a journal.
type Source interface {
	// Next returns the facts of the next step and waits for them until ctx
	// ends. With a ctx that has ended it returns what is there already, or
	// ctx's error.
	Next(ctx context.Context) ([]orchestrator.Fact, error)
	// Acknowledge says that everything up to seq is stored here for good.
	Acknowledge(seq uint64) error
}

// Projector moves one tenant's facts from their source into the store.
type Projector struct {
	store  *Store
	tenant orchestrator.TenantID
	epoch  uint64
	source Source
	log    *slog.Logger
	moved  func(facts int, lag time.Duration)

	partitionsAt time.Time
	mu           sync.Mutex
	health       ProjectorHealth
}

// ProjectorConfig is what a projector needs. Moved, if set, is told of every
// batch: how many facts it held and how long ago the last of them happened.
type ProjectorConfig struct {
	Store  *Store
	Tenant orchestrator.TenantID
	// Epoch is the lease the facts are stored under; 0 asks for none.
	Epoch  uint64
	Source Source
	Log    *slog.Logger
	Moved  func(facts int, lag time.Duration)
}

// ProjectorHealth is how a projector fares.
type ProjectorHealth struct {
	Seq      uint64    // the last step stored by this projector, 0 for none yet
	At       time.Time // of its last fact
	SetAside int       // facts, since the projector was made
	Trouble  error     // why nothing moves just now, nil when all is well
	Since    time.Time // of the trouble
}

// NewProjector returns a projector that does nothing until Run.
func NewProjector(config ProjectorConfig) *Projector {
	p := &Projector{
		store: config.Store, tenant: config.Tenant, epoch: config.Epoch, source: config.Source,
		log: config.Log, moved: config.Moved,
		partitionsAt: time.Now(), // Migrate made them
	}
	if p.epoch == 0 {
		p.epoch = anyEpoch
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.log = p.log.With("tenant", string(p.tenant))
	if p.moved == nil {
		p.moved = func(int, time.Duration) {}
	}
	return p
}

// Health may be asked at any time.
func (p *Projector) Health() ProjectorHealth {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.health
}

// Run moves facts until ctx ends and then returns nil. A database that is away
// is waited for. An error is the source's, because what it cannot read must not
// be passed over and waiting does not mend it, or ErrSuperseded.
func (p *Projector) Run(ctx context.Context) error {
	for {
		facts, err := p.gather(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // we were told to stop
		}
		if err != nil {
			err = fmt.Errorf("read facts of %s: %w", p.tenant, err)
			p.note(err)
			return err
		}
		if err := p.storeAll(ctx, facts); err != nil || ctx.Err() != nil {
			return err
		}
		last := facts[len(facts)-1]
		if err := p.source.Acknowledge(last.Seq); err != nil {
			// They are stored; the journal merely keeps them longer.
			p.log.Warn("journal does not take the acknowledgement", "seq", last.Seq, "error", err)
		}
		p.moved(len(facts), time.Since(last.At))
	}
}

// gather waits for one step with facts and takes along those behind it that are
// there already: one fact moves at once, a backlog in big batches.
func (p *Projector) gather(ctx context.Context) ([]orchestrator.Fact, error) {
	ended, end := context.WithCancel(ctx)
	end()
	var batch []orchestrator.Fact
	for wait := ctx; len(batch) < maxBatch; {
		facts, err := p.source.Next(wait)
		if err != nil {
			if len(batch) > 0 && errors.Is(err, context.Canceled) {
				return batch, nil
			}
			return nil, err
		}
		batch = append(batch, facts...)
		if len(batch) > 0 {
			wait = ended
		}
	}
	return batch, nil
}

// storeAll stores the batch, however long the database is away, unless ctx ends.
// The only error is ErrSuperseded.
func (p *Projector) storeAll(ctx context.Context, facts []orchestrator.Fact) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval, wait.MaxInterval = firstRetry, lastRetry
	for ctx.Err() == nil {
		done, err := p.attempt(ctx, facts)
		if err == nil {
			p.arrived(facts, done)
			return nil
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop
		}
		p.note(err)
		if errors.Is(err, ErrSuperseded) {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait.NextBackOff()):
		}
	}
	return nil
}

func (p *Projector) attempt(ctx context.Context, facts []orchestrator.Fact) (orchestrator.Projection, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	p.preparePartitions(ctx)
	return p.store.projectUnder(ctx, p.tenant, p.epoch, facts)
}

// preparePartitions looks ahead now and then. Without them facts still find a
// place, so that a failure is only told.
func (p *Projector) preparePartitions(ctx context.Context) {
	now := time.Now()
	if now.Sub(p.partitionsAt) < partitionEvery {
		return
	}
	if err := p.store.MakePartitions(ctx, now); err != nil {
		if ctx.Err() == nil {
			p.log.Warn("partitions not made", "error", err)
		}
		return
	}
	p.partitionsAt = now
}

func (p *Projector) arrived(facts []orchestrator.Fact, done orchestrator.Projection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.health.Trouble != nil {
		p.log.Info("facts move again", "after", time.Since(p.health.Since), "facts", len(facts))
	}
	last := facts[len(facts)-1]
	p.health.Seq, p.health.At = last.Seq, last.At
	p.health.SetAside += done.SetAside
	p.health.Trouble, p.health.Since = nil, time.Time{}
}

// note keeps the trouble and logs it when it is new.
func (p *Projector) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.health.Trouble == nil {
		p.health.Since = time.Now()
	}
	if p.health.Trouble == nil || p.health.Trouble.Error() != err.Error() {
		p.log.Error("facts do not move", "error", err)
	}
	p.health.Trouble = err
}
