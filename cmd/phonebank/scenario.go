package main

import (
	"math/rand/v2"
	"time"

	"ringmaster/cmd/phonebank/phone"
)

// Bounds of a scenario. They keep a typing error from becoming an attack on one's own PBX.
const (
	maxPhones     = 2000
	maxRatePerS   = 200
	maxConcurrent = 2000
	maxSteps      = 50
	maxSpan       = 24 * time.Hour

	defaultAgentHz       = 900
	defaultCallerHz      = 600
	defaultConcurrentMax = 50
)

// Scenario is the file as written. Times are texts such as "2s" or "1s..3s".
type Scenario struct {
	PBX      string        `yaml:"pbx"`
	Listen   string        `yaml:"listen"`
	RTPPorts string        `yaml:"rtp_ports"`
	Duration string        `yaml:"duration"`
	Record   string        `yaml:"record"`
	Seed     uint64        `yaml:"seed"`
	Agents   []AgentGroup  `yaml:"agents"`
	Callers  []CallerGroup `yaml:"callers"`
}

// AgentGroup is a range of desk phones that register and are called.
type AgentGroup struct {
	Users    string  `yaml:"users"`
	Password string  `yaml:"password"`
	Listen   string  `yaml:"listen"`
	TonesHz  []int   `yaml:"tones_hz"`
	Behave   []Share `yaml:"behave"`
	Login    *Errand `yaml:"login"`
	Logout   *Errand `yaml:"logout"`
}

// Share is a behaviour and how often it is chosen.
type Share struct {
	Do          string  `yaml:"do"`
	After       string  `yaml:"after"`
	Code        int     `yaml:"code"`
	HangUpAfter string  `yaml:"hang_up_after"`
	Share       float64 `yaml:"share"`
}

// Errand is a call a desk phone makes by itself, such as dialling a feature code.
type Errand struct {
	Dial   string `yaml:"dial"`
	Script []Step `yaml:"script"`
}

// Step is one thing done during a call: wait, or press keys.
type Step struct {
	Wait string `yaml:"wait"`
	DTMF string `yaml:"dtmf"`
}

// CallerGroup is a stream of calls.
type CallerGroup struct {
	Dial          string  `yaml:"dial"`
	RatePerS      float64 `yaml:"rate_per_s"`
	Arrivals      string  `yaml:"arrivals"`
	ConcurrentMax int     `yaml:"concurrent_max"`
	CallsMax      int     `yaml:"calls_max"`
	Number        string  `yaml:"number"`
	Name          string  `yaml:"name"`
	Users         string  `yaml:"users"`
	Password      string  `yaml:"password"`
	Listen        string  `yaml:"listen"`
	TonesHz       []int   `yaml:"tones_hz"`
	Script        []Step  `yaml:"script"`
	Patience      string  `yaml:"patience"`
	Talk          string  `yaml:"talk"`
}

// span is a time between two bounds, drawn anew each time.
type span struct{ min, max time.Duration }

func (s span) draw(r *dice) time.Duration {
	if s.max <= s.min {
		return s.min
	}
	return s.min + time.Duration(r.int64N(int64(s.max-s.min)+1))
}

// plan is a scenario that was checked, ready to run.
type plan struct {
	duration time.Duration // zero is until stopped
	stay     bool          // go on after the callers have made all their calls
	seed     uint64
	agents   []agentPlan
	callers  []callerPlan
	agentHz  []int
	callerHz []int
}

type agentPlan struct {
	phones        []phone.Config
	shares        []sharePlan
	login, logout *errandPlan
}

type sharePlan struct {
	behaviour   phone.Behaviour
	after, talk span
	share       float64
}

type errandPlan struct {
	dial  string
	steps []stepPlan
}

type stepPlan struct {
	wait   span
	digits string
}

type callerPlan struct {
	phones         []phone.Config // with accounts; or exactly one without
	registered     bool
	dial           string
	rate           float64
	poisson        bool
	concurrent     int
	limit          int // of calls; zero is none
	number, name   string
	tones          []int
	steps          []stepPlan
	patience, talk span
}

// dice is the seeded random source of one run; a single goroutine owns it.
type dice struct{ *rand.Rand }

func newDice(seed, stream uint64) *dice { return &dice{rand.New(rand.NewPCG(seed, stream))} }

func (d *dice) int64N(n int64) int64 { return d.Int64N(n) }
