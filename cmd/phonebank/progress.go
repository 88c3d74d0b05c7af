package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// lineEvery is the pace of progress where there is no terminal to redraw.
const lineEvery = 10 * time.Second

// progress says on a terminal, or in lines, how a run is getting on. A nil writer says nothing.
type progress struct {
	out      io.Writer
	terminal bool
	bank     *bank

	mu    sync.Mutex
	bar   *progressbar.ProgressBar
	quit  chan struct{}
	ended chan struct{}
}

func newProgress(w io.Writer, b *bank) *progress {
	p := &progress{out: w, bank: b}
	if f, ok := w.(*os.File); ok {
		p.terminal = term.IsTerminal(int(f.Fd()))
	}
	return p
}

func (p *progress) registering() {
	p.open(len(p.bank.all), "registering")
}

// step says how many phones are registered.
func (p *progress) step(done int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Set(done)
	}
}

// running follows the run once a second.
func (p *progress) running(duration time.Duration) {
	total := -1
	if duration > 0 {
		total = int(duration.Seconds())
	}
	p.open(total, "calling")
	if p.out == nil {
		return
	}
	p.quit, p.ended = make(chan struct{}), make(chan struct{})
	go p.follow(time.Now())
}

func (p *progress) follow(start time.Time) {
	defer close(p.ended)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	said := start
	for {
		select {
		case <-p.quit:
			return
		case now := <-tick.C:
			placed, up, talking := p.bank.tally.now()
			text := fmt.Sprintf("placed %d, up %d, with an agent %d", placed, up, talking)
			if p.terminal {
				p.mu.Lock()
				p.bar.Describe(text)
				_ = p.bar.Set(int(now.Sub(start).Seconds()))
				p.mu.Unlock()
			} else if now.Sub(said) >= lineEvery {
				said = now
				fmt.Fprintf(p.out, "%s %s\n", now.Format(time.TimeOnly), text)
			}
		}
	}
}

func (p *progress) leaving() {
	p.stop()
	p.open(-1, "hanging up and unregistering")
}

// open begins a new part of the run.
func (p *progress) open(total int, what string) {
	if p.out == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	if !p.terminal {
		fmt.Fprintf(p.out, "%s %s\n", time.Now().Format(time.TimeOnly), what)
		return
	}
	p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(p.out), progressbar.OptionSetDescription(what),
		progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(false), progressbar.OptionSetWidth(30))
}

func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Finish()
		_ = p.bar.Clear()
		p.bar = nil
	}
}

func (p *progress) stop() {
	if p.quit != nil {
		close(p.quit)
		<-p.ended
		p.quit = nil
	}
}

func (p *progress) close() {
	p.stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}
