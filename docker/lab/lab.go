// Package lab runs a real Asterisk for tests and for the demo: privately, on
// loopback, on ports of its own, from the files of dialplans/asterisk that an
// admin pastes, with desk phones, callers' trunk, music and a plain queue for
// comparison. Several labs run at once on one machine, and none touches the
// Asterisk the machine may already run.
//
// The package refuses to install anything (docker/install.sh does), to listen
// beyond 127.0.0.1, and to know Ringmaster: it starts a PBX and nothing else.
package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Fixed properties of every lab, so that tests can name them.
const (
	// CallerIP is the address callers send from: whatever its From header says,
	// a call from here is a call from the trunk. Callers may also use 127.0.0.1
	// as long as their From user is no agent's number.
	CallerIP = "127.0.0.2"
	// LinkIP is the address another switch of ours calls from.
	LinkIP = "127.0.0.3"
	// MusicClass is a music class that is one steady tone of MusicHz.
	MusicClass = "rm-test"
	// MusicHz is the frequency of MusicClass in hertz.
	MusicHz = 440
	// HoldClass is the class a caller hears whom an agent's phone puts on hold
	// (Asterisk's default class): one steady tone of HoldHz.
	HoldClass = "default"
	// HoldHz is the frequency of HoldClass in hertz.
	HoldHz = 520
	// BenchExtension is the number that leads callers to app_queue with all
	// agents as its phones and retry=1, to be measured beside Ringmaster.
	BenchExtension = "bench"
	// MaxAgents bounds Config.Agents.
	MaxAgents = 2000
)

const (
	startTimeout = 60 * time.Second
	stopTimeout  = 5 * time.Second
	firstAgent   = 1001
)

// Config says what the lab shall hold. The zero value is usable.
type Config struct {
	// Agents is the number of desk phones (1001, 1002, …); 0 means 5.
	Agents int
	// Dir is the working folder; empty means a new one under os.TempDir that
	// Stop removes. A folder given here is kept, with its configuration and logs.
	Dir string
	// Qualify is how often Asterisk asks each phone whether it is there, in
	// whole seconds; 0 keeps what the shipped pjsip.conf says.
	Qualify time.Duration
	// Host is the address of SIP, one of loopback; empty means 127.0.0.1. Two
	// labs that are linked (Link) need different ones.
	Host string
	// TrunkContact is the SIP URI that dialled-out calls reach
	// (PJSIP/<number>@trunk); empty means the trunk only brings calls in.
	TrunkContact string
	// Root is the folder that holds an Asterisk root made by
	// "docker/install.sh asterisk"; empty means: the machine's own Asterisk when
	// it is new enough, else .lab/asterisk of this repository.
	Root string
}

// Agent is one desk phone the lab knows: what the phone registers with.
type Agent struct {
	Number   string // SIP user, authentication user and PJSIP endpoint
	Password string
}

// Asterisk is one running lab. Its methods may be called from any goroutine;
// its fields are set by Start and never change.
type Asterisk struct {
	SIPAddr      string // host:port of SIP over UDP
	ARIURL       string // for example http://127.0.0.1:10001/ari
	ARIUser      string
	ARIPassword  string
	Agents       []Agent
	Dir          string // working folder, at the same path inside and outside
	SoundsDir    string // drop prompts here; Media names them
	RecordingDir string // where Asterisk writes recordings
	Version      string // as "asterisk -V" prints it

	cfg     Config
	install installation
	slot    *slot
	keepDir bool
	peer    string // host:port of the switch we are linked to, "" for none
	proof   string // the password it asks for

	mu   sync.Mutex
	proc *process // the latest run; nil before the first
}

// Start writes the configuration, starts Asterisk and returns when calls can be
// made and ARI answers. Cancelling ctx ends the start, not the lab: call Stop.
// Asterisk also dies when this process does.
func Start(ctx context.Context, cfg Config) (*Asterisk, error) {
	inst, err := find(cfg.Root)
	if err != nil {
		return nil, err
	}
	if cfg.Agents == 0 {
		cfg.Agents = 5
	}
	if cfg.Agents < 0 || cfg.Agents > MaxAgents {
		return nil, fmt.Errorf("start lab: %d agents: want 1 to %d", cfg.Agents, MaxAgents)
	}
	a, err := prepare(cfg, inst)
	if err != nil {
		return nil, fmt.Errorf("start lab: %w", err)
	}
	if err := a.start(ctx); err != nil {
		err = fmt.Errorf("start lab: %w", err)
		return nil, errors.Join(err, a.Stop())
	}
	return a, nil
}

// prepare takes ports and writes everything Asterisk reads.
func prepare(cfg Config, inst installation) (*Asterisk, error) {
	dir, keep, err := workDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	if cfg.Host == "" {
		cfg.Host = "127.0.0.1"
	}
	a := &Asterisk{
		cfg: cfg, ARIUser: "rm", ARIPassword: secret(), Dir: dir, keepDir: keep, install: inst, Version: inst.version,
		SoundsDir: filepath.Join(dir, "prompts"), RecordingDir: filepath.Join(dir, "spool", "recording"),
	}
	for i := range cfg.Agents {
		a.Agents = append(a.Agents, Agent{Number: fmt.Sprint(firstAgent + i), Password: secret()})
	}
	if a.slot, err = takeSlot(); err != nil {
		return nil, errors.Join(err, a.Stop())
	}
	a.SIPAddr = fmt.Sprintf("%s:%d", cfg.Host, a.slot.sip)
	a.ARIURL = fmt.Sprintf("http://127.0.0.1:%d/ari", a.slot.http)
	if err := a.write(); err != nil {
		return nil, errors.Join(err, a.Stop())
	}
	return a, nil
}

// workDir returns the folder to work in and whether it outlives the lab. The
// path is short because a Unix socket in it may not exceed 107 bytes.
func workDir(given string) (dir string, keep bool, err error) {
	if given == "" {
		dir, err = os.MkdirTemp("", "rmlab")
		return dir, false, err
	}
	if dir, err = filepath.Abs(given); err != nil {
		return "", true, err
	}
	if len(dir) > 80 {
		return "", true, fmt.Errorf("folder %s: longer than 80 bytes, the console socket would not fit", dir)
	}
	return dir, true, os.MkdirAll(dir, 0o755)
}

// Media returns the ARI media name of the prompt file name.wav in SoundsDir.
func (a *Asterisk) Media(name string) string {
	return "sound:" + filepath.Join(a.SoundsDir, strings.TrimSuffix(name, ".wav"))
}

// Link makes another switch of ours the far end of PJSIP/<ticket>@link, and lets
// its calls into rm-link. Peer is its host:port; calls must come from that host,
// and no phone of this lab may. Password is what a FreeSWITCH asks for; another
// Asterisk asks for none. It may be called while calls are up, and again.
func (a *Asterisk) Link(peer, password string) error {
	a.peer, a.proof = peer, password
	p := a.pjsip()
	if p.err != nil {
		return p.err
	}
	if err := os.WriteFile(filepath.Join(a.Dir, "etc", p.name), []byte(p.text), 0o600); err != nil {
		return err
	}
	if _, err := a.CLI("module reload res_pjsip.so"); err != nil {
		return err
	}
	for end := time.Now().Add(consoleTimeout); ; time.Sleep(50 * time.Millisecond) {
		out, err := a.CLI("pjsip show aor link")
		if err != nil {
			return err
		}
		if strings.Contains(out, peer) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("link to %s: asterisk has %s", peer, out)
		}
	}
}

// Logs returns the path of Asterisk's log. It survives Kill and Restart.
func (a *Asterisk) Logs() string { return filepath.Join(a.Dir, "log", "full") }

// PID returns the process id of Asterisk, or 0 when it is not running.
func (a *Asterisk) PID() int { return a.current().pid() }

// Stop ends Asterisk, frees the ports and removes the folder Start made. It is
// safe to call twice, on a killed lab and on a frozen one.
func (a *Asterisk) Stop() error {
	a.current().end(stopTimeout)
	a.slot.release()
	if a.keepDir {
		return nil
	}
	return os.RemoveAll(a.Dir)
}

// Kill ends Asterisk at once (SIGKILL), as a crash would, and returns when it is
// gone. Ports and folder stay; Restart brings the same PBX back.
func (a *Asterisk) Kill() { a.current().kill() }

// Freeze stops Asterisk without ending it (SIGSTOP): sockets stay open and
// nothing answers.
func (a *Asterisk) Freeze() error { return a.current().freeze() }

// Thaw lets a frozen Asterisk go on.
func (a *Asterisk) Thaw() error { return a.current().thaw() }

// Restart ends Asterisk if it runs and starts it again with the same ports,
// passwords and registrations. It returns when calls can be made again.
func (a *Asterisk) Restart(ctx context.Context) error {
	a.current().end(stopTimeout)
	if err := a.start(ctx); err != nil {
		return fmt.Errorf("restart lab: %w", err)
	}
	return nil
}

// start runs Asterisk and waits until it is fully up.
func (a *Asterisk) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	proc, err := spawn(a.install, a.Dir)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.proc = proc
	a.mu.Unlock()
	return a.waitReady(ctx, proc)
}

// current returns the latest run of Asterisk.
func (a *Asterisk) current() *process {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.proc
}

// waitReady polls until modules are loaded and ARI accepts the password.
func (a *Asterisk) waitReady(ctx context.Context, proc *process) error {
	const pause = 20 * time.Millisecond
	for {
		err := a.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-proc.done:
			return fmt.Errorf("asterisk ended by itself: %s", a.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("asterisk not ready: %w (%w): %s", ctx.Err(), err, a.lastWords())
		case <-time.After(pause):
		}
	}
}

// lastWords returns the end of what Asterisk printed and logged.
func (a *Asterisk) lastWords() string {
	var out []string
	for _, name := range []string{"console", "full"} {
		text, err := os.ReadFile(filepath.Join(a.Dir, "log", name))
		if err != nil {
			continue
		}
		lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
		out = append(out, lines[max(0, len(lines)-10):]...)
	}
	return strings.Join(out, "\n")
}
