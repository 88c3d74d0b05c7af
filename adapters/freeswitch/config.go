package freeswitch

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"time"
	"unicode"

	"ringmaster/orchestrator"
)

// Config says which FreeSWITCH to speak to and how hard it may be driven.
type Config struct {
	ID       orchestrator.SwitchID
	Address  string // of the event socket, "127.0.0.1:8021"
	User     string // "1001@domain" of a directory user with ESL rights; "" is the socket's own password
	Password string
	// Domain is that of the desk phones: endpoint user/1001 is user/1001@Domain.
	Domain string
	// Profile is the SIP profile the desk phones register to; "" is "internal".
	Profile string

	// Epoch is the lease under which this orchestrator works; 0 is none. It is
	// written on the switch, and one that finds a newer epoch there is
	// superseded instead of taking the switch back.
	Epoch uint64
	// May is asked before anything is written to FreeSWITCH: whether this
	// orchestrator still leads. Nil: always.
	May func() bool

	// Endpoints are the devices to watch from the start; see Switch.Watch.
	Endpoints []string
	// Fallback is the dialplan context for calls that nobody looks after; ""
	// is "rm-fallback". Care is the one that guards and parks; "" is "rm-care".
	Fallback string
	Care     string
	// Conference is the profile in conference.conf.xml for talks of three; "" is
	// "ringmaster".
	Conference string
	// Recordings is the folder on the switch that recordings go to; "" is
	// "/var/lib/freeswitch/recordings".
	Recordings string

	// Links are the trunks to other switches of ours ("gateway/link"), and Linked
	// says that others have one to here. Examine looks at them, nobody else does.
	Links  []string
	Linked bool

	// CreatesPerSecond caps the legs made per second; 0 is 40. 45 calls (90
	// legs) a second were borne by two cores, 60 calls were not. CreateBurst is
	// how many may be made at once; 0 is 10.
	CreatesPerSecond float64
	CreateBurst      int
	// CreateWait is how long a Dial waits for its turn before it is answered
	// rejected, "overloaded"; 0 is 1 s.
	CreateWait time.Duration

	// Queue is how many undelivered messages are held before the switch is given
	// up and read anew, beside at most as many events; 0 is 16384.
	Queue int
	// Connections is how many connections carry commands; 0 is 3.
	Connections int

	Log *slog.Logger // nil discards

	// guardFor is how long a waiting leg is left alone after our last sign of
	// life; 0 is 30 s. It is put off every third of that.
	guardFor time.Duration
	// deafAfter is how long FreeSWITCH's signs of life may fail to come at
	// least; 0 is 15 s.
	deafAfter time.Duration
}

// String names the switch and keeps the password out of logs.
func (c Config) String() string { return fmt.Sprintf("freeswitch %s at %s", c.ID, c.Address) }

const (
	defaultProfile     = "internal"
	defaultFallback    = "rm-fallback"
	defaultCare        = "rm-care"
	defaultConference  = "ringmaster"
	defaultRecordings  = "/var/lib/freeswitch/recordings"
	defaultCreates     = 40
	defaultBurst       = 10
	defaultCreateWait  = time.Second
	defaultQueue       = 16384
	defaultGuard       = 30 * time.Second
	defaultConnections = 3
	mostConnections    = 16
)

// domainPattern is a host name or an IPv4 address.
var domainPattern = regexp.MustCompile(`^[A-Za-z0-9.-]{1,120}$`)

// complete fills the defaults in and names every fault.
func (c Config) complete() (Config, error) {
	c.Profile = orDefault(c.Profile, defaultProfile)
	c.Fallback = orDefault(c.Fallback, defaultFallback)
	c.Care = orDefault(c.Care, defaultCare)
	c.Conference = orDefault(c.Conference, defaultConference)
	c.Recordings = strings.TrimSuffix(orDefault(c.Recordings, defaultRecordings), "/")
	c.CreatesPerSecond = orDefault(c.CreatesPerSecond, defaultCreates)
	c.CreateBurst = orDefault(c.CreateBurst, defaultBurst)
	c.CreateWait = orDefault(c.CreateWait, defaultCreateWait)
	c.guardFor = orDefault(c.guardFor, defaultGuard)
	c.deafAfter = orDefault(c.deafAfter, deafAfter)
	c.Queue = orDefault(c.Queue, defaultQueue)
	c.Connections = orDefault(c.Connections, defaultConnections)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, errors.Join(append(c.faults(), c.nameFaults()...)...)
}

func (c Config) faults() (faults []error) {
	if _, port, err := net.SplitHostPort(c.Address); err != nil || port == "" {
		faults = append(faults, fmt.Errorf("address: %q is not of the form host:port", c.Address))
	}
	if !orchestrator.ValidSlug(string(c.ID)) {
		faults = append(faults, fmt.Errorf("id: %q is not a slug", c.ID))
	}
	if c.Password == "" || strings.ContainsFunc(c.Password, unicode.IsControl) {
		faults = append(faults, errors.New("password: is empty or has control characters"))
	}
	if c.User != "" && !userPattern.MatchString(c.User) {
		faults = append(faults, fmt.Errorf("user: %q is not of the form name@domain", c.User))
	}
	if c.CreatesPerSecond < 0 || c.CreateBurst < 0 || c.CreateWait < 0 || c.Queue < 0 || c.Connections < 0 {
		faults = append(faults, errors.New("creates_per_second, create_burst, create_wait, queue, connections: are negative"))
	}
	if c.Connections > mostConnections {
		faults = append(faults, fmt.Errorf("connections: %d is more than %d", c.Connections, mostConnections))
	}
	return faults
}

// nameFaults checks what becomes part of commands.
func (c Config) nameFaults() (faults []error) {
	if !domainPattern.MatchString(c.Domain) {
		faults = append(faults, fmt.Errorf("domain: %q is not a host name", c.Domain))
	}
	for _, name := range [][2]string{{"fallback", c.Fallback}, {"care", c.Care}, {"profile", c.Profile}, {"conference", c.Conference}} {
		if !contextPattern.MatchString(name[1]) {
			faults = append(faults, fmt.Errorf("%s: %q is not a name of letters, digits, _ and -", name[0], name[1]))
		}
	}
	if !filePattern.MatchString(c.Recordings) || dotted(c.Recordings) {
		faults = append(faults, fmt.Errorf("recordings: %q is not a plain absolute path", c.Recordings))
	}
	for _, e := range c.Endpoints {
		if !devicePattern.MatchString(e) {
			faults = append(faults, fmt.Errorf("endpoints: %q is not of the form user/1001", e))
		}
	}
	return faults
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
