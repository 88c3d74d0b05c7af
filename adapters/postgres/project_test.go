package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	o "ringmaster/orchestrator"
	"ringmaster/orchestrator/simulation"
)

// derived is every row that is made of facts, table by table, as text.
func derived(tb testing.TB, s *Store) string {
	tb.Helper()
	var b strings.Builder
	for _, query := range []string{
		"SELECT to_jsonb(x)::text FROM call x WHERE tenant_id = ? ORDER BY id",
		"SELECT to_jsonb(x)::text FROM leg x WHERE tenant_id = ? ORDER BY call_id, id",
		"SELECT to_jsonb(x)::text FROM queue_visit x WHERE tenant_id = ? ORDER BY call_id, seq, idx",
		"SELECT to_jsonb(x)::text FROM offer x WHERE tenant_id = ? ORDER BY id",
		"SELECT to_jsonb(x)::text FROM agent_interval x WHERE tenant_id = ? ORDER BY agent_id, seq, idx",
		"SELECT to_jsonb(x)::text FROM fact_set_aside x WHERE tenant_id = ? ORDER BY seq, idx",
		"SELECT to_jsonb(x)::text FROM fact x WHERE tenant_id = ? ORDER BY seq, idx",
	} {
		var lines []string
		must(tb, s.db.WithContext(tb.Context()).Raw(query, string(acme)).Scan(&lines).Error)
		fmt.Fprintf(&b, "%s\n%d\n%s\n", query, len(lines), strings.Join(lines, "\n"))
	}
	return b.String()
}

func same(tb testing.TB, got, want string) {
	tb.Helper()
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			tb.Fatalf("line %d\n got %s\nwant %s", i, g[i], w[i])
		}
	}
	tb.Fatalf("%d lines, want %d", len(g), len(w))
}

func project(tb testing.TB, s *Store, facts []o.Fact) o.Projection {
	tb.Helper()
	done, err := s.Project(tb.Context(), acme, facts)
	must(tb, err)
	return done
}

func TestAnyCutAndRepetitionLeadsToTheSameRows(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		facts := newCentre(seed, 5).run(1500)
		whole := newTenant(t)
		done := project(t, whole, facts)
		if done.Stored != len(facts) || done.SetAside != 0 || done.Last != facts[len(facts)-1].Seq {
			t.Fatalf("seed %d: %+v of %d facts", seed, done, len(facts))
		}
		want := derived(t, whole)

		cut := newTenant(t)
		chance := rand.New(rand.NewPCG(seed, 1))
		for next := 0; next < len(facts); {
			// Deliver some again, then some more, cut even inside a step.
			from := max(0, next-chance.IntN(40))
			next = min(len(facts), next+1+chance.IntN(1+chance.IntN(300)))
			project(t, cut, facts[from:next])
		}
		same(t, derived(t, cut), want)

		steps := 0
		must(t, cut.Rebuild(t.Context(), acme, func(int) { steps++ }))
		same(t, derived(t, cut), want)
		if steps == 0 {
			t.Fatal("no progress was reported")
		}
		if last, err := cut.Projected(t.Context(), acme); err != nil || last != done.Last {
			t.Fatalf("projected %d, %v", last, err)
		}
	}
}

// wrong is what no finished set of facts may leave behind, as queries that
// count it.
var wrong = map[string]string{
	"an arrived call without a row": `SELECT count(*) FROM fact f WHERE name = 'call_arrived' AND 1 <>
		(SELECT count(*) FROM call c WHERE c.id = f.call_id AND c.arrived_at = f.at)`,
	"an ended call without a CDR, or two": `SELECT count(*) FROM fact f WHERE name = 'call_ended' AND 1 <>
		(SELECT count(*) FROM call c WHERE c.id = f.call_id AND c.ended_at = coalesce(c.lost_at, f.at))`,
	"a call that counts on after it was lost": `SELECT count(*) FROM call WHERE lost_at IS NOT NULL
		AND abs(total_ms - extract(epoch FROM lost_at - arrived_at) * 1000) > 1000`,
	"a leg that outlives its lost call": `SELECT count(*) FROM leg l JOIN call c ON c.id = l.call_id
		WHERE c.lost_at IS NOT NULL AND l.role = 'caller' AND l.ended_at > c.lost_at`,
	"a CDR whose parts are not its total, to the second": `SELECT count(*) FROM call
		WHERE ended_at IS NOT NULL AND abs(total_ms - flow_ms - queue_ms - talk_ms - hold_ms) > 1000`,
	"CDR times out of order": `SELECT count(*) FROM call WHERE NOT
		(arrived_at <= answered_at AND answered_at <= connected_at AND connected_at <= ended_at)`,
	"a gap between an agent's intervals": `SELECT count(*) FROM (SELECT to_at, lead(from_at)
		OVER (PARTITION BY agent_id ORDER BY seq, idx) AS next FROM agent_interval) x WHERE to_at IS DISTINCT FROM next`,
	"an ended call that waits":              `SELECT count(*) FROM queue_visit v JOIN call c ON c.id = v.call_id WHERE v.left_at IS NULL AND c.ended_at IS NOT NULL`,
	"an ended call that rings":              `SELECT count(*) FROM offer v JOIN call c ON c.id = v.call_id WHERE v.ended_at IS NULL AND c.ended_at IS NOT NULL`,
	"offers that are not those of the call": `SELECT count(*) FROM call c WHERE offers <> (SELECT count(*) FROM offer o WHERE o.call_id = c.id)`,
	"a row in a default partition": `SELECT (SELECT count(*) FROM fact_default) + (SELECT count(*) FROM call_default) +
		(SELECT count(*) FROM leg_default) + (SELECT count(*) FROM offer_default) + (SELECT count(*) FROM queue_visit_default)`,
	"a fact set aside": `SELECT count(*) FROM fact_set_aside`,
}

func checkNothingWrong(t *testing.T, s *Store) {
	t.Helper()
	for what, query := range wrong {
		var count int
		must(t, s.db.Raw(query).Scan(&count).Error)
		if count > 0 {
			t.Errorf("%s: %d", what, count)
		}
	}
}

func TestTheGeneratorsCallsAddUp(t *testing.T) {
	t.Parallel()
	s := newTenant(t)
	project(t, s, newCentre(42, 4).run(12000))
	checkNothingWrong(t, s)
	var months int
	must(t, s.db.Raw("SELECT count(DISTINCT tableoid) FROM call").Scan(&months).Error)
	if months != 2 {
		t.Errorf("calls of two months are in %d partitions", months)
	}
}

// TestSimulatedDaysAddUp takes the facts of the real floor, on days with every
// kind of fault.
func TestSimulatedDaysAddUp(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		report := simulation.Run(simulation.NewPlan(seed, 25))
		if report.Failure != nil {
			t.Fatal(report.Failure)
		}
		s := newTenant(t)
		project(t, s, report.Tape.Facts)
		checkNothingWrong(t, s)
		var open int
		must(t, s.db.Raw("SELECT (SELECT count(*) FROM call WHERE ended_at IS NULL) + (SELECT count(*) FROM leg WHERE ended_at IS NULL)").
			Scan(&open).Error)
		if open > 0 {
			t.Errorf("seed %d: %d calls and legs never end", seed, open)
		}
		want := derived(t, s)
		must(t, s.Rebuild(t.Context(), acme, func(int) {}))
		same(t, derived(t, s), want)
	}
}

func TestAFactThatMakesNoSenseIsSetAsideAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	s := newTenant(t)
	c := newCentre(1, 2)
	facts := c.run(40)
	known := facts[len(facts)-1]
	at := known.At.Add(time.Second)
	odd := []o.Fact{
		{Seq: known.Seq + 1, Index: 0, At: at, What: o.CallEnded{Call: "0192e5a0-0000-7000-8000-000000000000"}},
		{Seq: known.Seq + 1, Index: 1, At: at, What: o.CallArrived{Call: "not-a-uuid"}},
		{Seq: known.Seq + 2, Index: 0, At: at, What: o.AgentChanged{Agent: "agent-0", State: o.AgentPaused}},
	}
	done := project(t, s, slices.Concat(facts, odd))
	if done.SetAside != 2 || done.Stored != len(facts)+3 {
		t.Fatalf("%+v", done)
	}
	want := derived(t, s)
	if !strings.Contains(want, "is not a UUID") || !strings.Contains(want, "no call 0192e5a0") {
		t.Fatal("the reasons are not told")
	}
	must(t, s.Rebuild(t.Context(), acme, func(int) {}))
	same(t, derived(t, s), want)
}

func TestAFactTheDatabaseRefusesIsSetAsideAlone(t *testing.T) {
	t.Parallel()
	s := newTenant(t)
	// Refuse what no code of ours would: the database has the last word.
	must(t, s.db.Exec("ALTER TABLE fact ADD CHECK (name <> 'digit_taken')").Error)
	c := newCentre(3, 3)
	facts := c.run(400)
	refused := 0
	for _, f := range facts {
		if _, ok := f.What.(o.DigitTaken); ok {
			refused++
		}
	}
	done := project(t, s, facts)
	if refused == 0 || done.SetAside != refused || done.Stored != len(facts)-refused {
		t.Fatalf("%+v, %d of %d refused", done, refused, len(facts))
	}
	if again := project(t, s, facts); again.Skipped != len(facts) {
		t.Fatalf("again: %+v", again)
	}
	want := derived(t, s)
	must(t, s.Rebuild(t.Context(), acme, func(int) {}))
	same(t, derived(t, s), want)
}

// TestEveryCommitEndsWithAWholeStep: whoever goes on after Projected must not
// miss the rest of a step.
func TestEveryCommitEndsWithAWholeStep(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		seqs []uint64
		want int
	}{
		{[]uint64{1}, 0},
		{[]uint64{1, 1, 1}, 0},
		{[]uint64{1, 2}, 1},
		{[]uint64{1, 2, 2, 2}, 1},
		{[]uint64{1, 1, 1, 2}, 3},
		{[]uint64{1, 1, 2, 3, 3, 3}, 3},
		{[]uint64{1, 2, 3, 4}, 2},
	} {
		entries := make([]entry, len(c.seqs))
		for i, seq := range c.seqs {
			entries[i].row.Seq = seq
		}
		if got := middle(entries); got != c.want {
			t.Errorf("%v is cut at %d, want %d", c.seqs, got, c.want)
		}
	}
}

func TestAJournalBegunAnewIsNotTakenForTheOldOne(t *testing.T) {
	t.Parallel()
	s := newTenant(t)
	project(t, s, newCentre(1, 2).run(100))
	_, err := s.Project(t.Context(), acme, newCentre(2, 2).run(50))
	if o.CodeOf(err) != o.CodeConflict {
		t.Fatalf("got %v", err)
	}
}

func TestFactsOutOfOrderAreRefused(t *testing.T) {
	t.Parallel()
	s := newTenant(t)
	facts := newCentre(1, 2).run(20)
	facts[3], facts[4] = facts[4], facts[3]
	if _, err := s.Project(t.Context(), acme, facts); o.CodeOf(err) != o.CodeInvalid {
		t.Fatalf("got %v", err)
	}
	if _, err := s.Project(t.Context(), "nobody", facts[:1]); o.CodeOf(err) != o.CodeNotFound {
		t.Fatalf("unknown tenant: %v", err)
	}
}

func TestFactsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	s := newTenant(t)
	facts := newCentre(5, 3).run(600)
	project(t, s, facts)
	byCall := map[o.CallID][]o.Fact{}
	for _, f := range facts {
		e, err := newEntry(f)
		must(t, err)
		if e.row.CallID != nil {
			f.At = stamp(f.At)
			id := o.CallID(*e.row.CallID)
			byCall[id] = append(byCall[id], f)
		}
	}
	for id, want := range byCall {
		story, err := s.Call(t.Context(), acme, id)
		must(t, err)
		if len(story.Facts) != len(want) {
			t.Fatalf("call %s: %d facts, want %d", id, len(story.Facts), len(want))
		}
		for i := range want {
			if arrived, ok := want[i].What.(o.CallArrived); ok { // NUL and broken UTF-8 cannot be kept
				arrived.Caller.Name = clean(arrived.Caller.Name)
				got := story.Facts[i].What.(o.CallArrived)
				arrived.Caller.Name, got.Caller.Name = strings.ToValidUTF8(arrived.Caller.Name, ""), strings.ToValidUTF8(got.Caller.Name, "")
				want[i].What, story.Facts[i].What = arrived, got
				continue
			}
			if !reflect.DeepEqual(story.Facts[i], want[i]) {
				t.Fatalf("call %s\n got %#v\nwant %#v", id, story.Facts[i], want[i])
			}
		}
	}
}

func BenchmarkProject(b *testing.B) {
	for _, size := range []int{1, 40, 4000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := newTenant(b)
			facts := newCentre(9, 50).run(b.N*size + size)
			b.ResetTimer()
			for i := range b.N {
				if _, err := s.Project(context.Background(), acme, facts[i*size:(i+1)*size]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "facts/s")
		})
	}
}
