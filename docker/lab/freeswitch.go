package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// ErrNoFreeSWITCH says that no FreeSWITCH was named to run. Tests that meet it
// skip and say so: the part against a real FreeSWITCH was not run.
var ErrNoFreeSWITCH = errors.New("no FreeSWITCH: set RINGMASTER_FREESWITCH to its installation prefix, the folder with bin/freeswitch")

const (
	// PrefixVariable is the environment variable with FreeSWITCH's installation
	// prefix. There is no package of it to install, and none is searched for.
	PrefixVariable = "RINGMASTER_FREESWITCH"
	// FreeSWITCHDomain is the SIP domain of the phones of every FreeSWITCH lab.
	FreeSWITCHDomain = "rm.lab"
	// FreeSWITCHMusic is the stream of one steady tone of MusicHz. Waiting
	// callers hear it when a queue names it.
	FreeSWITCHMusic = MusicClass
	// FreeSWITCHHold is the stream a caller hears whom a phone puts on hold:
	// one steady tone of HoldHz.
	FreeSWITCHHold = "moh"
	// FreeSWITCHTrunk is the gateway that dialled-out calls take.
	FreeSWITCHTrunk = "gateway/trunk"
)

// orderlyStop is how long FreeSWITCH may take to end its calls and stop.
const orderlyStop = 15 * time.Second

// FreeSWITCHConfig says what the lab shall hold. The zero value is usable.
type FreeSWITCHConfig struct {
	// Agents is the number of desk phones (1001, 1002, …); 0 means 5.
	Agents int
	// Dir is the working folder; empty means a new one under os.TempDir that
	// Stop removes. A folder given here is kept, with its configuration and logs.
	Dir string
	// Qualify is how often FreeSWITCH asks each phone whether it is there, in
	// whole seconds; 0 keeps what the shipped sip_profile.xml says.
	Qualify time.Duration
	// TrunkContact is the host:port that calls to gateway/trunk reach; empty
	// means the trunk only brings calls in.
	TrunkContact string
	// LinkPassword is what the other switch proves with, as user "link", that it
	// may bring calls into rm-link; empty keeps everybody out.
	LinkPassword string
	// Bench loads mod_callcenter with all agents as its phones, to be measured
	// beside Ringmaster; callers reach it by BenchExtension. Ringmaster must not
	// have the same phones at work meanwhile.
	Bench bool
	// Edit changes a configuration file just before it is written, so that a
	// test can run a bad one. Names are paths below etc; nil changes nothing.
	Edit func(name, text string) string
}

// FreeSWITCH is one running lab. Its methods may be called from any goroutine;
// its fields are set by StartFreeSWITCH and never change.
type FreeSWITCH struct {
	SIPAddr      string // host:port of SIP over UDP, for phones and (from CallerIP) callers; host is LinkIP
	ESLAddr      string // host:port of the event socket
	ESLPassword  string
	Domain       string // of the phones: user/1001@Domain
	Profile      string // the sofia profile of the phones
	Agents       []Agent
	Dir          string
	SoundsDir    string // drop prompts here; Media names them
	RecordingDir string // where recordings may be written
	Version      string // as "freeswitch -version" prints it

	prefix  string
	slot    *slot
	keepDir bool
	peer    string // host:port of the switch we are linked to, "" for none
	proof   string // the password it asks for

	mu   sync.Mutex
	proc *process
}

// FreeSWITCHAvailable says whether StartFreeSWITCH can work here: nil, or what
// is missing.
func FreeSWITCHAvailable() error {
	_, err := freeswitchPrefix()
	return err
}

func freeswitchPrefix() (string, error) {
	prefix := os.Getenv(PrefixVariable)
	if prefix == "" {
		return "", ErrNoFreeSWITCH
	}
	if _, err := os.Stat(filepath.Join(prefix, "bin", "freeswitch")); err != nil {
		return "", fmt.Errorf("no FreeSWITCH in %s (from %s): %w", prefix, PrefixVariable, err)
	}
	return prefix, nil
}

// StartFreeSWITCH writes the configuration, starts FreeSWITCH and returns when
// phones can register and the event socket answers. Cancelling ctx ends the
// start, not the lab: call Stop. FreeSWITCH also dies when this process does.
func StartFreeSWITCH(ctx context.Context, cfg FreeSWITCHConfig) (*FreeSWITCH, error) {
	prefix, err := freeswitchPrefix()
	if err != nil {
		return nil, err
	}
	if cfg.Agents == 0 {
		cfg.Agents = 5
	}
	if cfg.Agents < 0 || cfg.Agents > MaxAgents {
		return nil, fmt.Errorf("start lab: %d agents: want 1 to %d", cfg.Agents, MaxAgents)
	}
	f, err := prepareFreeSWITCH(cfg, prefix)
	if err != nil {
		return nil, fmt.Errorf("start lab: %w", err)
	}
	if err := f.start(ctx); err != nil {
		err = fmt.Errorf("start lab: %w", err)
		return nil, errors.Join(err, f.Stop())
	}
	return f, nil
}

// prepareFreeSWITCH takes ports and writes everything FreeSWITCH reads.
func prepareFreeSWITCH(cfg FreeSWITCHConfig, prefix string) (*FreeSWITCH, error) {
	dir, keep, err := workDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	f := &FreeSWITCH{
		ESLPassword: secret(), Domain: FreeSWITCHDomain, Profile: "internal", Dir: dir, prefix: prefix, keepDir: keep,
		SoundsDir: filepath.Join(dir, "prompts"), RecordingDir: filepath.Join(dir, "recordings"),
	}
	version, err := exec.Command(filepath.Join(prefix, "bin", "freeswitch"), "-version").Output()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ask freeswitch for its version: %w", err), f.Stop())
	}
	f.Version = strings.TrimSpace(string(version))
	for i := range cfg.Agents {
		f.Agents = append(f.Agents, Agent{Number: fmt.Sprint(firstAgent + i), Password: secret()})
	}
	if f.slot, err = takeSlot(); err != nil {
		return nil, errors.Join(err, f.Stop())
	}
	f.SIPAddr = fmt.Sprintf("%s:%d", LinkIP, f.slot.sip)
	f.ESLAddr = fmt.Sprintf("127.0.0.1:%d", f.slot.http)
	if err := f.write(cfg); err != nil {
		return nil, errors.Join(err, f.Stop())
	}
	return f, nil
}

// Media returns the path FreeSWITCH plays the prompt file name.wav of SoundsDir by.
func (f *FreeSWITCH) Media(name string) string {
	return filepath.Join(f.SoundsDir, strings.TrimSuffix(name, ".wav")+".wav")
}

// Link makes another switch of ours the far end of gateway/link. Peer is its
// host:port; password is what a FreeSWITCH there asks of user "link", as whom its
// calls come in here (FreeSWITCHConfig.LinkPassword). An Asterisk asks for none. It
// may be called while calls are up, and again.
func (f *FreeSWITCH) Link(peer, password string) error {
	f.peer, f.proof = peer, password
	p := f.link()
	if p.err != nil {
		return p.err
	}
	if err := os.WriteFile(filepath.Join(f.Dir, "etc", "sip_profiles", "internal", p.name), []byte(p.text), 0o600); err != nil {
		return err
	}
	if _, err := f.CLI("sofia profile internal killgw link"); err != nil {
		return err
	}
	// A gateway is taken out once a second, and until then its name is in use.
	for end := time.Now().Add(consoleTimeout); ; time.Sleep(100 * time.Millisecond) {
		if _, err := f.CLI("sofia profile internal rescan"); err != nil {
			return err
		}
		out, err := f.CLI("sofia status gateway link")
		if err != nil {
			return err
		}
		if strings.Contains(out, "sip:"+peer) {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("link to %s: freeswitch has %s", peer, out)
		}
	}
}

// Logs returns the path of FreeSWITCH's log. It survives Kill and Restart.
func (f *FreeSWITCH) Logs() string { return filepath.Join(f.Dir, "log", "freeswitch.log") }

// PID returns the process id of FreeSWITCH, or 0 when it is not running.
func (f *FreeSWITCH) PID() int { return f.current().pid() }

// Stop ends FreeSWITCH, frees the ports and removes the folder the start made.
// It is safe to call twice, on a killed lab and on a frozen one. FreeSWITCH is
// killed: an orderly end takes it five seconds, and it has nothing to save.
func (f *FreeSWITCH) Stop() error {
	f.current().kill()
	f.slot.release()
	if f.keepDir {
		return nil
	}
	return os.RemoveAll(f.Dir)
}

// Kill ends FreeSWITCH at once (SIGKILL), as a crash would, and returns when it
// is gone. Ports and folder stay; Restart brings the same PBX back.
func (f *FreeSWITCH) Kill() { f.current().kill() }

// Freeze stops FreeSWITCH without ending it (SIGSTOP): sockets stay open and
// nothing answers.
func (f *FreeSWITCH) Freeze() error { return f.current().freeze() }

// Thaw lets a frozen FreeSWITCH go on.
func (f *FreeSWITCH) Thaw() error { return f.current().thaw() }

// Restart ends FreeSWITCH if it runs and starts it again with the same ports,
// passwords and registrations. It returns when calls can be made again.
func (f *FreeSWITCH) Restart(ctx context.Context) error {
	f.current().end(orderlyStop)
	if err := f.start(ctx); err != nil {
		return fmt.Errorf("restart lab: %w", err)
	}
	return nil
}

func (f *FreeSWITCH) current() *process {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.proc
}

// start runs FreeSWITCH and waits until it is fully up.
func (f *FreeSWITCH) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	at := func(dir string) string { return filepath.Join(f.Dir, dir) }
	// -np: by default FreeSWITCH takes real-time priority, which a shared
	// machine's other programs would feel. -nonat: it asks no router. Every
	// folder is named, or FreeSWITCH would use those of the installation.
	proc, err := launch(exec.Command(filepath.Join(f.prefix, "bin", "freeswitch"), "-nf", "-nc", "-np", "-nonat",
		"-conf", at("etc"), "-log", at("log"), "-run", at("run"), "-db", at("db"), "-temp", at("tmp"), "-cache", at("cache"),
		"-certs", at("certs"), "-storage", at("storage"), "-recordings", f.RecordingDir, "-sounds", at("sounds"),
		"-scripts", at("scripts"), "-htdocs", at("htdocs"), "-grammar", at("grammar")), nil, f.Dir)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.proc = proc
	f.mu.Unlock()
	return f.waitReady(ctx, proc)
}

// waitReady polls until the event socket answers and the SIP profile is up.
func (f *FreeSWITCH) waitReady(ctx context.Context, proc *process) error {
	const pause = 50 * time.Millisecond
	for {
		err := f.ready(ctx)
		if err == nil {
			return f.warm(ctx)
		}
		select {
		case <-proc.done:
			return fmt.Errorf("freeswitch ended by itself: %s", f.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("freeswitch not ready: %w (%w): %s", ctx.Err(), err, f.lastWords())
		case <-time.After(pause):
		}
	}
}

// ready asks once whether calls can be made.
func (f *FreeSWITCH) ready(ctx context.Context) error {
	for command, want := range map[string]string{"status": "is ready", "sofia status": "RUNNING"} {
		out, err := f.console(ctx, command)
		if err != nil {
			return err
		}
		if !strings.Contains(out, want) {
			return fmt.Errorf("%s says %q", command, out)
		}
	}
	return nil
}

// lastWords returns the end of what FreeSWITCH printed and logged.
func (f *FreeSWITCH) lastWords() string {
	var out []string
	for _, name := range []string{"console", "freeswitch.log"} {
		text, err := os.ReadFile(filepath.Join(f.Dir, "log", name))
		if err != nil {
			continue
		}
		lines := strings.Split(string(bytes.TrimSpace(text)), "\n")
		out = append(out, lines[max(0, len(lines)-10):]...)
	}
	return strings.Join(out, "\n")
}
