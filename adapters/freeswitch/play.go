package freeswitch

import (
	"context"
	"strings"
	"time"

	"ringmaster/orchestrator"
)

// play enters a play and has it begin when it is the first. A repeated id is
// not played twice.
func (s *Switch) play(ctx context.Context, l *leg, a orchestrator.Play) (orchestrator.CommandResult, string) {
	paths, err := checkPlay(a)
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	s.book.mu.Lock()
	known, full := s.book.begin(l, a.Play, paths)
	var orders []order
	if !known && !full {
		orders = l.makeWay(time.Now())
	}
	s.book.mu.Unlock()
	switch {
	case known:
		return orchestrator.ResultAlready, ""
	case full:
		return orchestrator.ResultRejected, "too many plays on one leg"
	}
	result, reason := s.order(ctx, l, orders...)
	if result == orchestrator.ResultRejected || result == orchestrator.ResultNotFound {
		s.book.mu.Lock()
		s.book.forget(l, a.Play)
		s.book.mu.Unlock()
	}
	return result, reason
}

// stopPlay tells at once the end of a play that still waits. That of one that
// sounds is told when FreeSWITCH has ended it.
func (s *Switch) stopPlay(ctx context.Context, l *leg, id orchestrator.PlayID) (orchestrator.CommandResult, string) {
	if err := checkID("play", string(id)); err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	s.book.mu.Lock()
	p := l.play(id)
	var orders []order
	switch {
	case p == nil:
		s.book.mu.Unlock()
		return orchestrator.ResultNotFound, "no such play"
	case p.done:
		s.book.mu.Unlock()
		return orchestrator.ResultAlready, ""
	case l.sounds.now != nil && l.sounds.now.play == p:
		p.stopped = true
		orders = l.hush(time.Now())
	default:
		s.book.post(s.book.playOver(l, p, orchestrator.PlayStopped)...)
	}
	s.book.mu.Unlock()
	return s.order(ctx, l, orders...)
}

func (s *Switch) startMusic(ctx context.Context, l *leg, class string) (orchestrator.CommandResult, string) {
	path, err := musicPath(class)
	if err != nil {
		return orchestrator.ResultRejected, err.Error()
	}
	s.book.mu.Lock()
	same := l.sounds.music == path
	l.sounds.music = path
	orders := l.makeWay(time.Now())
	s.book.mu.Unlock()
	if same && len(orders) == 0 {
		return orchestrator.ResultAlready, ""
	}
	// Whoever adopts the leg must know what it hears.
	mark := set("music", l.channel, musicVariable, strings.TrimPrefix(path, musicScheme))
	return s.order(ctx, l, append(orders, mark)...)
}

func (s *Switch) stopMusic(ctx context.Context, l *leg) (orchestrator.CommandResult, string) {
	s.book.mu.Lock()
	had := l.sounds.music != ""
	l.sounds.music = ""
	orders := l.makeWay(time.Now())
	s.book.mu.Unlock()
	if !had && len(orders) == 0 {
		return orchestrator.ResultAlready, ""
	}
	return s.order(ctx, l, append(orders, set("music", l.channel, musicVariable, ""))...)
}

// forget takes a play out; the caller holds the lock.
func (b *book) forget(l *leg, id orchestrator.PlayID) {
	p := l.play(id)
	if p == nil {
		return
	}
	if l.sounds.now != nil && l.sounds.now.play == p {
		l.sounds.now = nil
	}
	p.done = true
	_ = b.playOver(l, p, orchestrator.PlayFailed) // Takes it out of the queue; it is done already.
	delete(b.plays, id)
}
