package asterisk

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"time"

	"ringmaster/orchestrator"
)

// Config says which Asterisk to speak to and how hard it may be driven.
type Config struct {
	ID       orchestrator.SwitchID
	URL      string // of ARI, "http://127.0.0.1:8088/ari"; https is taken too
	User     string // in ari.conf, not read-only
	Password string
	App      string // the name in the dialplan's Stasis() lines; "" is "rm"

	// Epoch is the lease under which this orchestrator works; 0 is none. It is
	// written on the switch, and one that finds a newer epoch there is
	// superseded instead of taking the switch back.
	Epoch uint64

	// May is asked before anything is written to Asterisk: whether this
	// orchestrator still leads. Nil: always.
	May func() bool

	// Endpoints are the devices to watch from the start; see Switch.Watch.
	Endpoints []string
	// Fallback is the dialplan context that Release uses when it is given
	// none; "" is "rm-fallback".
	Fallback string

	// Detection is the dialplan context that runs AMD() for DetectMachine; "" is
	// "rm-amd".
	Detection string
	// RecordingDir is where this Asterisk writes recordings, as it is reported in
	// RecordingDone; "" is "/var/spool/asterisk/recording".
	RecordingDir string

	// CreatesPerSecond caps the legs made per second; 0 is 30. Past its knee
	// Asterisk collapses rather than degrades: 60 to 80 calls a second on two
	// cores were measured. CreateBurst is how many may be made at once; 0 is 10.
	CreatesPerSecond float64
	CreateBurst      int
	// CreateWait is how long a Dial waits for its turn before it is answered
	// rejected, "overloaded"; 0 is 1 s.
	CreateWait time.Duration

	// Queue is how many undelivered messages are held before the switch is
	// given up and read anew, beside at most as many events; 0 is 16384.
	Queue int
	// Connections bounds the HTTP connections; 0 is 32. Asterisk's own limit
	// is sessionlimit in http.conf.
	Connections int

	Log *slog.Logger // nil discards
}

// String names the switch and keeps the password out of logs.
func (c Config) String() string { return fmt.Sprintf("asterisk %s at %s", c.ID, c.URL) }

const (
	defaultApp         = "rm"
	defaultFallback    = "rm-fallback"
	defaultDetection   = "rm-amd"
	defaultRecordings  = "/var/spool/asterisk/recording"
	defaultCreates     = 30
	defaultBurst       = 10
	defaultCreateWait  = time.Second
	defaultQueue       = 16384
	defaultConnections = 32
)

var appPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// complete fills the defaults in and names every fault.
func (c Config) complete() (Config, *url.URL, error) {
	var faults []error
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		faults = append(faults, fmt.Errorf("url: %q is not an http or https address", c.URL))
	}
	c.App = orDefault(c.App, defaultApp)
	c.Fallback = orDefault(c.Fallback, defaultFallback)
	c.Detection = orDefault(c.Detection, defaultDetection)
	c.RecordingDir = orDefault(c.RecordingDir, defaultRecordings)
	c.CreatesPerSecond = orDefault(c.CreatesPerSecond, defaultCreates)
	c.CreateBurst = orDefault(c.CreateBurst, defaultBurst)
	c.CreateWait = orDefault(c.CreateWait, defaultCreateWait)
	c.Queue = orDefault(c.Queue, defaultQueue)
	c.Connections = orDefault(c.Connections, defaultConnections)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if !orchestrator.ValidSlug(string(c.ID)) {
		faults = append(faults, fmt.Errorf("id: %q is not a slug", c.ID))
	}
	if c.User == "" {
		faults = append(faults, errors.New("user: is empty"))
	}
	if !appPattern.MatchString(c.App) {
		faults = append(faults, fmt.Errorf("app: %q is not a name of letters, digits, _ and -", c.App))
	}
	if !contextPattern.MatchString(c.Fallback) {
		faults = append(faults, fmt.Errorf("fallback: %q is not the name of a dialplan context", c.Fallback))
	}
	if !contextPattern.MatchString(c.Detection) {
		faults = append(faults, fmt.Errorf("detection: %q is not the name of a dialplan context", c.Detection))
	}
	if !directory.MatchString(c.RecordingDir) {
		faults = append(faults, fmt.Errorf("recording_dir: %q is not an absolute path of plain names", c.RecordingDir))
	}
	if c.CreatesPerSecond < 0 || c.CreateBurst < 0 || c.CreateWait < 0 || c.Queue < 0 || c.Connections < 0 {
		faults = append(faults, errors.New("creates_per_second, create_burst, create_wait, queue, connections: are negative"))
	}
	for _, e := range c.Endpoints {
		if !endpointPattern.MatchString(e) {
			faults = append(faults, fmt.Errorf("endpoints: %q is not of the form PJSIP/1001", e))
		}
	}
	return c, base, errors.Join(faults...)
}

func orDefault[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}
