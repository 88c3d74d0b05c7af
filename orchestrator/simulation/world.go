package simulation

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"runtime/debug"
	"strings"
	"time"

	"ringmaster/orchestrator"
	"ringmaster/orchestrator/floor"
)

// World is one run: a floor, the switch it orders about, the people at both
// ends, everything that goes wrong between them, and the checkers.
type World struct {
	plan   Plan
	dice   dice
	clock  *Clock
	phones []*Phone
	wires  []*wire
	trunks []*Trunk
	pins   map[orchestrator.LegID]*pinRead
	calm   bool // faults are over

	floor  *floor.Floor
	floors uint64 // lease epoch: grows when the floor is restored
	dead   bool   // between a crash and its restore
	dying  bool   // the next step's commands are lost
	seq    uint64
	wakes  int // in a row, without time passing

	tape     Tape
	image    floor.Image // of a moment before
	since    int         // facts the image holds
	hash     hash.Hash
	recent   []line // the last steps
	book     *book
	checkers []checker
	failure  *Failure
}

// Tape is what the floor was told and what it decided, enough to do it again.
type Tape struct {
	Inputs []orchestrator.Input
	Facts  []orchestrator.Fact
	// Restores are the numbers of inputs before which the floor died, in order.
	Restores []int
	Effects  []orchestrator.Effects // of each input
}

// Failure is a checker's verdict with what is needed to see it again.
type Failure struct {
	Seed  uint64
	Calls int
	Step  int
	At    time.Time
	Text  string
	Log   []string
}

func (f *Failure) Error() string {
	var out strings.Builder
	fmt.Fprintf(&out, "seed %d, step %d, %s: %s\n", f.Seed, f.Step, f.At.Format("15:04:05.000"), f.Text)
	for _, l := range f.Log {
		out.WriteString("  " + l + "\n")
	}
	return out.String() + Again(f.Seed, f.Calls)
}

// Again is the line that plays a seed once more.
func Again(seed uint64, calls int) string {
	return fmt.Sprintf("again: go test ./orchestrator/simulation -run TestSeeds -sim.seed=%d -sim.seeds=1 -sim.calls=%d", seed, calls)
}

// Report is how a run went.
type Report struct {
	Hash  string // of every effect of every step
	Steps int
	Span  time.Duration // of virtual time
	Tape  Tape
	Told  map[string]int // facts by name
	// Failure is nil after a good run.
	Failure *Failure
}

// Bounds of a run; one that reaches them is a failure.
const (
	maxSteps = 2_000_000
	maxSpan  = 30 * 24 * time.Hour
	maxWakes = 50
	shown    = 50 // steps a failure shows
)

var begin = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// Run plays a plan to its end, or to the first failure.
func Run(p Plan) Report {
	w := newWorld(p)
	w.play()
	return w.report()
}

func newWorld(p Plan) *World {
	w := &World{
		plan: p, dice: newDice(p.Seed, 2), clock: NewClock(begin), pins: map[orchestrator.LegID]*pinRead{},
		hash: sha256.New(), floors: 1,
	}
	if p.Coarse > 0 {
		w.dice.grain = p.Coarse
	}
	for i, pbx := range p.Config.Switches {
		w.addSwitch(pbx.ID, i)
	}
	w.layTrunks()
	w.book = newBook()
	w.checkers = checkers(w)
	for _, ph := range p.Config.Phones {
		w.phones = append(w.phones, w.wireOf(ph.Switch).sw.AddPhone(ph.Endpoint, &desk{w: w}))
	}
	w.floor = floor.New(w.floorConfig())
	return w
}

func (w *World) floorConfig() floor.Config { return floor.Config{Tenant: "acme", Epoch: w.floors} }

func (w *World) faults() Faults {
	if w.calm {
		return Faults{}
	}
	return w.plan.Faults
}

// play runs until nothing is left to happen. A floor that panics fails.
func (w *World) play() {
	defer func() {
		if r := recover(); r != nil {
			w.fail("panic: %v\n%s", r, debug.Stack())
		}
	}()
	w.step(orchestrator.ConfigChanged{Change: w.plan.Config})
	w.connect()
	w.schedule()
	for w.failure == nil && w.next() {
		if len(w.tape.Inputs) > maxSteps || w.clock.Now().Sub(begin) > maxSpan {
			w.fail("the run does not end")
		}
	}
	if w.failure == nil {
		if w.plan.Faults != (Faults{}) {
			w.resync() // whatever a lost command left behind shows in a snapshot
		}
		for w.failure == nil && w.next() {
		}
		w.atEnd()
	}
}

// next lets whatever is due next happen: something in the world, or the
// floor's own deadline.
func (w *World) next() bool {
	at, due := w.clock.Next()
	wake, wants := w.floor.NextWake()
	if w.dead {
		wants = false
	}
	switch {
	case wants && (!due || !wake.After(at)):
		w.clock.Advance(wake)
		if w.wakes++; w.wakes > maxWakes {
			w.fail("deadlines: the floor wants to be woken again and again at %s", wake.Format("15:04:05.000"))
			return false
		}
		w.step(orchestrator.Wake{})
		return true
	case due:
		w.wakes = 0
		return w.clock.Tick()
	}
	return false
}

// deliver is an event arriving at the floor's process.
func (w *World) deliver(e orchestrator.Event) {
	if w.dead {
		return
	}
	if d, ok := e.(orchestrator.Digit); ok && w.pinDigit(d) {
		return
	}
	w.step(e)
}

// step lets one event happen to the floor and does what it says.
func (w *World) step(e orchestrator.Event) {
	if w.failure != nil {
		return
	}
	if w.faults().Panics && w.dice.IntN(400) == 0 {
		// The step panicked: the runner sets the input aside, makes the floor
		// anew and has it look at its switches.
		w.rebuild()
		e = orchestrator.InputFailed{Event: fmt.Sprintf("%T", e), Panic: "simulated"}
		w.resync()
	}
	w.seq++
	in := orchestrator.Input{Seq: w.seq, At: w.clock.Now(), Event: e}
	w.tape.Inputs = append(w.tape.Inputs, in)
	out := w.floor.Step(in)
	w.record(in, out)
	w.check(in, out)
	if w.dying {
		w.crash()
		return
	}
	for _, c := range out.Commands {
		w.wireOf(c.Switch).send(c)
	}
	for _, a := range out.Asks {
		w.asked(a)
	}
	if w.dice.chance(1) {
		w.image, w.since = w.floor.Image(), len(w.tape.Facts)
	}
}

// record keeps what a step did.
func (w *World) record(in orchestrator.Input, out orchestrator.Effects) {
	w.tape.Facts = append(w.tape.Facts, out.Facts...)
	w.tape.Effects = append(w.tape.Effects, out)
	_, _ = w.hash.Write([]byte(Digest(out))) // never fails
	w.recent = append(w.recent, line{len(w.tape.Inputs), in, out})
	if len(w.recent) > 2*shown {
		w.recent = append(w.recent[:0:0], w.recent[shown:]...)
	}
}

// Digest is a hash of effects: facts as the journal holds them, commands and
// asks with all their fields.
func Digest(out orchestrator.Effects) string {
	h := sha256.New()
	for _, f := range out.Facts {
		text, err := orchestrator.MarshalFact(f)
		if err != nil {
			text = []byte(err.Error())
		}
		_, _ = h.Write(text)
	}
	for _, c := range out.Commands {
		fmt.Fprintf(h, "%+v %T\n", c, c.Do)
	}
	for _, a := range out.Asks {
		fmt.Fprintf(h, "%+v %T\n", a, a.What)
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// crash ends the floor's process and begins it again a while later: from an
// image of before and the facts since, as a journal gives them.
func (w *World) crash() {
	w.dying, w.dead = false, true
	for _, x := range w.wires {
		x.die()
	}
	clear(w.pins)
	down := w.dice.between(500*time.Millisecond, 20*time.Second)
	if w.plan.Exact {
		down = 5 * time.Second
	}
	w.clock.After(down, func() {
		w.floors++
		w.tape.Restores = append(w.tape.Restores, len(w.tape.Inputs))
		w.dead = false
		w.rebuild()
		w.step(orchestrator.Restarted{})
		w.connect()
	})
}

// rebuild makes the floor anew, as a journal would.
func (w *World) rebuild() {
	f, err := floor.Restore(w.floorConfig(), w.image)
	if err != nil {
		w.fail("restore: %v", err)
		return
	}
	for _, fact := range w.tape.Facts[w.since:] {
		f.Apply(fact)
	}
	w.floor = f
}

func (w *World) fail(format string, args ...any) {
	if w.failure != nil {
		return
	}
	w.failure = &Failure{
		Seed: w.plan.Seed, Calls: w.plan.Calls, Step: len(w.tape.Inputs), At: w.clock.Now(),
		Text: fmt.Sprintf(format, args...) + " (faults: " + w.plan.Faults.String() + ")",
	}
	for _, l := range w.recent[max(0, len(w.recent)-shown):] {
		w.failure.Log = append(w.failure.Log, l.lines()...)
	}
}

func (w *World) report() Report {
	return Report{
		Hash: hex.EncodeToString(w.hash.Sum(nil)), Steps: len(w.tape.Inputs), Span: w.clock.Now().Sub(begin),
		Tape: w.tape, Told: w.book.told, Failure: w.failure,
	}
}

// line is one step as a failure shows it.
type line struct {
	n   int
	in  orchestrator.Input
	out orchestrator.Effects
}

func (l line) lines() []string {
	text := []string{fmt.Sprintf("%s step %d: %T %+v", l.in.At.Format("15:04:05.000"), l.n, l.in.Event, l.in.Event)}
	if len(text[0]) > 400 {
		text[0] = text[0][:400] + "…"
	}
	for _, f := range l.out.Facts {
		text = append(text, fmt.Sprintf("    %s %+v", orchestrator.FactName(f.What), f.What))
	}
	for _, c := range l.out.Commands {
		text = append(text, fmt.Sprintf("    > %T %+v", c.Do, c.Do))
	}
	for _, a := range l.out.Asks {
		text = append(text, fmt.Sprintf("    ? %T %+v", a.What, a.What))
	}
	return text
}
