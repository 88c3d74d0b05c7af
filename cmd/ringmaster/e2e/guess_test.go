package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// guesses is how many PINs are tried, guessers how many calls do it at once,
// from several phones.
const (
	guesses  = 1000
	guessers = 32
)

// Every wrong PIN begins alike and is longer than what else is written down as
// digits, so that one that leaks is found.
const (
	rightPIN   = "8361927450"
	wrongPIN   = "5093718%03d"
	leakedPIN  = `8361927450|5093718\d{3}`
	lockFirst  = time.Minute
	lockMargin = 20 * time.Second
)

// TestPINGuessing tries a thousand PINs of one agent from desk phones. Three
// count in a call, five in all; then none does, not even the right one, and the
// lock-out grows. Others log in, call and talk as ever, and no PIN is written
// down anywhere.
func TestPINGuessing(t *testing.T) {
	const victim, other = 2, 6
	c, talk := witnessed(t, 7, func(doc document) { doc["agents"].([]document)[victim]["pin"] = rightPIN })
	for i := victim; i <= other; i++ {
		c.act(i, document{"action": "logout"})
		c.eventually("the phone is free", 10*time.Second, func() bool { return c.agent(i).State == orchestrator.AgentLoggedOut })
	}
	desks := c.agents[victim:other]

	c.guessInOneCall(t, desks[0], 0, 3)
	c.guessInOneCall(t, desks[1], 3, 2)
	locked := time.Now()
	var next, typed atomic.Int64
	next.Store(5)
	typed.Store(5)
	t.Run("storm", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		var wg sync.WaitGroup
		for i := range guessers {
			wg.Go(func() {
				for ctx.Err() == nil && typed.Load() < guesses {
					n := next.Add(1)
					pin := fmt.Sprintf(wrongPIN, n%1000)
					if n%10 == 0 && time.Since(locked) < lockFirst-lockMargin {
						pin = rightPIN
					}
					if c.guess(ctx, desks[i%len(desks)], pin) {
						typed.Add(1)
					}
				}
			})
		}
		c.lifeGoesOn(t, other)
		wg.Wait()
		if n := typed.Load(); n < guesses {
			t.Errorf("only %d guesses came through", n)
		}
		t.Logf("%d guesses, at load %s", typed.Load(), load())
	})
	for len(c.refusals(t)) < 6 && time.Since(locked) < 3*lockFirst {
		c.guess(t.Context(), desks[2], fmt.Sprintf(wrongPIN, 999))
	}
	if until := c.lockGrows(t); time.Until(until) > lockMargin {
		c.guess(t.Context(), desks[3], rightPIN)
	}
	if s := c.agent(victim).State; s != orchestrator.AgentLoggedOut {
		t.Errorf("the guessed agent is %s", s)
	}
	talk.testified(t)
	c.tellsNoDigits(t)
	c.stop()
	c.leaksNothing(t)
}

// guessInOneCall types PINs one after the other, each when the one before was
// refused; the call then ends by itself.
func (c *centre) guessInOneCall(t *testing.T, desk *phone.Phone, first, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	call, err := desk.Dial(ctx, "*11103", phone.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := call.WaitAnswer(ctx); err != nil {
		t.Fatal(err)
	}
	for i := first; i < first+n; i++ {
		if err := call.SendDTMF(ctx, fmt.Sprintf(wrongPIN, i)+"#"); err != nil {
			t.Fatal(err)
		}
		c.eventually(fmt.Sprintf("guess %d is refused", i+1), 15*time.Second, func() bool { return len(c.refusals(t)) == i+1 })
	}
	if _, err := call.WaitEnd(ctx); err != nil {
		t.Errorf("after %d guesses the call goes on: %v", n, err)
	}
}

// guess types one PIN in a call and reports whether it was typed whole.
func (c *centre) guess(ctx context.Context, desk *phone.Phone, pin string) bool {
	limit, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	call, err := desk.Dial(limit, "*11103", phone.DialOptions{})
	if err != nil {
		return false
	}
	defer func() {
		end, cancelEnd := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancelEnd()
		call.Hangup(end)
	}()
	return call.WaitAnswer(limit) == nil && call.SendDTMF(limit, pin+"#") == nil
}

// lifeGoesOn is what others do meanwhile: an agent logs in by phone and number
// and PIN, and gets a call.
func (c *centre) lifeGoesOn(t *testing.T, i int) {
	t.Helper()
	c.talkOnce(t, "+49850")
	c.act(1, document{"action": "pause", "reason": "lunch"})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	call, err := c.agents[i].Dial(ctx, "*11"+fmt.Sprint(101+i), phone.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := call.WaitAnswer(ctx); err != nil {
		t.Fatal(err)
	}
	if err := call.SendDTMF(ctx, pin(i)+"#"); err != nil {
		t.Fatal(err)
	}
	c.eventually("another agent logs in", 20*time.Second, func() bool { return c.agent(i).State == orchestrator.AgentReady })
	reached := c.dial(c.caller(1), "501", "+49851")
	c.hears(reached, agentHz+100*(i%4), time.Time{})
	c.hangsUp(t, reached, "+49851", orchestrator.ReasonTalked)
}

// refusal of a PIN, as the facts tell it.
type pinRefusal struct {
	at, until time.Time
}

// refusals are the wrong PINs that counted, in order.
func (c *centre) refusals(t *testing.T) (all []pinRefusal) {
	t.Helper()
	conn := c.database(t)
	defer conn.Close(context.Background())
	rows, err := conn.Query(t.Context(), "SELECT at, what FROM fact WHERE name = 'pin_refused' ORDER BY seq, idx")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var at time.Time
		var refused orchestrator.PINRefused
		if err := rows.Scan(&at, &refused); err != nil {
			t.Fatal(err)
		}
		all = append(all, pinRefusal{at, refused.Locked})
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// lockGrows checks that nothing counted during a lock-out and that each is
// twice as long as the one before, and returns when the last one ends.
func (c *centre) lockGrows(t *testing.T) (until time.Time) {
	t.Helper()
	all := c.refusals(t)
	want := lockFirst
	for i, r := range all {
		switch lock := r.until.Sub(r.at); {
		case i < 4 && !r.until.IsZero():
			t.Errorf("guess %d locks for %s", i+1, lock)
		case i >= 4 && (lock-want).Abs() > time.Millisecond:
			t.Errorf("guess %d locks for %s, want %s", i+1, lock, want)
		case r.at.Before(until):
			t.Errorf("guess %d counts at %s, within the lock-out until %s", i+1, r.at, until)
		case i >= 4:
			want *= 2
		}
		until = r.until
	}
	if len(all) < 6 {
		t.Errorf("only %d guesses counted: the lock-out never grew", len(all))
	}
	t.Logf("%d guesses counted, the last lock-out is %s", len(all), want/2)
	return until
}

// database is a connection to ringmaster's own.
func (c *centre) database(t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), fmt.Sprintf("host=%s port=5432 user=ringmaster dbname=ringmaster", filepath.Join(c.dir, "postgres", "cluster")))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// tellsNoDigits checks that no fact holds a digit of a PIN.
func (c *centre) tellsNoDigits(t *testing.T) {
	t.Helper()
	conn := c.database(t)
	defer conn.Close(context.Background())
	var facts, told int
	err := conn.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE name = 'digit_taken' OR what ->> 'digits' <> ''
		OR what::text ~ $1) FROM fact WHERE name LIKE 'service%' OR name = 'digit_taken'`, leakedPIN).Scan(&facts, &told)
	if err != nil {
		t.Fatal(err)
	}
	if told > 0 || facts < guesses {
		t.Errorf("%d of %d facts tell what was typed", told, facts)
	}
}

// leaksNothing checks that no PIN is in any of the files ringmaster wrote, nor
// in what it said.
func (c *centre) leaksNothing(t *testing.T) {
	t.Helper()
	form := regexp.MustCompile(leakedPIN)
	files := 0
	err := filepath.WalkDir(c.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		if at := form.FindIndex(text); at != nil {
			t.Errorf("%s holds a PIN: %q", path, text[max(0, at[0]-60):min(len(text), at[1]+20)])
		}
		return nil
	})
	if err != nil || files < 10 {
		t.Errorf("%d files read: %v", files, err)
	}
	if found := form.FindString(c.log()); found != "" {
		t.Errorf("ringmaster's log holds a PIN: %q", found)
	}
}
