package e2e

import (
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"
)

// What a long run under load is. Calls a second times the length of a talk are
// up at any moment: 28.
const (
	killEvery  = 250 * time.Millisecond
	killTalk   = 7 * time.Second
	killAgents = 50
	killsLong  = 50
	killsShort = 5
	// established is how many talks a long run must have had to say something.
	established = 1000
)

// TestKillUnderLoad kills ringmaster again and again while callers keep coming
// and dozens talk. The phones say what became of each talk, the books and the
// PBX's own log whether each call is told, once. Without -long it is short, and
// only on FreeSWITCH: TestKillNine does the same to Asterisk.
func TestKillUnderLoad(t *testing.T) {
	t.Run("asterisk", func(t *testing.T) {
		needLong(t)
		killUnderLoad(t, "asterisk")
	})
	t.Run("freeswitch", func(t *testing.T) { killUnderLoad(t, "freeswitch") })
}

func killUnderLoad(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	kills, every, agents := killsShort, time.Second, 20
	if *long {
		kills, every, agents = killsLong, killEvery, killAgents
	}
	c := staffed(t, kind, agents)
	const prefix = "+4930"
	tr := c.drive(rhythm{every: every, talk: killTalk, number: "501", prefix: prefix})
	time.Sleep(5 * time.Second) // the first of them talk
	random := rand.New(rand.NewPCG(7, 8))
	var (
		back []time.Duration
		away []absence
	)
	for i := range kills {
		time.Sleep(time.Duration(3000+random.IntN(4500)) * time.Millisecond)
		killed := time.Now()
		c.kill()
		c.start()
		for !c.attached() {
			if time.Since(killed) > 60*time.Second {
				t.Fatalf("kill %d: not back after a minute: %+v\n%s", i+1, c.live(), c.log())
			}
			time.Sleep(5 * time.Millisecond)
		}
		back = append(back, time.Since(killed))
		away = append(away, absence{killed, time.Now()})
		if end, ok := t.Deadline(); ok && time.Until(end) < 2*time.Minute {
			t.Errorf("only %d of %d kills before the time is over", len(back), kills)
			break
		}
		t.Logf("kill %d: back after %s, load %s", i+1, back[i].Round(time.Millisecond), load())
	}
	v := c.judge(t, tr.stop(), prefix, 30*time.Second, away...)
	slices.Sort(back)
	t.Logf("%s, %d kills: %s; recovery p50 %s, p99 %s, most %s; load %s",
		c.pbx.Version, len(back), v, at(back, 0.5), at(back, 0.99), at(back, 1), load())
	if *long && v.established < established {
		t.Errorf("only %d talks", v.established)
	}
}

// awayLong is how long the database is away in TestDatabaseAwayUnderLoad.
const awayLong = 10 * time.Minute

// TestDatabaseAwayUnderLoad: PostgreSQL stands still for ten minutes at five
// calls a second.
func TestDatabaseAwayUnderLoad(t *testing.T) {
	needLong(t)
	onEach(t, databaseAwayUnderLoad)
}

func databaseAwayUnderLoad(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	c := staffed(t, kind, 25)
	const prefix = "+4974"
	tr := c.drive(rhythm{every: 200 * time.Millisecond, talk: 2 * time.Second, number: "501", prefix: prefix})
	time.Sleep(5 * time.Second)
	postmaster(t, c.dir, syscall.SIGSTOP)
	begun := time.Now()
	time.Sleep(awayLong)
	postmaster(t, c.dir, syscall.SIGCONT)
	away := time.Since(begun)
	v := c.judge(t, tr.stop(), prefix, 2*time.Minute)
	t.Logf("%s, %s without a database: %s; load %s", c.pbx.Version, away.Round(time.Second), v, load())
}
