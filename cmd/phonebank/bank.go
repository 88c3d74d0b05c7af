package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"ringmaster/cmd/phonebank/phone"
)

const (
	// registering bounds the phones that register at the same time: a PBX that checks a thousand passwords at
	// once is not what is to be measured.
	registering = 20
	// hangUpTime bounds the goodbye of one call.
	hangUpTime = 5 * time.Second
	// errandTime bounds a log-in or log-out call.
	errandTime = 30 * time.Second
	// maxFaults bounds the failures shown of one step; the rest are counted.
	maxFaults = 5
)

// bank is all phones of one run.
type bank struct {
	plan   *plan
	tell   teller // nil when nobody listens
	tally  *tally
	agents []*desk
	groups []*crowd
	all    []*phone.Phone
}

// desk is one agent's phone.
type desk struct {
	*phone.Phone
	plan *agentPlan
	dice *dice
}

// open makes all phones without registering them.
func open(p *plan, tell teller) (*bank, error) {
	b := &bank{plan: p, tell: tell, tally: newTally(p)}
	for i := range p.agents {
		for _, cfg := range p.agents[i].phones {
			ph, err := b.phone(cfg, "agent")
			if err != nil {
				b.close()
				return nil, err
			}
			d := &desk{ph, &p.agents[i], newDice(p.seed, uint64(len(b.all)))}
			if err := d.chooseNext(); err != nil {
				b.close()
				return nil, err
			}
			b.agents = append(b.agents, d)
		}
	}
	for i := range p.callers {
		g := &crowd{
			plan: &p.callers[i], dice: newDice(p.seed, 1<<32+uint64(i)),
			idle: make(chan *phone.Phone, max(p.callers[i].concurrent, len(p.callers[i].phones))),
		}
		for _, cfg := range g.plan.phones {
			ph, err := b.phone(cfg, "caller")
			if err != nil {
				b.close()
				return nil, err
			}
			g.idle <- ph
		}
		for !g.plan.registered && len(g.idle) < cap(g.idle) {
			g.idle <- b.all[len(b.all)-1]
		}
		b.groups = append(b.groups, g)
	}
	return b, nil
}

func (b *bank) phone(cfg phone.Config, role string) (*phone.Phone, error) {
	if b.tell != nil {
		cfg.OnEvent = func(e phone.Event) { b.tell(role, e) }
	}
	p, err := phone.New(cfg)
	if err == nil {
		b.all = append(b.all, p)
	}
	return p, err
}

// start registers the phones that have accounts and logs the agents in.
func (b *bank) start(ctx context.Context, step func(done int)) error {
	var accounts []*phone.Phone
	for _, d := range b.agents {
		accounts = append(accounts, d.Phone)
	}
	for _, g := range b.groups {
		if g.plan.registered {
			accounts = append(accounts, drain(g.idle)...)
		}
	}
	if err := forEach(ctx, accounts, step, (*phone.Phone).Register); err != nil {
		return fmt.Errorf("%w\n(phonebank register-check shows each phone)", err)
	}
	b.tally.registered = len(accounts)
	return forEach(ctx, b.agents, nil, func(d *desk, ctx context.Context) error { return d.run(ctx, d.plan.login) })
}

// drain looks at what a channel holds and leaves it there.
func drain(c chan *phone.Phone) []*phone.Phone {
	var out []*phone.Phone
	for range len(c) {
		p := <-c
		c <- p
		out = append(out, p)
	}
	return out
}

// forEach does something to all items, some at a time, and joins the first few failures.
func forEach[T any](ctx context.Context, items []T, step func(int), do func(T, context.Context) error) error {
	var mu sync.Mutex
	var errs []error
	done, failed := 0, 0
	g := errgroup.Group{}
	g.SetLimit(registering)
	for _, item := range items {
		g.Go(func() error {
			err := do(item, ctx)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				if failed++; failed <= maxFaults {
					errs = append(errs, err)
				}
			}
			if done++; step != nil {
				step(done)
			}
			return nil
		})
	}
	_ = g.Wait()
	if failed > maxFaults {
		errs = append(errs, fmt.Errorf("and %d more", failed-maxFaults))
	}
	return errors.Join(errs...)
}

// run makes the calls of the scenario until its time is over, its callers have made all their calls, or the context
// ends. Then the callers hang up, as at the end of a day, and after them whoever is left.
func (b *bank) run(ctx context.Context) {
	if b.plan.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.plan.duration)
		defer cancel()
	}
	b.tally.begin()
	duty, dismiss := context.WithCancel(context.Background())
	var desks sync.WaitGroup
	for _, d := range b.agents {
		desks.Go(func() { b.attend(duty, d, &desks) })
	}
	b.callers(ctx)
	b.tally.stop()
	dismiss()
	b.hangUp()
	desks.Wait()
	b.tally.finish()
}

// callers runs all groups and returns when none of their calls is left.
func (b *bank) callers(ctx context.Context) {
	life, stop := context.WithCancel(context.Background())
	defer stop()
	var arriving, calls sync.WaitGroup
	for _, g := range b.groups {
		arriving.Go(func() {
			b.arrive(ctx, g, func(p *phone.Phone, j job) {
				calls.Go(func() {
					b.call(life, p, g.plan, j)
					g.idle <- p
				})
			})
		})
	}
	arriving.Wait()
	done := make(chan struct{})
	go func() {
		calls.Wait()
		close(done)
	}()
	if len(b.groups) == 0 || b.plan.stay {
		<-ctx.Done()
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
	b.tally.stop()
	stop()
	<-done
}

// hangUp ends what calls the desk phones still have.
func (b *bank) hangUp() {
	ctx, cancel := context.WithTimeout(context.Background(), hangUpTime)
	defer cancel()
	var wg sync.WaitGroup
	for _, d := range b.agents {
		for _, c := range d.Calls() {
			wg.Go(func() { _ = c.Hangup(ctx) })
		}
	}
	wg.Wait()
}

// leave logs the agents out and takes the phones off the PBX. It goes on after failures.
func (b *bank) leave(ctx context.Context) error {
	errOut := forEach(ctx, b.agents, nil, func(d *desk, ctx context.Context) error { return d.run(ctx, d.plan.logout) })
	errReg := forEach(ctx, b.all, nil, (*phone.Phone).Unregister)
	return errors.Join(errOut, errReg)
}

func (b *bank) close() {
	var wg sync.WaitGroup
	for _, p := range b.all {
		wg.Go(func() { _ = p.Close() })
	}
	wg.Wait()
}

// run makes an errand: dial, follow the script, wait for the PBX to end it or hang up.
func (d *desk) run(ctx context.Context, e *errandPlan) error {
	if e == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, errandTime)
	defer cancel()
	c, err := d.Dial(ctx, e.dial, phone.DialOptions{})
	if err != nil {
		return err
	}
	if err := c.WaitAnswer(ctx); err != nil {
		return fmt.Errorf("phone %s: dial %s: %w", d.User(), e.dial, err)
	}
	if err := follow(ctx, c, e.steps, d.dice); err != nil {
		return fmt.Errorf("phone %s: dial %s: %w", d.User(), e.dial, err)
	}
	if len(e.steps) == 0 {
		// A feature code without a script says something and hangs up by itself.
		_, _ = c.WaitEnd(ctx)
	}
	return c.Hangup(context.WithoutCancel(ctx))
}

// follow does the steps of a script while the call is up. A call that ends meanwhile ends the script, and is no fault
// of it: a PBX hangs up when it has heard enough.
func follow(ctx context.Context, c *phone.Call, steps []stepPlan, r *dice) error {
	for _, s := range steps {
		if s.digits != "" {
			err := c.SendDTMF(ctx, s.digits)
			if errors.Is(err, net.ErrClosed) || !c.Up() {
				return nil
			}
			if err != nil {
				return err
			}
			continue
		}
		select {
		case <-time.After(s.wait.draw(r)):
		case <-c.Done():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// chooseNext decides what happens to the next call of a desk phone.
func (d *desk) chooseNext() error { return d.SetBehaviour(d.draw()) }

// draw is one behaviour, as likely as its share.
func (d *desk) draw() phone.Behaviour {
	total := 0.0
	for _, s := range d.plan.shares {
		total += s.share
	}
	at := d.dice.Float64() * total
	chosen := d.plan.shares[len(d.plan.shares)-1]
	for _, s := range d.plan.shares {
		if at < s.share {
			chosen = s
			break
		}
		at -= s.share
	}
	b := chosen.behaviour
	b.After, b.HangUpAfter = chosen.after.draw(d.dice), chosen.talk.draw(d.dice)
	return b
}

// attend follows the calls of a desk phone. A silent phone never sees one, so it is woken now and then to draw
// again, or one draw of silence would last for ever.
func (b *bank) attend(ctx context.Context, d *desk, wg *sync.WaitGroup) {
	for ctx.Err() == nil {
		dropped := d.Dropped()
		wait, cancel := context.WithTimeout(ctx, silentFor)
		c, err := d.WaitCall(wait)
		cancel()
		if err == nil {
			wg.Go(func() {
				<-c.Done()
				b.tally.agentCall(c)
			})
		}
		if err == nil || d.Dropped() > dropped {
			// The behaviours of a plan were checked when it was made.
			_ = d.chooseNext()
		}
	}
}

// silentFor is how long a phone stays silent after it began to drop a call.
const silentFor = 10 * time.Second

// summary is the result so far.
func (b *bank) summary() Summary {
	var ignored uint64
	for _, d := range b.agents {
		ignored += d.Dropped()
	}
	return b.tally.summary(ignored)
}
