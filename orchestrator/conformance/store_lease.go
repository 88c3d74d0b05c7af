package conformance

import (
	"reflect"
	"testing"
	"time"

	"ringmaster/orchestrator"
)

// Leases runs the contract of orchestrator.LeaseStore on stores that are also
// orchestrator.Store. open returns an empty one for one subtest and closes it
// afterwards.
func Leases(t *testing.T, open func(*testing.T) Keeper) {
	t.Helper()
	for name, promise := range map[string]func(*lessor){
		"the first to ask leads, under a growing epoch":            leaseEpochs,
		"a lease that runs out stays unless its holder yields":     leaseYields,
		"a lease that was released is anybody's":                   leaseReleased,
		"a holder that is gone for good can be overruled":          leaseForced,
		"a holder knows who stands by":                             leaseStandbys,
		"one that went on alone renews under its own epoch":        leaseAlone,
		"a lease taken over is told from one kept":                 leaseReign,
		"facts of an older epoch's floor are not wanted":           leaseImage,
		"a floor's past can be read back, each step whole":         leasePast,
		"of several who want an old lease at once exactly one has": leaseRace,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &lessor{shelf: &shelf{T: t}}
			l.leases = open(t)
			l.store = l.leases
			l.must(l.store.OpenTenant(t.Context(), tenantA))
			l.must(l.store.OpenTenant(t.Context(), tenantB))
			promise(l)
		})
	}
}

// Keeper is a store that also keeps leases.
type Keeper interface {
	orchestrator.Store
	orchestrator.LeaseStore
}

type lessor struct {
	*shelf
	leases Keeper
}

var (
	ina = orchestrator.Instance{ID: "0190-ina", Name: "ina:8080"}
	ben = orchestrator.Instance{ID: "0190-ben", Name: "ben:8080"}
)

const (
	term  = time.Minute
	blink = 50 * time.Millisecond // a term that is over soon
)

func (l *lessor) acquire(who orchestrator.Instance, term time.Duration) orchestrator.Lease {
	l.Helper()
	lease, err := l.leases.AcquireLease(l.Context(), tenantA, orchestrator.LeaseClaim{Instance: who, Term: term})
	l.must(err)
	if lease.Holder != who {
		l.Fatalf("acquired by %+v, and %+v has it", who, lease.Holder)
	}
	return lease
}

// refused checks that who cannot have the lease, and who has it.
func (l *lessor) refused(who, holder orchestrator.Instance) {
	l.Helper()
	lease, err := l.leases.AcquireLease(l.Context(), tenantA, orchestrator.LeaseClaim{Instance: who, Term: term})
	l.code(err, orchestrator.CodeConflict)
	if lease.Holder != holder {
		l.Fatalf("refused because of %+v, want %+v", lease.Holder, holder)
	}
}

func (l *lessor) renew(who orchestrator.Instance, epoch uint64, term time.Duration, yields bool) (int, error) {
	return l.leases.RenewLease(l.Context(), tenantA, orchestrator.LeaseHold{
		Instance: who, Epoch: epoch, Term: term, Yields: yields,
	})
}

func leaseEpochs(l *lessor) {
	first := l.acquire(ina, term)
	l.refused(ben, ina)
	again := l.acquire(ina, term) // a restart
	if first.Epoch == 0 || again.Epoch <= first.Epoch {
		l.Errorf("epoch %d after %d", again.Epoch, first.Epoch)
	}
	high, err := l.leases.AcquireLease(l.Context(), tenantA, orchestrator.LeaseClaim{Instance: ina, Term: term, AtLeast: again.Epoch + 100})
	l.must(err)
	if high.Epoch != again.Epoch+100 {
		l.Errorf("epoch %d, want at least %d", high.Epoch, again.Epoch+100)
	}
	_, err = l.renew(ina, again.Epoch, term, false)
	l.code(err, orchestrator.CodeConflict)
	other, err := l.leases.AcquireLease(l.Context(), tenantB, orchestrator.LeaseClaim{Instance: ben, Term: term})
	l.must(err)
	if other.Holder != ben {
		l.Error("a tenant's lease is another's")
	}
}

func leaseYields(l *lessor) {
	lease := l.acquire(ina, blink)
	time.Sleep(2 * blink)
	l.refused(ben, ina) // ina never promised to stop
	_, err := l.renew(ina, lease.Epoch, blink, true)
	l.must(err)
	time.Sleep(2 * blink)
	seen, err := l.leases.StandBy(l.Context(), tenantA, ben)
	l.must(err)
	if !seen.Free() || seen.Left >= 0 || !seen.Yields || seen.Holder != ina || seen.Epoch != lease.Epoch {
		l.Errorf("%+v", seen)
	}
	taken := l.acquire(ben, term)
	if taken.Epoch <= lease.Epoch {
		l.Errorf("epoch %d after %d", taken.Epoch, lease.Epoch)
	}
	_, err = l.renew(ina, lease.Epoch, term, true)
	l.code(err, orchestrator.CodeConflict)
	l.refused(ina, ben)
}

func leaseReleased(l *lessor) {
	lease := l.acquire(ina, term)
	l.must(l.leases.ReleaseLease(l.Context(), tenantA, ben.ID, lease.Epoch))
	l.refused(ben, ina)
	l.must(l.leases.ReleaseLease(l.Context(), tenantA, ina.ID, lease.Epoch))
	_, err := l.renew(ina, lease.Epoch, term, false)
	l.code(err, orchestrator.CodeConflict)
	l.acquire(ben, term)
}

func leaseForced(l *lessor) {
	lease := l.acquire(ina, term)
	taken, err := l.leases.AcquireLease(l.Context(), tenantA, orchestrator.LeaseClaim{Instance: ben, Term: term, Force: true})
	l.must(err)
	if taken.Epoch <= lease.Epoch || taken.Holder != ben {
		l.Errorf("%+v", taken)
	}
}

func leaseStandbys(l *lessor) {
	none, err := l.leases.StandBy(l.Context(), tenantA, ben)
	l.must(err)
	if none.Epoch != 0 || !none.Free() {
		l.Errorf("a lease nobody took: %+v", none)
	}
	lease := l.acquire(ina, term)
	_, err = l.leases.StandBy(l.Context(), tenantA, ina) // its own word does not count
	l.must(err)
	for range 2 {
		standbys, err := l.renew(ina, lease.Epoch, term, false)
		l.must(err)
		if standbys != 1 {
			l.Errorf("%d stand by, want 1", standbys)
		}
	}
	l.must(l.leases.StandDown(l.Context(), tenantA, ben.ID))
	standbys, err := l.renew(ina, lease.Epoch, term, false)
	l.must(err)
	if standbys != 0 {
		l.Errorf("%d stand by, want none", standbys)
	}
}

func leaseAlone(l *lessor) {
	_, err := l.renew(ina, 7, term, false) // the store had never heard of it
	l.must(err)
	l.refused(ben, ina)
	_, err = l.renew(ina, 9, term, false)
	l.must(err)
	_, err = l.renew(ina, 8, term, false)
	l.code(err, orchestrator.CodeConflict)
	_, err = l.renew(ben, 100, term, false)
	l.code(err, orchestrator.CodeConflict)
}

func leaseReign(l *lessor) {
	first := l.acquire(ina, term)
	again := l.acquire(ina, term)
	if first.Reign != first.Epoch || again.Reign != first.Reign {
		l.Errorf("reign %d, then %d, since epoch %d", first.Reign, again.Reign, first.Epoch)
	}
	l.must(l.leases.ReleaseLease(l.Context(), tenantA, ina.ID, again.Epoch))
	taken := l.acquire(ben, term)
	if taken.Reign != taken.Epoch || taken.Former != ina.ID || first.Former != "" || again.Former != ina.ID {
		l.Errorf("taken over at %d from %q, reigns since %d", taken.Epoch, taken.Former, taken.Reign)
	}
}

func leaseImage(l *lessor) {
	none, err := l.leases.LoadImage(l.Context(), tenantA)
	l.must(err)
	if none.Seq != 0 || none.State != nil {
		l.Errorf("an image of nothing: %+v", none)
	}
	lease := l.acquire(ina, term)
	for seq, state := range []string{"zero", "one"} {
		l.must(l.leases.SaveImage(l.Context(), tenantA, orchestrator.FloorImage{
			Epoch: lease.Epoch, Seq: uint64(seq), State: []byte(state),
		}))
	}
	l.must(l.leases.ReleaseLease(l.Context(), tenantA, ina.ID, lease.Epoch))
	l.acquire(ben, term)
	l.code(l.leases.SaveImage(l.Context(), tenantA, orchestrator.FloorImage{Epoch: lease.Epoch, Seq: 9, State: []byte("late")}),
		orchestrator.CodeConflict)
	image, err := l.leases.LoadImage(l.Context(), tenantA)
	l.must(err)
	if image.Seq != 1 || string(image.State) != "one" {
		l.Errorf("%d %q", image.Seq, image.State)
	}
}

func leasePast(l *lessor) {
	var facts []orchestrator.Fact
	for seq := uint64(3); seq <= 5; seq++ {
		for index := range 3 {
			facts = append(facts, orchestrator.Fact{
				Seq: seq, Index: index, At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
				What: orchestrator.SwitchDetached{Switch: "pbx", Reason: "restart"},
			})
		}
	}
	_, err := l.store.Project(l.Context(), tenantA, facts)
	l.must(err)
	for limit := 1; limit <= 10; limit++ {
		var got []orchestrator.Fact
		for after := uint64(0); ; after = got[len(got)-1].Seq {
			page, err := l.leases.FactsAfter(l.Context(), tenantA, after, limit)
			l.must(err)
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
		}
		if !reflect.DeepEqual(got, facts) {
			l.Fatalf("in pages of %d:\n got %+v\nwant %+v", limit, got, facts)
		}
	}
	rest, err := l.leases.FactsAfter(l.Context(), tenantA, 4, 100)
	l.must(err)
	if len(rest) != 3 || rest[0].Seq != 5 {
		l.Errorf("after 4: %+v", rest)
	}
}

func leaseRace(l *lessor) {
	lease := l.acquire(ina, blink)
	_, err := l.renew(ina, lease.Epoch, blink, true)
	l.must(err)
	time.Sleep(2 * blink)
	const many = 6
	won := make(chan bool, many)
	for i := range many {
		go func() {
			who := orchestrator.Instance{ID: orchestrator.InstanceID(rune('a' + i)), Name: "one of many"}
			_, err := l.leases.AcquireLease(l.Context(), tenantA, orchestrator.LeaseClaim{Instance: who, Term: term})
			won <- err == nil
		}()
	}
	winners := 0
	for range many {
		if <-won {
			winners++
		}
	}
	if winners != 1 {
		l.Errorf("%d lead", winners)
	}
}
