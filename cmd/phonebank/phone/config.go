package phone

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Config describes one phone. The zero value of every field but User and Registrar has a meaning.
type Config struct {
	User      string // account and SIP user, required
	Password  string // digest password; empty for a caller that the PBX knows by address or not at all
	Registrar string // host:port of the PBX, required; the port may be left out (5060)

	// ListenHost is the local IP address; empty picks the one that leads to the registrar. Callers that a
	// PBX tells apart by address can sit on 127.0.0.2 and so on.
	ListenHost string
	ListenPort int // local SIP port; 0 takes a free one

	// RTPPortMin and RTPPortMax bound the local media ports; 0 means 50000 to 59998.
	RTPPortMin, RTPPortMax int

	Expiry time.Duration // of the registration, at least 2 s; 0 means 5 minutes
	// MaxCall is when the phone hangs up by itself, so that a PBX that died cannot keep it busy; 0 means 4 h.
	MaxCall time.Duration

	Behaviour   Behaviour // on incoming calls; the zero value rings until told otherwise
	CallWaiting bool      // ring although a call is up; without it the phone answers 486 like a phone with one line
	ToneHz      int       // what the phone says; 0 is silence
	Tones       []int     // tones the phone recognises, in Hz; empty means DefaultTones and ToneHz
	RecordDir   string    // folder for a WAV file per call of what was heard; empty records nothing

	// OnEvent is told everything, in the order it happened to each call, from the goroutine it happened on:
	// it must not block, nor call the phone. Nil tells nobody.
	OnEvent func(Event)
	// OnDatagram sees every SIP datagram as it was on the wire. It must not keep or change the bytes.
	OnDatagram func(at time.Time, out bool, datagram []byte)
}

const (
	defaultExpiry  = 5 * time.Minute
	defaultMaxCall = 4 * time.Hour
	defaultRTPMin  = 50000
	defaultRTPMax  = 59998
	minRTPPorts    = 4
)

// validate names every wrong field at once and fills the defaults.
func (c *Config) validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !userOK(c.User) {
		wrong("user %q: 1 to 64 letters, digits or one of + - _ . * #", c.User)
	}
	if c.RTPPortMin == 0 && c.RTPPortMax == 0 {
		c.RTPPortMin, c.RTPPortMax = defaultRTPMin, defaultRTPMax
	}
	if c.RTPPortMin < 1024 || c.RTPPortMax > 65535 || c.RTPPortMax-c.RTPPortMin < minRTPPorts {
		wrong("rtp ports %d to %d: want at least %d ports between 1024 and 65535", c.RTPPortMin, c.RTPPortMax, minRTPPorts)
	}
	if c.Expiry == 0 {
		c.Expiry = defaultExpiry
	}
	if c.Expiry < 2*time.Second {
		wrong("expiry %s: at least 2s", c.Expiry)
	}
	if c.MaxCall == 0 {
		c.MaxCall = defaultMaxCall
	}
	if c.ToneHz != 0 && (c.ToneHz < minToneHz || c.ToneHz > maxToneHz) {
		wrong("tone %d Hz: between %d and %d Hz, or 0 for silence", c.ToneHz, minToneHz, maxToneHz)
	}
	if len(c.Tones) == 0 {
		c.Tones = knownTones(c.ToneHz)
	}
	if err := CheckTones(c.Tones); err != nil {
		wrong("%w", err)
	}
	if err := c.Behaviour.validate(); err != nil {
		wrong("%w", err)
	}
	if err := c.resolve(); err != nil {
		wrong("%w", err)
	}
	if len(errs) > 0 {
		return fmt.Errorf("phone %s: %w", c.User, errors.Join(errs...))
	}
	return nil
}

// knownTones are the default tones and one's own, leaving out the defaults that are too close to it.
func knownTones(own int) []int {
	var out []int
	if own != 0 {
		out = append(out, own)
	}
	for _, hz := range DefaultTones {
		if own == 0 || hz-own >= minToneSpacingHz || own-hz >= minToneSpacingHz {
			out = append(out, hz)
		}
	}
	return out
}

// resolve completes the addresses: the registrar's port, and the local address that leads there.
func (c *Config) resolve() error {
	if c.Registrar == "" {
		return errors.New("registrar: host:port of the PBX is required")
	}
	if _, _, err := net.SplitHostPort(c.Registrar); err != nil {
		c.Registrar = net.JoinHostPort(c.Registrar, "5060")
	}
	host, port, err := net.SplitHostPort(c.Registrar)
	if err != nil {
		return fmt.Errorf("registrar %q: %w", c.Registrar, err)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("registrar %q: port must be 1 to 65535", c.Registrar)
	}
	if c.ListenHost != "" {
		if ip := net.ParseIP(c.ListenHost); ip == nil || ip.IsUnspecified() {
			return fmt.Errorf("listen host %q: an IP address of this machine, not a name nor 0.0.0.0", c.ListenHost)
		}
		return nil
	}
	// Connecting a UDP socket sends nothing; it asks the kernel for the route.
	conn, err := net.Dial("udp", net.JoinHostPort(host, port))
	if err != nil {
		return fmt.Errorf("registrar %q: %w", c.Registrar, err)
	}
	defer conn.Close() //nolint:errcheck // nothing was sent
	c.ListenHost = conn.LocalAddr().(*net.UDPAddr).IP.String()
	return nil
}

// userOK keeps account names and dialled numbers to what needs no escaping in a SIP URI (RFC 3261 19.1.2).
// '#' does, but numbers have it; escapeUser does that.
func userOK(s string) bool {
	for _, r := range s {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("+-_.*#", r) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func escapeUser(s string) string { return strings.ReplaceAll(s, "#", "%23") }
func unescapeUser(s string) string {
	return strings.ReplaceAll(s, "%23", "#")
}
