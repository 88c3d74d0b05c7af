package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
)

// What one step of the load is: talks are short, so that many dispatches are
// seen and the phones on the same machine leave room for the rest.
const (
	loadTalk   = 3 * time.Second
	loadAgents = 110
	// tooSlow ends a series: from the INVITE of one caller in a hundred to the
	// ringing of a free phone.
	tooSlow = 3 * time.Second
)

var (
	loadSteps = []int{5, 10, 15, 20, 30}
	loadStep  = flag.Duration("e2e.step", 20*time.Second, "how long a test of load stays at one pace")
)

// TestLoad raises the calls per second on each real switch, first through
// ringmaster, then, ringmaster stopped, through the switch's own queue on the
// same phones: Asterisk's app_queue, FreeSWITCH's mod_callcenter. It prints a
// table and fails only when a call is dropped at a pace that everybody bears.
func TestLoad(t *testing.T) {
	needLong(t)
	for _, kind := range []string{"asterisk", "freeswitch"} {
		t.Run(kind, func(t *testing.T) { loadOn(t, kind) })
	}
}

func loadOn(t *testing.T, kind string) { //nolint:thelper // it is the test itself
	c := attend(t, centreAt(t, benchmarked(t, kind)), loadAgents)
	s := &series{c: c, what: "ringmaster"}
	s.climb(t, "501", "+491")
	c.stop()
	c.process = nil
	s.what = "app_queue"
	if pbx, ok := c.pbx.machine.(*lab.FreeSWITCH); ok {
		s.what = "mod_callcenter"
		if out, err := pbx.CLI("load mod_callcenter"); err != nil || !strings.Contains(out, "+OK") {
			t.Fatalf("load mod_callcenter: %v %s", err, out)
		}
	}
	s.climb(t, lab.BenchExtension, "+492")
	s.report(t)
}

// benchmarked starts a PBX with a queue of its own behind lab.BenchExtension.
func benchmarked(t *testing.T, kind string) *exchange {
	t.Helper()
	if kind == "asterisk" {
		return runAsterisk(t, lab.Config{Agents: loadAgents})
	}
	return runFreeSWITCH(t, lab.FreeSWITCHConfig{Agents: loadAgents, Edit: func(name, text string) string {
		switch name {
		case "autoload_configs/callcenter.conf.xml":
			return callcenter(loadAgents)
		case "dialplan/ringmaster.xml":
			const inbound = `<context name="rm-inbound">`
			return strings.Replace(text, inbound, inbound+`
    <extension name="bench"><condition field="destination_number" expression="^`+lab.BenchExtension+`$">
      <action application="answer"/><action application="callcenter" data="bench@lab"/>
    </condition></extension>`, 1)
		}
		return text
	}})
}

// callcenter is a mod_callcenter with one queue of all phones, which rests
// nobody and rings the longest idle, as ringmaster's queue does.
func callcenter(agents int) string {
	var who, tiers strings.Builder
	for i := range agents {
		number := 1001 + i
		fmt.Fprintf(&who, `<agent name="%d@lab" type="callback" contact="[leg_timeout=20]user/%d@%s" status="Available" max-no-answer="0" `+
			`wrap-up-time="0" reject-delay-time="0" busy-delay-time="0" no-answer-delay-time="0"/>`+"\n", number, number, lab.FreeSWITCHDomain)
		fmt.Fprintf(&tiers, `<tier agent="%d@lab" queue="bench@lab"/>`+"\n", number)
	}
	return `<configuration name="callcenter.conf"><settings/><queues><queue name="bench@lab">
  <param name="strategy" value="longest-idle-agent"/><param name="moh-sound" value="local_stream://` + lab.FreeSWITCHMusic + `"/>
  <param name="time-base-score" value="system"/><param name="tier-rules-apply" value="false"/>
</queue></queues><agents>` + who.String() + "</agents><tiers>" + tiers.String() + "</tiers></configuration>"
}

// usage is what processes have taken: processor time and memory.
type usage struct {
	ringmaster, database, pbx, phones time.Duration
	memory                            int // of ringmaster, bytes
}

func (c *centre) usage(t *testing.T) (u usage) {
	t.Helper()
	if c.process != nil {
		u.ringmaster, u.memory = processor(c.process.Process.Pid), resident(c.process.Process.Pid)
		for _, pid := range postgres(t, c.dir) {
			u.database += processor(pid)
		}
	}
	u.pbx = processor(c.pbx.machine.(interface{ PID() int }).PID())
	u.phones = processor(os.Getpid())
	return u
}

// postgres are the processes of the private cluster.
func postgres(t *testing.T, data string) (pids []int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, "postgres", "*", "postmaster.pid"))
	if err != nil || len(files) != 1 {
		t.Fatalf("no postmaster in %s: %v %v", data, files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	postmaster, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(string(text), "\n", 2)[0]))
	if err != nil {
		t.Fatal(err)
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", postmaster, postmaster))
	if err != nil {
		t.Fatal(err)
	}
	pids = []int{postmaster}
	for word := range strings.FieldsSeq(string(children)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// processor is the time a process had on a core (proc_pid_stat(5), utime and
// stime in ticks of 10 ms); 0 for one that is gone.
func processor(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	words := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var sum time.Duration
	for _, word := range words[11:13] {
		ticks, err := strconv.Atoi(word)
		if err != nil {
			return 0
		}
		sum += time.Duration(ticks) * 10 * time.Millisecond
	}
	return sum
}

// resident is the memory of a process in bytes (proc_pid_statm(5)).
func resident(pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		return 0
	}
	return pages * syscall.Getpagesize()
}

// series is one climb after another on the same phones.
type series struct {
	c    *centre
	what string
	rows []step
}

// step is one line of the table.
type step struct {
	what            string
	pace            int
	calls, served   int
	up              int // most calls at once
	ringing         []time.Duration
	span            time.Duration
	used            usage // in the step
	memory, resting int   // of ringmaster at the end of the calls, and before them
	load            string
	fates           map[string]int
}

// climb raises the pace until a switch, ringmaster or the phones are too slow.
func (s *series) climb(t *testing.T, number, prefix string) {
	t.Helper()
	for i, pace := range loadSteps {
		one := s.run(t, pace, number, fmt.Sprintf("%s%d", prefix, i))
		s.rows = append(s.rows, one)
		t.Log(one.line())
		if pace == loadSteps[0] && one.fates[dropped]+one.fates[deaf] > 0 {
			t.Errorf("%s: at %d calls/s: %v", s.what, pace, one.fates)
		}
		if at(one.ringing, 0.99) > tooSlow || one.served < one.calls*95/100 {
			return
		}
		time.Sleep(time.Second)
	}
}

func (s *series) run(t *testing.T, pace int, number, prefix string) step {
	t.Helper()
	before, begun := s.c.usage(t), time.Now()
	tr := s.c.drive(rhythm{every: time.Second / time.Duration(pace), talk: loadTalk, number: number, prefix: prefix})
	time.Sleep(*loadStep)
	full := s.c.usage(t)
	trips := tr.stop()
	after := s.c.usage(t)
	one := step{
		what: s.what, pace: pace, calls: len(trips), span: time.Since(begun), load: load(), fates: map[string]int{},
		memory: full.memory, resting: before.memory,
		used: usage{
			ringmaster: after.ringmaster - before.ringmaster, database: after.database - before.database,
			pbx: after.pbx - before.pbx, phones: after.phones - before.phones,
		},
	}
	for _, trip := range trips {
		one.fates[trip.fate]++
	}
	one.served, one.up = one.fates[talked], atOnce(trips)
	one.ringing = s.c.dispatched(trips, prefix)
	return one
}

// dispatched is from each caller's INVITE to the first INVITE at a desk phone.
func (c *centre) dispatched(trips []*trip, prefix string) (took []time.Duration) {
	rang := map[string]time.Time{}
	for _, p := range c.agents {
		for _, call := range p.Calls() {
			at, from := call.Times().Invite, call.Peer()
			if call.Direction() == phone.Incoming && strings.HasPrefix(from, prefix) && (rang[from].IsZero() || at.Before(rang[from])) {
				rang[from] = at
			}
		}
	}
	for _, one := range trips {
		if at, ok := rang[one.from]; ok && one.call != nil {
			took = append(took, at.Sub(one.call.Times().Invite))
		}
	}
	slices.Sort(took)
	return took
}

// atOnce is how many calls there were at the most.
func atOnce(trips []*trip) (most int) {
	type edge struct {
		at time.Time
		by int
	}
	var edges []edge
	for _, one := range trips {
		if one.call != nil {
			x := one.call.Times()
			edges = append(edges, edge{x.Invite, 1}, edge{x.Ended, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return a.at.Compare(b.at) })
	n := 0
	for _, e := range edges {
		n += e.by
		most = max(most, n)
	}
	return most
}

// line is one line of the table.
func (s step) line() string {
	percent := func(d time.Duration) string { return fmt.Sprintf("%.0f", 100*d.Seconds()/s.span.Seconds()) }
	perCall := func(d time.Duration) string {
		return fmt.Sprintf("%.1f", d.Seconds()*1000/float64(max(s.calls, 1)))
	}
	memory := "-"
	if s.memory > 0 {
		memory = fmt.Sprintf("%d MB (%+d kB/call)", s.memory>>20, (s.memory-s.resting)/1024/max(s.up, 1))
	}
	return strings.Join([]string{
		s.what, strconv.Itoa(s.pace), strconv.Itoa(s.calls), strconv.Itoa(s.served), strconv.Itoa(s.up),
		fmt.Sprint(at(s.ringing, 0.5)), fmt.Sprint(at(s.ringing, 0.99)),
		percent(s.used.ringmaster), percent(s.used.database), percent(s.used.pbx), percent(s.used.phones),
		perCall(s.used.ringmaster), perCall(s.used.database), perCall(s.used.pbx), memory, s.load,
	}, "\t")
}

func (s *series) report(t *testing.T) {
	t.Helper()
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tcalls/s\tcalls\tserved\tat once\tp50\tp99\tringmaster %\tdatabase %\tPBX %\tphones %\tringmaster ms/call\tdatabase ms/call\tPBX ms/call\tringmaster RSS\tload")
	for _, one := range s.rows {
		fmt.Fprintln(w, one.line())
	}
	w.Flush() // a builder takes everything
	t.Logf("%s, %d cores (100 %% is one of them), talks of %s, %d free phones; p50 and p99 are from a caller's INVITE to that at a phone\n%s",
		s.c.pbx.Version, runtime.NumCPU(), loadTalk, loadAgents, table.String())
}
