package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

const (
	steps      = 7
	loginTries = 3
	settleMax  = 20 * time.Second // for the floor to know the phones
	firstMax   = 60 * time.Second // for the first conversation
	drawEvery  = 500 * time.Millisecond
	plainEvery = 5 * time.Second
)

// demo is everything that runs, to be closed again.
type demo struct {
	opts   options
	term   *terminal
	roster roster
	dir    string // of this run, removed at the end

	server *server
	pbx    *lab.Asterisk
	feed   *feed
	desks  []*desk
	trunk  *trunk
	book   *book

	crashed context.CancelCauseFunc // ends the demo when a child ends by itself
	people  *crew                   // callers and agents
	eyes    *crew                   // feed and guard: they see the end, too
	opened  time.Time
}

// crew is goroutines that end together.
type crew struct {
	start func(work func(context.Context))
	end   func() // and wait
}

func newCrew(ctx context.Context) *crew {
	ctx, rest := context.WithCancel(ctx)
	var wg sync.WaitGroup
	return &crew{
		start: func(work func(context.Context)) { wg.Go(func() { work(ctx) }) },
		end:   func() { rest(); wg.Wait() },
	}
}

// run is the demo from the first step to the last goodbye.
func run(ctx context.Context, o options, t *terminal) error {
	r, err := readRoster()
	if err != nil {
		return err
	}
	d := &demo{opts: o, term: t, roster: r, book: newBook()}
	if d.dir, err = os.MkdirTemp("", "rmdemo"); err != nil {
		return err
	}
	alive, crashed := context.WithCancelCause(ctx)
	d.crashed = crashed
	d.people, d.eyes = newCrew(alive), newCrew(context.WithoutCancel(ctx))
	if err = d.open(alive); err == nil {
		d.watch(alive)
	}
	switch {
	case ctx.Err() != nil:
		err = nil // it was asked to end
	case alive.Err() != nil:
		err = context.Cause(alive) // the rest is but a consequence
	}
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		d.term.say("", "This went wrong: "+first)
	}
	if err = errors.Join(err, d.close(context.WithoutCancel(ctx), err != nil)); err != nil {
		return err
	}
	return d.verdict()
}

// open builds the centre, step by step.
func (d *demo) open(ctx context.Context) error {
	for _, step := range []struct {
		what string
		do   func(context.Context) (string, error)
	}{
		{"looking at this machine", d.look},
		{"starting Asterisk", d.startAsterisk},
		{"starting Ringmaster and its database", d.startRingmaster},
		{"configuring it: ringmaster apply -f docker/demo/center.yaml", d.configure},
		{"plugging in desk phones", d.plugIn},
		{"agents dial *11, their number and PIN to log in", d.logIn},
		{"the first caller", d.letCallersIn},
	} {
		if err := d.term.step(steps, step.what, func() (string, error) { return step.do(ctx) }); err != nil {
			return err
		}
	}
	d.term.say(d.welcome()...)
	return nil
}

// look finds what has to be there, and starts Ringmaster, which makes its
// database while Asterisk starts.
func (d *demo) look(ctx context.Context) (string, error) {
	if err := lab.Available(); err != nil {
		return "", err
	}
	path, err := program()
	if err != nil {
		return "", err
	}
	address, taken, err := freeAddress(ctx, d.opts.listen)
	if err != nil {
		return "", err
	}
	// The switch and the database run as other users and must get through.
	if err := os.Chmod(d.dir, 0o755); err != nil { //nolint:gosec // what is secret in it has modes of its own
		return "", err
	}
	d.server, err = launch(path, d.dir, filepath.Join(d.dir, "asterisk", "prompts"), address)
	if err != nil {
		return "", err
	}
	if taken {
		return fmt.Sprintf("%s is taken by another program, the console goes to %s", d.opts.listen, address), nil
	}
	return "all there", nil
}

func (d *demo) startAsterisk(ctx context.Context) (_ string, err error) {
	d.pbx, err = lab.Start(ctx, lab.Config{Agents: len(d.roster.agents), Dir: filepath.Join(d.dir, "asterisk")})
	if err != nil {
		return "", err
	}
	d.eyes.start(d.guard)
	version, _, _ := strings.Cut(strings.TrimPrefix(d.pbx.Version, "Asterisk "), "+") // without Debian's part
	return version + ", SIP on " + d.pbx.SIPAddr, nil
}

// guard ends everything when a child ends by itself.
func (d *demo) guard(ctx context.Context) {
	for sleep(ctx, drawEvery) {
		select {
		case <-d.server.done:
			d.crashed(d.server.crash())
		default:
		}
		if d.pbx.PID() == 0 {
			d.crashed(fmt.Errorf("asterisk ended by itself. The end of its log:\n%s", tail(d.pbx.Logs())))
		}
	}
}

func (d *demo) startRingmaster(ctx context.Context) (string, error) {
	if err := d.server.ready(ctx); err != nil {
		return "", err
	}
	d.feed = newFeed(d.server)
	return "up at " + d.server.url, nil
}

func (d *demo) configure(ctx context.Context) (string, error) {
	if _, err := d.server.apply(ctx, withSwitch(d.pbx)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d queues, %d agents, opening hours, greeting and menu", d.roster.queues, len(d.roster.agents)), nil
}

func (d *demo) plugIn(ctx context.Context) (string, error) {
	for i := range d.roster.agents {
		k, err := newDesk(ctx, d.pbx, d.roster, i, d.book)
		if err != nil {
			return "", err
		}
		d.desks = append(d.desks, k)
	}
	err := d.feed.until(ctx, settleMax, func(l orchestrator.Live) bool {
		return len(l.Switches) == 1 && l.Switches[0].Attached
	})
	return fmt.Sprintf("%d registered", len(d.desks)), err
}

// logIn has every agent log in over the phone. A key that got lost is typed again.
func (d *demo) logIn(ctx context.Context) (string, error) {
	err := each(d.desks, func(k *desk) (err error) {
		for range loginTries {
			if err = k.login(ctx); err != nil {
				continue
			}
			if err = d.feed.until(ctx, settleMax/4, isIn(k)); err == nil {
				return nil
			}
		}
		return fmt.Errorf("log in: %w", err)
	})
	return fmt.Sprintf("%d ready", len(d.desks)), err
}

// isIn says whether the agent of a desk may be offered calls.
func isIn(k *desk) func(orchestrator.Live) bool {
	return func(l orchestrator.Live) bool {
		for _, a := range l.Agents {
			if string(a.Agent) == k.agent.ID {
				return a.State == orchestrator.AgentReady
			}
		}
		return false
	}
}

// letCallersIn opens the lines and waits until two people have heard each other.
func (d *demo) letCallersIn(ctx context.Context) (_ string, err error) {
	if d.trunk, err = newTrunk(d.pbx, d.roster, d.book); err != nil {
		return "", err
	}
	d.opened = time.Now()
	d.eyes.start(d.feed.run)
	for _, k := range d.desks {
		d.people.start(k.work)
	}
	d.people.start(func(ctx context.Context) { d.trunk.run(ctx, d.opts.every) })
	select {
	case v := <-d.book.first:
		return fmt.Sprintf("%s and %s hear each other", v.name, v.agent), nil
	case <-time.After(firstMax):
		return "nobody has heard anybody yet, going on all the same", nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// welcome is what a person may do now.
func (d *demo) welcome() []string {
	url, call := browserURL(d.server.url), d.feed.now().calls.Last
	return []string{
		"",
		"The call centre is open. Look at it in a browser:",
		"",
		"    " + d.link(),
		"    " + url + "/docs  (every request of the REST API, to try)",
		"",
		"Or from another terminal, in this folder:",
		"",
		"    export RINGMASTER_URL=" + url + " RINGMASTER_KEY=" + d.server.key,
		"    bin/ringmaster explain " + string(call) + "    # why that agent got the first call",
		"    bin/ringmaster apply -f docker/demo/center.yaml                # edit that file first: the change is live",
		`    curl -H "Authorization: Bearer $RINGMASTER_KEY" $RINGMASTER_URL/v1/live`,
		"",
	}
}

// link opens the console without asking for the key.
func (d *demo) link() string { return browserURL(d.server.url) + "/#key=" + d.server.key }

// browserURL names the loopback address as people do.
func browserURL(url string) string {
	for _, host := range []string{"//127.0.0.1:", "//0.0.0.0:", "//[::]:", "//[::1]:"} {
		url = strings.Replace(url, host, "//localhost:", 1)
	}
	return url
}

// watch shows the centre until ctx ends or time is up.
func (d *demo) watch(ctx context.Context) {
	pace, v := plainEvery, view{opened: d.opened, link: d.link()}
	if d.term.live() {
		pace = drawEvery
	}
	if d.opts.length > 0 {
		v.closes = d.opened.Add(d.opts.length)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, v.closes)
		defer cancel()
	}
	for ok := true; ok; ok = sleep(ctx, pace) {
		v.moment, v.sound, v.now = d.feed.now(), d.book.sounds(), time.Now()
		if !d.term.live() {
			d.term.say(v.plain())
			continue
		}
		d.term.draw(v.rows(d.term.size()))
	}
}

// close ends everything that was started, in the order in which it needs each
// other. After a failure the logs stay.
func (d *demo) close(ctx context.Context, failed bool) error {
	d.term.say("", "Closing: hanging up, then the phones, Ringmaster and Asterisk …")
	began := time.Now()
	d.people.end()
	if !failed && d.feed != nil {
		d.feed.settle()
	}
	d.eyes.end()
	errs := []error{d.unplug(ctx, failed), d.server.stop()}
	if d.pbx != nil {
		errs = append(errs, d.pbx.Stop())
	}
	d.crashed(nil)
	if failed {
		errs = nil // what follows from a failure is no news
	}
	errs = append(errs, d.clean(failed))
	d.term.say(fmt.Sprintf("Closed in %s.", seconds(time.Since(began))))
	return errors.Join(errs...)
}

// unplug closes every phone at the same time. After a failure they do not say
// goodbye: who should hear it may be gone.
func (d *demo) unplug(ctx context.Context, failed bool) error {
	var trunk sync.WaitGroup
	var err error
	if d.trunk != nil {
		trunk.Go(func() { err = d.trunk.phone.Close() })
	}
	desks := each(d.desks, func(k *desk) error {
		if failed {
			return k.phone.Close()
		}
		return k.leave(ctx)
	})
	trunk.Wait()
	return errors.Join(desks, err)
}

// clean removes the folder of this run, but for the logs when they are wanted.
func (d *demo) clean(failed bool) error {
	if !failed || d.server == nil {
		return os.RemoveAll(d.dir)
	}
	err := os.Rename(filepath.Join(d.dir, "asterisk", "log", "full"), filepath.Join(d.dir, "asterisk.log"))
	if errors.Is(err, os.ErrNotExist) {
		err = nil // it did not get that far
	}
	entries, readErr := os.ReadDir(d.dir)
	errs := []error{err, readErr}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".log" {
			errs = append(errs, os.RemoveAll(filepath.Join(d.dir, e.Name())))
		}
	}
	d.term.say("The logs are kept in " + d.dir)
	return errors.Join(errs...)
}

// verdict says how it was, and fails unless two parties heard each other.
func (d *demo) verdict() error {
	if d.opened.IsZero() {
		return errors.New("closed before the first call")
	}
	v := view{moment: d.feed.now(), sound: d.book.sounds()}
	d.term.say("", fmt.Sprintf("In %s  %s.", span(time.Since(d.opened)), v.past()), "Sound    "+v.heard()+".")
	if v.sound.Both == 0 {
		return errors.New("no two parties heard each other")
	}
	return nil
}
