package main

import (
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"ringmaster/cmd/phonebank/phone"
)

// maxSamples bounds the measurements kept of one kind; when there are more, the oldest give way.
const maxSamples = 100_000

// soundAfter is how long an agent must have been up before hearing nothing means something.
const soundAfter = time.Second

// Percentiles describe a set of durations in milliseconds.
type Percentiles struct {
	N     int     `json:"n"`
	P50Ms float64 `json:"p50_ms"`
	P95Ms float64 `json:"p95_ms"`
	P99Ms float64 `json:"p99_ms"`
	MaxMs float64 `json:"max_ms"`
}

// CallerSummary counts the callers' calls. Every call placed has exactly one of the outcomes from Reached to Stopped.
type CallerSummary struct {
	Placed    int `json:"placed"`
	NotPlaced int `json:"not_placed"` // as many calls as concurrent_max allows were in progress
	Answered  int `json:"answered"`   // 200 from the PBX

	Reached   int `json:"reached"`   // an agent was heard
	Abandoned int `json:"abandoned"` // the caller's patience ended first
	Rejected  int `json:"rejected"`  // a final status of 300 or more
	Dropped   int `json:"dropped"`   // the PBX hung up before an agent was heard
	Failed    int `json:"failed"`    // no answer at all, or no media
	Stopped   int `json:"stopped"`   // still waiting when the run was over

	Codes  map[string]int `json:"codes"` // final statuses of the INVITEs
	Ring   Percentiles    `json:"ring"`  // INVITE to 180
	Answer Percentiles    `json:"answer"`
	Reach  Percentiles    `json:"reach"` // INVITE to the first packet with an agent's tone
	Talk   Percentiles    `json:"talk"`  // first heard to the end
}

// AgentSummary counts the calls at the desk phones.
type AgentSummary struct {
	Rung     int         `json:"rung"`
	Answered int         `json:"answered"`
	Rejected int         `json:"rejected"`
	Missed   int         `json:"missed"`  // the PBX stopped ringing: no answer in time, or somebody else took it
	Failed   int         `json:"failed"`  // no ACK, or no media
	Stopped  int         `json:"stopped"` // still ringing when the run was over
	Ignored  int         `json:"ignored"` // INVITE datagrams a silent phone dropped
	Idle     Percentiles `json:"idle"`    // end of a call to the next INVITE at the same phone
}

// SoundSummary says what one side heard, over the answered calls.
type SoundSummary struct {
	Judged  int         `json:"judged"`
	Good    int         `json:"good"`    // the other side and never its own
	Nothing int         `json:"nothing"` // never the other side
	Own     int         `json:"own"`     // its own side: an echo, or somebody else's call
	Gap     Percentiles `json:"longest_gap"`
}

// Summary is the result of a run.
type Summary struct {
	StartedAt   time.Time     `json:"started_at"`
	Seconds     float64       `json:"seconds"`
	Seed        uint64        `json:"seed"`
	Registered  int           `json:"registered"`
	Callers     CallerSummary `json:"callers"`
	Agents      AgentSummary  `json:"agents"`
	CallerSound SoundSummary  `json:"caller_sound"`
	AgentSound  SoundSummary  `json:"agent_sound"`
	Errors      []string      `json:"errors,omitempty"` // the first few
}

// tally collects the results of a run. It is safe for concurrent use.
type tally struct {
	plan       *plan
	registered int

	mu      sync.Mutex
	sum     Summary
	stopped bool
	up      int // callers' calls in progress
	talking int // of these, with an agent

	ring, answer, reach, talk, idle, callerGap, agentGap []time.Duration
	lastEnd                                              map[string]time.Time
}

func newTally(p *plan) *tally {
	return &tally{plan: p, lastEnd: make(map[string]time.Time), sum: Summary{Seed: p.seed, Callers: CallerSummary{Codes: make(map[string]int)}}}
}

func (t *tally) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.StartedAt = time.Now()
}

// stop says that the calls still in progress are ended by the run and not by their callers.
func (t *tally) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
}

func (t *tally) finish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Seconds = time.Since(t.sum.StartedAt).Seconds()
}

func (t *tally) placed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Callers.Placed++
	t.up++
}

func (t *tally) notPlaced() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Callers.NotPlaced++
}

func (t *tally) reachedNow() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.talking++
}

// callerFailed counts a call that could not even be sent.
func (t *tally) callerFailed(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sum.Callers.Placed++
	t.sum.Callers.Failed++
	t.note(err)
}

func (t *tally) note(err error) {
	if err != nil && len(t.sum.Errors) < maxFaults {
		t.sum.Errors = append(t.sum.Errors, err.Error())
	}
}

// callerCall counts a finished call; reached is zero when no agent was heard.
func (t *tally) callerCall(c *phone.Call, reached time.Time) {
	end, times := c.End(), c.Times()
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.sum.Callers
	t.up--
	s.Codes[strconv.Itoa(end.Code)]++
	t.note(end.Err)
	add(&t.ring, times.Invite, times.Ringing)
	add(&t.answer, times.Invite, times.Answered)
	if !times.Answered.IsZero() {
		s.Answered++
	}
	switch {
	case !reached.IsZero():
		t.talking--
		s.Reached++
		add(&t.reach, times.Invite, reached)
		add(&t.talk, reached, times.Ended)
		t.judge(&t.sum.CallerSound, c, t.plan.agentHz, t.plan.callerHz)
		keep(&t.callerGap, c.Ear().LongestGap(reached, times.Ended))
	case end.By == phone.Network:
		s.Failed++
	case end.By == phone.Remote && times.Answered.IsZero():
		s.Rejected++
	case end.By == phone.Remote:
		s.Dropped++
	case t.stopped:
		s.Stopped++
	default:
		s.Abandoned++
	}
}

// agentCall counts a finished call at a desk phone.
func (t *tally) agentCall(c *phone.Call) {
	end, times := c.End(), c.Times()
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.sum.Agents
	s.Rung++
	t.note(end.Err)
	if last, ok := t.lastEnd[c.Phone()]; ok {
		add(&t.idle, last, times.Invite)
	}
	t.lastEnd[c.Phone()] = times.Ended
	switch {
	case !times.Answered.IsZero():
		s.Answered++
		if times.Ended.Sub(times.Answered) >= soundAfter && len(t.plan.callerHz) > 0 {
			t.judge(&t.sum.AgentSound, c, t.plan.callerHz, t.plan.agentHz)
			keep(&t.agentGap, c.Ear().LongestGap(times.Answered, times.Ended))
		}
	case end.By == phone.Network:
		s.Failed++
	case t.stopped:
		s.Stopped++
	case end.By == phone.Local:
		s.Rejected++
	default:
		s.Missed++
	}
}

// judge says whether a call heard the other side and never its own.
func (t *tally) judge(s *SoundSummary, c *phone.Call, other, own []int) {
	if len(other) == 0 {
		return
	}
	s.Judged++
	heard := c.Ear().Tones()
	has := func(of []int) bool {
		return slices.ContainsFunc(heard, func(hz int) bool { return slices.Contains(of, hz) })
	}
	switch {
	case has(own):
		s.Own++
	case has(other):
		s.Good++
	default:
		s.Nothing++
	}
}

// add keeps the time between two instants that both happened.
func add(to *[]time.Duration, from, until time.Time) {
	if !from.IsZero() && !until.IsZero() {
		keep(to, until.Sub(from))
	}
}

func keep(to *[]time.Duration, d time.Duration) {
	if len(*to) >= maxSamples {
		*to = slices.Delete(*to, 0, maxSamples/10)
	}
	*to = append(*to, d)
}

// percentiles by the nearest-rank method: a value that was measured, never one in between.
func percentiles(all []time.Duration) Percentiles {
	p := Percentiles{N: len(all)}
	if len(all) == 0 {
		return p
	}
	sorted := slices.Sorted(slices.Values(all))
	at := func(q float64) float64 {
		rank := max(1, int(math.Ceil(q*float64(len(sorted)))))
		return float64(sorted[rank-1].Microseconds()) / 1000
	}
	p.P50Ms, p.P95Ms, p.P99Ms, p.MaxMs = at(0.50), at(0.95), at(0.99), at(1)
	return p
}

// summary is the result so far.
func (t *tally) summary(ignored uint64) Summary {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sum
	s.Registered = t.registered
	s.Agents.Ignored = int(ignored)
	s.Callers.Ring, s.Callers.Answer = percentiles(t.ring), percentiles(t.answer)
	s.Callers.Reach, s.Callers.Talk = percentiles(t.reach), percentiles(t.talk)
	s.Agents.Idle = percentiles(t.idle)
	s.CallerSound.Gap, s.AgentSound.Gap = percentiles(t.callerGap), percentiles(t.agentGap)
	return s
}

// now is what a progress line says.
func (t *tally) now() (placed, up, talking int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum.Callers.Placed, t.up, t.talking
}
