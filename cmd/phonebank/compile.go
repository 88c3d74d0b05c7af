package main

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringmaster/cmd/phonebank/phone"
)

// problem is one fault of a scenario, at a YAML path such as "$.agents[0].users".
type problem struct{ path, text string }

// compiler turns a scenario into a plan and collects everything that is wrong with it.
type compiler struct {
	s        *Scenario
	plan     plan
	rtp      [2]int
	problems []problem
}

func compile(s *Scenario) (*plan, []problem) {
	c := &compiler{s: s}
	c.header()
	c.plan.agentHz = collectTones(len(s.Agents), defaultAgentHz, func(i int) []int { return s.Agents[i].TonesHz })
	c.plan.callerHz = collectTones(len(s.Callers), defaultCallerHz, func(i int) []int { return s.Callers[i].TonesHz })
	c.checkTones()
	for i := range s.Agents {
		c.agents(fmt.Sprintf("$.agents[%d]", i), &s.Agents[i])
	}
	for i := range s.Callers {
		c.callers(fmt.Sprintf("$.callers[%d]", i), &s.Callers[i])
	}
	c.totals()
	return &c.plan, c.problems
}

func (c *compiler) wrong(path, format string, args ...any) {
	c.problems = append(c.problems, problem{path, fmt.Sprintf(format, args...)})
}

func (c *compiler) header() {
	s := c.s
	if s.PBX == "" {
		c.wrong("$", "pbx is required: the SIP address of the PBX, such as 192.0.2.1:5060")
	}
	if s.Listen != "" && net.ParseIP(s.Listen) == nil {
		c.wrong("$.listen", "%q: want an IP address of this machine", s.Listen)
	}
	if s.RTPPorts != "" {
		low, high, _ := strings.Cut(s.RTPPorts, "-")
		c.rtp[0], _ = strconv.Atoi(low)
		c.rtp[1], _ = strconv.Atoi(high)
		if c.rtp[0] < 1024 || c.rtp[1] > 65535 || c.rtp[1]-c.rtp[0] < 4 {
			c.wrong("$.rtp_ports", "%q: want two ports between 1024 and 65535, such as 50000-59998", s.RTPPorts)
		}
	}
	c.plan.duration = c.span("$.duration", s.Duration, span{}).max
	c.plan.seed = s.Seed
	if len(s.Agents)+len(s.Callers) == 0 {
		c.wrong("$", "nothing to do: want agents, callers or both")
	}
}

func collectTones(groups, byDefault int, of func(int) []int) []int {
	var out []int
	for i := range groups {
		tones := of(i)
		if len(tones) == 0 {
			tones = []int{byDefault}
		}
		for _, hz := range tones {
			if !slices.Contains(out, hz) {
				out = append(out, hz)
			}
		}
	}
	return out
}

// checkTones makes sure that every phone can tell every other from itself: phone.New has the rules.
func (c *compiler) checkTones() {
	all := slices.Concat(c.plan.agentHz, c.plan.callerHz)
	if len(all) == 0 {
		return
	}
	if err := phone.CheckTones(all); err != nil {
		c.wrong("$", "%v; every tone of agents and callers must be different (defaults: agents %d, callers %d)", err, defaultAgentHz, defaultCallerHz)
	}
}

func (c *compiler) agents(path string, g *AgentGroup) {
	a := agentPlan{}
	users := c.users(path+".users", g.Users, true)
	tones := g.TonesHz
	if len(tones) == 0 {
		tones = []int{defaultAgentHz}
	}
	for i, user := range users {
		cfg := c.phone(path, user, g.Password, g.Listen)
		cfg.ToneHz = tones[i%len(tones)]
		a.phones = append(a.phones, cfg)
	}
	if g.Password == "" {
		c.wrong(path, "password is required; {user} in it stands for the user")
	}
	if len(g.Behave) == 0 {
		a.shares = []sharePlan{{behaviour: phone.AnswerAfter(0), after: span{time.Second, 3 * time.Second}, share: 1}}
	}
	for i := range g.Behave {
		a.shares = append(a.shares, c.share(fmt.Sprintf("%s.behave[%d]", path, i), &g.Behave[i], len(g.Behave) == 1))
	}
	a.login = c.errand(path+".login", g.Login)
	a.logout = c.errand(path+".logout", g.Logout)
	c.plan.agents = append(c.plan.agents, a)
}

func (c *compiler) share(path string, s *Share, only bool) sharePlan {
	b := phone.Behaviour{Action: phone.Action(s.Do), Code: s.Code}
	switch b.Action {
	case phone.Answer, phone.Ring, phone.Silent:
		if s.Code != 0 {
			c.wrong(path+".code", "only reject has a code")
		}
	case phone.Reject:
		if s.Code < 300 || s.Code > 699 {
			c.wrong(path, "reject needs a code from 300 to 699: 486 busy, 480 unavailable, 603 declined")
		}
	default:
		c.wrong(path, "do %q: want answer, reject, ring (never answer) or silent (not even ring)", s.Do)
	}
	if s.Share < 0 || s.Share == 0 && !only {
		c.wrong(path, "share is required and must be more than 0: how often this is chosen, relative to the others")
	}
	return sharePlan{
		behaviour: b, share: max(s.Share, 1e-9),
		after: c.span(path+".after", s.After, span{}),
		talk:  c.span(path+".hang_up_after", s.HangUpAfter, span{}),
	}
}

func (c *compiler) errand(path string, e *Errand) *errandPlan {
	if e == nil {
		return nil
	}
	if e.Dial == "" {
		c.wrong(path, "dial is required: the number or feature code")
	}
	return &errandPlan{dial: e.Dial, steps: c.script(path+".script", e.Script)}
}

func (c *compiler) script(path string, steps []Step) []stepPlan {
	if len(steps) > maxSteps {
		c.wrong(path, "%d steps, at most %d", len(steps), maxSteps)
	}
	var out []stepPlan
	for i, s := range steps {
		at := fmt.Sprintf("%s[%d]", path, i)
		if (s.Wait == "") == (s.DTMF == "") {
			c.wrong(at, "want either wait (such as 2s) or dtmf (such as \"1\")")
			continue
		}
		if s.DTMF != "" {
			if err := phone.CheckDigits(s.DTMF); err != nil {
				c.wrong(at, "%v", err)
			}
		}
		out = append(out, stepPlan{wait: c.span(at+".wait", s.Wait, span{}), digits: s.DTMF})
	}
	return out
}

func (c *compiler) callers(path string, g *CallerGroup) {
	p := callerPlan{
		dial: g.Dial, rate: g.RatePerS, poisson: g.Arrivals != "even", concurrent: g.ConcurrentMax, limit: g.CallsMax,
		number: g.Number, name: g.Name, tones: g.TonesHz, registered: g.Users != "",
		steps:    c.script(path+".script", g.Script),
		patience: c.span(path+".patience", g.Patience, span{time.Minute, time.Minute}),
		talk:     c.span(path+".talk", g.Talk, span{10 * time.Second, 20 * time.Second}),
	}
	c.callerNumbers(path, g, &p)
	if len(p.tones) == 0 {
		p.tones = []int{defaultCallerHz}
	}
	if !p.registered {
		cfg := c.phone(path, "phonebank", "", g.Listen)
		cfg.CallWaiting = true
		p.phones = []phone.Config{cfg}
	}
	for _, user := range c.users(path+".users", g.Users, false) {
		p.phones = append(p.phones, c.phone(path, user, g.Password, g.Listen))
	}
	if p.registered && g.Password == "" {
		c.wrong(path, "users need a password; {user} in it stands for the user")
	}
	if p.registered {
		p.concurrent = min(p.concurrent, len(p.phones))
	}
	c.plan.callers = append(c.plan.callers, p)
}

func (c *compiler) callerNumbers(path string, g *CallerGroup, p *callerPlan) {
	if g.Dial == "" {
		c.wrong(path, "dial is required: the number to call")
	}
	if g.RatePerS <= 0 || g.RatePerS > maxRatePerS {
		c.wrong(path, "rate_per_s %g: want more than 0 and at most %d calls per second", g.RatePerS, maxRatePerS)
	}
	if g.Arrivals != "" && g.Arrivals != "even" && g.Arrivals != "poisson" {
		c.wrong(path+".arrivals", "%q: want even or poisson", g.Arrivals)
	}
	if p.concurrent == 0 {
		p.concurrent = defaultConcurrentMax
	}
	if p.concurrent < 0 || p.concurrent > maxConcurrent {
		c.wrong(path+".concurrent_max", "%d: want 1 to %d", p.concurrent, maxConcurrent)
	}
	if g.CallsMax < 0 {
		c.wrong(path+".calls_max", "%d: want 0 (no limit) or more", g.CallsMax)
	}
}

// phone is the part of a phone's configuration that all phones of a scenario share.
func (c *compiler) phone(path, user, password, listen string) phone.Config {
	if listen != "" && net.ParseIP(listen) == nil {
		c.wrong(path+".listen", "%q: want an IP address of this machine", listen)
	}
	if listen == "" {
		listen = c.s.Listen
	}
	return phone.Config{
		User: user, Password: strings.ReplaceAll(password, "{user}", user), Registrar: c.s.PBX,
		ListenHost: listen, RTPPortMin: c.rtp[0], RTPPortMax: c.rtp[1], RecordDir: c.s.Record,
		Tones: slices.Concat(c.plan.agentHz, c.plan.callerHz),
	}
}

// users expands "1001-1005,1010".
func (c *compiler) users(path, text string, required bool) []string {
	if text == "" {
		if required {
			c.wrong(strings.TrimSuffix(path, ".users"), "users is required, such as 1001-1005 or 1001,alice")
		}
		return nil
	}
	var out []string
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		low, high, isRange := strings.Cut(part, "-")
		from, err1 := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		switch {
		case !isRange:
			out = append(out, part)
		case err1 != nil || err2 != nil || to < from || to-from >= maxPhones:
			c.wrong(path, "%q: want a rising range of at most %d numbers, such as 1001-1005", part, maxPhones)
		default:
			for n := from; n <= to; n++ {
				out = append(out, fmt.Sprintf("%0*d", len(low), n))
			}
		}
	}
	return out
}

// span reads "2s" or "1s..3s".
func (c *compiler) span(path, text string, byDefault span) span {
	if text == "" {
		return byDefault
	}
	low, high, isRange := strings.Cut(text, "..")
	if !isRange {
		high = low
	}
	a, err1 := time.ParseDuration(low)
	b, err2 := time.ParseDuration(high)
	if err1 != nil || err2 != nil || a < 0 || b < a || b > maxSpan {
		c.wrong(path, "%q: want a time such as 2s, 500ms or 1m30s, or a range such as 1s..3s, up to 24h", text)
		return byDefault
	}
	return span{a, b}
}

// totals checks what only the whole shows.
func (c *compiler) totals() {
	seen := make(map[string]bool)
	n := 0
	count := func(cfgs []phone.Config, path string) {
		for _, cfg := range cfgs {
			n++
			if cfg.Password != "" && seen[cfg.User] {
				c.wrong(path, "user %s is in more than one group", cfg.User)
			}
			seen[cfg.User] = true
		}
	}
	for i, a := range c.plan.agents {
		count(a.phones, fmt.Sprintf("$.agents[%d].users", i))
	}
	for i, g := range c.plan.callers {
		count(g.phones, fmt.Sprintf("$.callers[%d].users", i))
	}
	if n > maxPhones {
		c.wrong("$", "%d phones, at most %d", n, maxPhones)
	}
}
