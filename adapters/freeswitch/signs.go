package freeswitch

import (
	"bytes"
	"errors"
	"sync"
	"time"
)

// signs are FreeSWITCH's signs of life, the event HEARTBEAT. Commands are
// answered by other threads than those that hand out events: a pulse does not
// show that events come. How often there is one is the PBX's configuration and
// in no header, so it is learned from those that come.
type signs struct {
	mu   sync.Mutex
	last time.Time
	gap  time.Duration // the longest between two, 0: not known yet
	lack int           // looks in a row at which one was missing
}

var signMark = []byte("Event-Name: HEARTBEAT\n")

const (
	// deafAfter is how long a silence is nothing yet, however often there is a
	// sign otherwise: a switch with much to do is late with it.
	deafAfter = 15 * time.Second
	// gapsMissed signs and looksMissed looks, a pulse apart, it must be: after we
	// were stopped ourselves, what came meanwhile is read first.
	gapsMissed, looksMissed = 5, 3
)

var errDeaf = errors.New("commands are answered, but no events come")

// heard takes an event's text; only a sign of life counts.
func (s *signs) heard(raw []byte, now time.Time) {
	if !bytes.HasPrefix(raw, signMark) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() {
		s.gap = max(s.gap, now.Sub(s.last))
	}
	s.last = now
}

// look reports a connection on which no events come any more.
func (s *signs) look(now time.Time, least time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gap == 0 || now.Sub(s.last) <= max(least, gapsMissed*s.gap) {
		s.lack = 0
		return nil
	}
	if s.lack++; s.lack < looksMissed {
		return nil
	}
	return errDeaf
}
