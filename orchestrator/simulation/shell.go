package simulation

import (
	"time"

	"ringmaster/orchestrator"
)

// pinRead is the shell collecting the digits of one leg.
type pinRead struct {
	ask    orchestrator.Ask
	what   orchestrator.ReadPIN
	digits string
	timer  *Timer
}

// asked does what a shell does with the floor's asks.
func (w *World) asked(a orchestrator.Ask) {
	switch what := a.What.(type) {
	case orchestrator.Resync:
		w.wireOf(what.Switch).resync()
	case orchestrator.ReadPIN:
		p := &pinRead{ask: a, what: what}
		if before := w.pins[what.Leg]; before != nil {
			before.timer.Stop()
		}
		w.pins[what.Leg] = p
		w.wait(p, what.Timeout)
	default:
		w.fail("asks: nobody can answer %T", what)
	}
}

func (w *World) wait(p *pinRead, patience orchestrator.Millis) {
	p.timer.Stop()
	p.timer = w.clock.After(patience.Duration(), func() { w.verdict(p, orchestrator.PINTimeout) })
}

// pinDigit keeps a digit from the floor while a PIN is read on its leg.
func (w *World) pinDigit(e orchestrator.Digit) (kept bool) {
	p := w.pins[e.Leg]
	if p == nil {
		return false
	}
	if e.Digit != "#" {
		p.digits += e.Digit
		w.wait(p, p.what.InterDigit)
		return true
	}
	p.timer.Stop()
	verdict := orchestrator.PINWrong
	if pin := w.plan.PINs[p.what.Agent]; pin != "" && pin == p.digits {
		verdict = orchestrator.PINCorrect
	}
	w.clock.After(w.dice.between(time.Millisecond, 80*time.Millisecond), func() { w.verdict(p, verdict) })
	return true
}

func (w *World) verdict(p *pinRead, v orchestrator.PINVerdict) {
	if w.pins[p.what.Leg] != p {
		return
	}
	delete(w.pins, p.what.Leg)
	if !w.dead {
		w.step(orchestrator.PINRead{Ask: p.ask.ID, Leg: p.what.Leg, Verdict: v})
	}
}
