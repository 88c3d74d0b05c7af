package orchestrator

import (
	"cmp"
	"time"
)

// Defaults of fields that are left zero. They are public so that an answer of
// the API and the documentation name the same figures as the floor uses.
const (
	DefaultLanguage = "en"
	DefaultZone     = "UTC"

	DefaultRingTimeout      = Millis(20 * time.Second / time.Millisecond)
	DefaultServiceLevel     = Millis(20 * time.Second / time.Millisecond)
	DefaultBusyDelay        = Millis(10 * time.Second / time.Millisecond)
	DefaultRejectDelay      = Millis(10 * time.Second / time.Millisecond)
	DefaultNoAnswerDelay    = Millis(10 * time.Second / time.Millisecond)
	DefaultUnreachableDelay = Millis(5 * time.Second / time.Millisecond)
)

// WithDefaults returns q with every zero field that has a default filled in.
// Fields whose zero means something of its own (no wrap-up, wait for ever)
// stay as they are.
func (q Queue) WithDefaults() Queue {
	q.Strategy = cmp.Or(q.Strategy, LongestIdle)
	q.RingTimeout = cmp.Or(q.RingTimeout, DefaultRingTimeout)
	q.ServiceLevel = cmp.Or(q.ServiceLevel, DefaultServiceLevel)
	q.BusyDelay = cmp.Or(q.BusyDelay, DefaultBusyDelay)
	q.RejectDelay = cmp.Or(q.RejectDelay, DefaultRejectDelay)
	q.NoAnswerDelay = cmp.Or(q.NoAnswerDelay, DefaultNoAnswerDelay)
	q.UnreachableDelay = cmp.Or(q.UnreachableDelay, DefaultUnreachableDelay)
	return q
}

// WithDefaults returns c with the codes an administrator left out.
func (c FeatureCodes) WithDefaults() FeatureCodes {
	c.Login = cmp.Or(c.Login, "*11")
	c.Logout = cmp.Or(c.Logout, "*12")
	c.Ready = cmp.Or(c.Ready, "*21")
	c.Pause = cmp.Or(c.Pause, "*22")
	c.WrapUpDone = cmp.Or(c.WrapUpDone, "*31")
	return c
}

// WithDefaults returns s with language, zone and feature codes filled in.
func (s Settings) WithDefaults() Settings {
	s.Language = cmp.Or(s.Language, DefaultLanguage)
	s.Zone = cmp.Or(s.Zone, DefaultZone)
	s.FeatureCodes = s.FeatureCodes.WithDefaults()
	return s
}
