package orchestrator

import (
	"context"
	"time"
)

// InstanceID names one installation (one data folder) among those that may lead
// the same floor. It survives restarts.
type InstanceID string

// Instance is one process that leads or waits. Name is for people: host and
// address.
type Instance struct {
	ID   InstanceID
	Name string
}

// LeaseStore decides which process leads a tenant's floor, by one row with an
// epoch. It judges by its own clock; whoever holds a lease judges by their own
// monotonic one, from before they asked, so that they stop earlier.
//
// A holder that cannot reach the store may go on beyond the end of its lease
// only while nobody else can take it. That is what Yields is for: a lease that
// merely ran out is given to another only if its holder had promised before to
// stop when it does. Holders promise when they learn that somebody stands by.
type LeaseStore interface {
	// AcquireLease makes the instance the holder under a new epoch, above every
	// one before and not below AtLeast, and from then on refuses the facts of
	// older epochs. It succeeds when there is no lease, when it is its
	// own, when it was released, when it ran out and its holder had promised to
	// yield, or when Force says that the holder is gone for good. Otherwise it
	// is a conflict and returns the lease as it is.
	AcquireLease(ctx context.Context, tenant TenantID, claim LeaseClaim) (Lease, error)
	// RenewLease prolongs the lease of that instance and epoch from now and notes
	// its promise. One that was the last holder may renew under a higher
	// epoch of its own: it went on alone while the store was away. It returns
	// how many others stand by, and is a conflict when the lease is another's.
	RenewLease(ctx context.Context, tenant TenantID, hold LeaseHold) (standbys int, err error)
	// ReleaseLease lets anybody take the lease now. Of another's it does nothing.
	ReleaseLease(ctx context.Context, tenant TenantID, instance InstanceID, epoch uint64) error
	// StandBy notes that the instance waits, for as long as StandbyKept, and
	// returns the lease as it is; its Epoch is 0 when there is none.
	StandBy(ctx context.Context, tenant TenantID, instance Instance) (Lease, error)
	// StandDown takes StandBy back.
	StandDown(ctx context.Context, tenant TenantID, instance InstanceID) error

	// SaveImage keeps a floor's state after all facts up to seq, instead of the
	// one before. A state of an older epoch is a conflict.
	SaveImage(ctx context.Context, tenant TenantID, image FloorImage) error
	// LoadImage returns the last one; Seq is 0 and State nil for none.
	LoadImage(ctx context.Context, tenant TenantID) (FloorImage, error)
	// FactsAfter returns facts in order, beginning behind seq, at most about
	// limit: those of one Seq stay together. None means there are no more.
	FactsAfter(ctx context.Context, tenant TenantID, seq uint64, limit int) ([]Fact, error)
}

// StandbyKept is how long a process counts as standing by after it said so. A
// holder is bound by its promise that long after the other is gone.
const StandbyKept = 10 * time.Minute

// LeaseClaim is a wish to lead.
type LeaseClaim struct {
	Instance Instance
	Term     time.Duration
	AtLeast  uint64 // the least epoch that will do
	Force    bool   // take it even from a holder that may go on
}

// LeaseHold is what a holder says when it renews.
type LeaseHold struct {
	Instance Instance
	Epoch    uint64
	Term     time.Duration
	Yields   bool
}

// Lease is who leads a floor.
type Lease struct {
	Epoch    uint64
	Reign    uint64 // the first epoch since which the holder has not changed
	Holder   Instance
	Former   InstanceID    // whose it was until now; only AcquireLease knows
	Left     time.Duration // until it runs out; negative: it did so long ago
	Yields   bool
	Released bool
}

// Free reports whether an instance other than the holder may take the lease.
func (l Lease) Free() bool { return l.Epoch == 0 || l.Released || l.Left < 0 && l.Yields }

// FloorImage is a floor's state after all facts up to Seq.
type FloorImage struct {
	Epoch uint64 // of who saves it
	Seq   uint64
	State []byte
}
