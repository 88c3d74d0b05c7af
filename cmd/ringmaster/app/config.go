// Package app puts a whole Ringmaster together and runs it: data folder,
// database, journal, floor, switches, API and console. cmd/ringmaster only
// reads flags; tests embed the app on free ports.
//
// It refuses to decide about calls and to speak any protocol itself.
package app

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ringmaster/orchestrator"
)

// Config is what one process needs. Zero values have the stated meaning.
type Config struct {
	// Data is the folder for the journal, the private database, prompts and
	// what this installation must know of itself. It is created; one process may use it at a time.
	Data string `koanf:"data"`
	// Listen is the address of API and console. Port 0 takes a free one.
	Listen string `koanf:"listen"`
	// Database is a PostgreSQL DSN; "" runs a private cluster in Data.
	Database string `koanf:"database"`
	// Tenant is the centre's own name.
	Tenant string `koanf:"tenant"`
	// Tenants are further centres in the same process, each with a floor of
	// its own. They may use the same switches: a call goes to the first that
	// has its number.
	Tenants []string `koanf:"tenants"`
	// Prompts is where spoken prompts are kept. Every switch must be able to
	// read it under the same path; "" is Data/prompts.
	Prompts string `koanf:"prompts"`
	// JournalBytes bounds the journal on disk; 0 is 4 GiB.
	JournalBytes int64 `koanf:"journal_bytes"`
	// RetentionDays is how long facts, calls and what agents did are kept; 0 is
	// for ever. They go by whole months, so that up to a month more is kept.
	RetentionDays int `koanf:"retention_days"`
	// LogLevel is debug, info, warn or error.
	LogLevel string `koanf:"log_level"`
	// Standby waits for another process to stop leading before it leads. It
	// needs a Database that both can reach.
	Standby bool `koanf:"standby"`
	// Lease is how long leading lasts without word from the database when
	// somebody stands by, and so about how long a take-over takes; 0 is 3 s.
	Lease time.Duration `koanf:"lease"`
	// TakeOver leads even if another may still do so. Whoever says this has
	// made sure that the other is gone for good.
	TakeOver bool `koanf:"take_over"`
	// TrustedProxies are addresses or prefixes whose X-Forwarded-For counts.
	TrustedProxies []string `koanf:"trusted_proxies"`

	// Version is shown by /healthz; Log and Announce are for the caller to set.
	Version string       `koanf:"-"`
	Log     *slog.Logger `koanf:"-"`
	// Announce is called when this process begins to lead, with the first API
	// keys that were made: they are shown this one time.
	Announce func(address string, keys []FirstKey) `koanf:"-"`
	// StandsBy is called when this process waits because another leads.
	StandsBy func(address, leader string) `koanf:"-"`
}

// FirstKey is the first API key of a tenant.
type FirstKey struct {
	Tenant orchestrator.TenantID
	Key    string
}

// leastRetention in days keeps the month before this one, whose partitions are
// there for late facts.
const leastRetention = 31

// Defaults are the settings of a process nobody configured.
func Defaults() Config {
	return Config{Data: "data", Listen: "127.0.0.1:8080", Tenant: "main", LogLevel: "info", Lease: defaultTerm}
}

// Validate names every fault by its setting.
func (c Config) Validate() error {
	var faults []error
	if c.Data == "" {
		faults = append(faults, errors.New("data: name a folder"))
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		faults = append(faults, fmt.Errorf("listen: %q is not host:port", c.Listen))
	}
	for i, tenant := range c.all() {
		if !orchestrator.ValidSlug(string(tenant)) {
			faults = append(faults, fmt.Errorf("tenant: %q is not 1 to 63 of a-z 0-9 - _", tenant))
		}
		if slices.Contains(c.all()[:i], tenant) {
			faults = append(faults, fmt.Errorf("tenants: %q is named twice", tenant))
		}
	}
	if c.RetentionDays != 0 && c.RetentionDays < leastRetention {
		faults = append(faults, fmt.Errorf("retention_days: %d is neither 0 (for ever) nor at least %d", c.RetentionDays, leastRetention))
	}
	if c.Standby && c.Database == "" {
		faults = append(faults, errors.New("standby: needs a database that both can reach (--database)"))
	}
	if c.Lease != 0 && (c.Lease < leastTerm || c.Lease > mostTerm) {
		faults = append(faults, fmt.Errorf("lease: %s is not between %s and %s", c.Lease, leastTerm, mostTerm))
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		faults = append(faults, fmt.Errorf("log_level: %q is none of debug, info, warn, error", c.LogLevel))
	}
	if _, err := c.proxies(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// all are the tenants of this process, the one whose lease counts first.
func (c Config) all() []orchestrator.TenantID {
	all := []orchestrator.TenantID{orchestrator.TenantID(c.Tenant)}
	for _, t := range c.Tenants {
		all = append(all, orchestrator.TenantID(t))
	}
	return all
}

func (c Config) proxies() (prefixes []netip.Prefix, err error) {
	for _, text := range c.TrustedProxies {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, addrErr := netip.ParseAddr(text)
			if addrErr != nil {
				return nil, fmt.Errorf("trusted_proxies: %q is neither an address nor a prefix", text)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		prefixes = append(prefixes, p)
	}
	return prefixes, nil
}

// prepare makes the folders and paths absolute: what a switch is told to play
// must not depend on where Ringmaster was started.
func (c *Config) prepare() error {
	c.Lease = cmp.Or(c.Lease, defaultTerm)
	data, err := filepath.Abs(c.Data)
	if err != nil {
		return fmt.Errorf("resolve data folder %s: %w", c.Data, err)
	}
	c.Data = data
	if c.Prompts == "" {
		c.Prompts = filepath.Join(data, "prompts")
	}
	if c.Prompts, err = filepath.Abs(c.Prompts); err != nil {
		return fmt.Errorf("resolve prompts folder: %w", err)
	}
	// The switch runs as another user and must reach the prompts through it;
	// what is secret below has modes of its own.
	if err := os.MkdirAll(c.Data, 0o755); err != nil { //nolint:gosec // see above
		return fmt.Errorf("make data folder %s: %w", c.Data, err)
	}
	if err := os.MkdirAll(c.Prompts, 0o755); err != nil { //nolint:gosec // see above
		return fmt.Errorf("make prompts folder %s: %w", c.Prompts, err)
	}
	return nil
}
