package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// leavers are callers who hang up within 150 ms.
const leavers = 80

// TestLeaversHaveAbandoned: callers hang up at every moment of their first, among
// commands that do not find them any more. However that is noticed, they are
// told as having abandoned, not as lost by the switch.
func TestLeaversHaveAbandoned(t *testing.T) { onEach(t, leaversHaveAbandoned) }

func leaversHaveAbandoned(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	c := openOn(t, kind, 1, nil)
	random := rand.New(rand.NewPCG(11, 12))
	var all sync.WaitGroup
	for i := range leavers {
		p, stay := c.caller(i%12), time.Duration(random.IntN(150))*time.Millisecond
		all.Go(func() {
			call, err := p.Dial(t.Context(), "501", phone.DialOptions{CallerNumber: fmt.Sprintf("+4984%03d", i)})
			if err != nil {
				t.Error(err)
				return
			}
			time.Sleep(stay)
			call.Hangup(t.Context()) // refused already, or never answered: it is over
		})
		time.Sleep(60 * time.Millisecond)
	}
	all.Wait()
	c.eventually("every call has ended", 20*time.Second, func() bool { return len(c.live().Calls) == 0 })
	told := c.reasons(t)
	gave := told[orchestrator.ReasonAbandoned] + told[orchestrator.ReasonAbandonedIVR]
	n := 0
	for _, one := range told {
		n += one
	}
	t.Logf("of %d who left, ringmaster heard of %d: %v", leavers, n, told)
	if gave != n || n < leavers/2 {
		t.Errorf("%d of %d have abandoned", gave, n)
	}
}

// reasons counts the calls in the books by why they ended, once all are closed.
func (c *centre) reasons(t *testing.T) map[orchestrator.Reason]int {
	t.Helper()
	conn := c.database(t)
	defer conn.Close(context.Background()) // nothing was written
	c.eventually("every call is closed in the database", 20*time.Second, func() bool {
		var open int
		if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM call WHERE ended_at IS NULL").Scan(&open); err != nil {
			t.Fatal(err)
		}
		return open == 0
	})
	rows, err := conn.Query(t.Context(), "SELECT reason, count(*) FROM call GROUP BY 1")
	if err != nil {
		t.Fatal(err)
	}
	told := map[orchestrator.Reason]int{}
	for rows.Next() {
		var reason string
		var n int
		if err := rows.Scan(&reason, &n); err != nil {
			t.Fatal(err)
		}
		told[orchestrator.Reason(reason)] = n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return told
}
