package phone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo/sip"
)

const (
	// renewRetry is the pause between attempts while the PBX does not accept a renewal.
	renewRetry = 2 * time.Second
	// registerPatience bounds one REGISTER with its challenge.
	registerPatience = 10 * time.Second
)

// registration keeps a contact alive at the registrar.
type registration struct {
	tx     *diago.RegisterTransaction
	cancel context.CancelFunc
	done   chan struct{}
	lost   bool // guarded by Phone.mu
}

// Register announces the phone to the PBX, answering a digest challenge, and goes on renewing at three quarters of
// the time granted until Unregister or Close. A refusal is a *StatusError; without an answer it gives up after 10 s.
// It is an error to register twice.
func (p *Phone) Register(ctx context.Context) error {
	p.mu.Lock()
	if p.reg != nil || p.closed {
		p.mu.Unlock()
		return fmt.Errorf("phone %s: register: already registered or closed", p.cfg.User)
	}
	loop, cancel := context.WithCancel(p.ctx)
	reg := &registration{cancel: cancel, done: make(chan struct{})}
	p.reg = reg
	p.mu.Unlock()

	err := p.register(ctx, loop, reg)
	if err != nil {
		cancel()
		p.mu.Lock()
		p.reg = nil
		p.mu.Unlock()
		reg.tx = nil
		close(reg.done)
		return fmt.Errorf("phone %s: %w", p.cfg.User, err)
	}
	p.emit(Event{Kind: Registered})
	go p.renew(loop, reg)
	return nil
}

func (p *Phone) register(ctx, loop context.Context, reg *registration) error {
	ctx, cancel := context.WithTimeout(ctx, registerPatience)
	defer cancel()
	defer context.AfterFunc(loop, cancel)()
	uri, err := p.uri(p.cfg.User)
	if err != nil {
		return err
	}
	reg.tx, err = p.diago.RegisterTransaction(ctx, uri, diago.RegisterOptions{
		Username: p.cfg.User, Password: p.cfg.Password, Expiry: p.cfg.Expiry,
	})
	if err != nil {
		return err
	}
	return statusOf("REGISTER", reg.tx.Register(ctx))
}

// renew runs until its context ends. Losing the PBX does not end it.
func (p *Phone) renew(ctx context.Context, reg *registration) {
	defer close(reg.done)
	for ctx.Err() == nil {
		// diago: QualifyLoop returns at the first failure; its own retry in Diago.Register gives up for ever
		// on a 401 and on any 5xx, which is what a PBX that restarts answers.
		err := reg.tx.QualifyLoop(ctx)
		if ctx.Err() != nil {
			return
		}
		p.setLost(reg, true, err)
		for ctx.Err() == nil {
			if err := p.retry(ctx, reg); err == nil {
				p.setLost(reg, false, nil)
				break
			}
		}
	}
}

func (p *Phone) retry(ctx context.Context, reg *registration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(renewRetry):
	}
	ctx, cancel := context.WithTimeout(ctx, registerPatience)
	defer cancel()
	return reg.tx.Qualify(ctx)
}

func (p *Phone) setLost(reg *registration, lost bool, cause error) {
	p.mu.Lock()
	reg.lost = lost
	p.mu.Unlock()
	if !lost {
		p.emit(Event{Kind: Registered})
		return
	}
	e := Event{Kind: Lost, Reason: cause.Error()}
	if status, ok := errors.AsType[*StatusError](statusOf("REGISTER", cause)); ok {
		e.Code = status.Code
	}
	p.emit(e)
}

// Registered says whether the PBX accepted the phone and the last renewal went well.
func (p *Phone) Registered() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reg != nil && !p.reg.lost
}

// Unregister takes the phone's own contact off the PBX; other phones of the same account stay. It does nothing
// when the phone is not registered.
func (p *Phone) Unregister(ctx context.Context) error {
	reg := p.stopRenewing()
	if reg == nil || reg.tx == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, registerPatience)
	defer cancel()
	// diago: its Unregister sends "Contact: *", which also removes every other phone of the account.
	expires := sip.ExpiresHeader(0)
	reg.tx.Origin.RemoveHeader("Expires")
	reg.tx.Origin.AppendHeader(&expires)
	if err := statusOf("REGISTER", reg.tx.Qualify(ctx)); err != nil {
		return fmt.Errorf("phone %s: unregister: %w", p.cfg.User, err)
	}
	p.emit(Event{Kind: Unregistered})
	return nil
}

// stopRenewing ends the loop and hands out its registration, if there was one.
func (p *Phone) stopRenewing() *registration {
	p.mu.Lock()
	reg := p.reg
	p.reg = nil
	p.mu.Unlock()
	if reg == nil {
		return nil
	}
	reg.cancel()
	<-reg.done
	return reg
}

// uri is the address of a number at the PBX.
func (p *Phone) uri(number string) (sip.Uri, error) {
	if !userOK(number) {
		return sip.Uri{}, fmt.Errorf("number %q: 1 to 64 letters, digits or one of + - _ . * #", number)
	}
	host, port, err := net.SplitHostPort(p.cfg.Registrar)
	if err != nil {
		return sip.Uri{}, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return sip.Uri{}, err
	}
	return sip.Uri{Scheme: "sip", User: escapeUser(number), Host: host, Port: n}, nil
}
