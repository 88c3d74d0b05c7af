package speech

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ErrNoEngine means that no program on this machine can speak the language.
var ErrNoEngine = errors.New("no speech engine")

const (
	// maxSpoken bounds what is read back from an engine: ten minutes at 44.1 kHz.
	maxSpoken = 64 << 20
	// maxComplaint bounds what is kept of an engine's own error text.
	maxComplaint = 1 << 10
	// waitDelay is how long a killed engine may keep its pipes open.
	waitDelay = 2 * time.Second
)

// engine is a program that reads a text file and writes a WAV file. It is also
// the name of its Debian package.
type engine string

// engines in the order of preference: espeak-ng knows over a hundred languages
// and is exact with numbers, flite speaks English only.
const (
	espeak engine = "espeak-ng"
	flite  engine = "flite"
)

var engines = []engine{espeak, flite}

// speaks tells whether e has the language at all; which dialects espeak-ng has
// it knows best itself.
func (e engine) speaks(language string) bool {
	primary, _, _ := strings.Cut(language, "-")
	return e == espeak || primary == "en"
}

// arguments contain nothing but checked names and our own file names.
func (e engine) arguments(text Text, words, wave string) []string {
	voice := text.Voice
	if e == flite {
		if voice == "" {
			voice = "slt"
		}
		return []string{"-voice", voice, "-f", words, "-o", wave}
	}
	if voice == "" {
		voice = text.Language
	}
	const utf8Input = "1"
	return []string{"-v", voice, "-b", utf8Input, "-f", words, "-w", wave}
}

// chooseEngine returns the wanted engine, or the first that is installed and has
// the language, and where it is.
func chooseEngine(wanted engine, language string) (engine, string, error) {
	candidates := engines
	if wanted != "" {
		candidates = []engine{wanted}
	}
	suitable := slices.DeleteFunc(slices.Clone(candidates), func(e engine) bool { return !e.speaks(language) })
	for _, e := range suitable {
		if path, err := exec.LookPath(string(e)); err == nil {
			return e, path, nil
		}
	}
	if len(suitable) == 0 {
		return "", "", fmt.Errorf("%w for language %q: %s speaks English only; install the Debian package %s (apt-get install %[4]s)",
			ErrNoEngine, language, wanted, espeak)
	}
	return "", "", fmt.Errorf("%w for language %q: install the Debian package %s (apt-get install %[3]s)",
		ErrNoEngine, language, suitable[0])
}

// speak runs the engine in a folder of its own and returns the WAV file's bytes.
func (e engine) speak(ctx context.Context, path string, text Text) ([]byte, error) {
	folder, err := os.MkdirTemp("", "prompt-")
	if err != nil {
		return nil, fmt.Errorf("speak with %s: %w", e, err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	words, wave := filepath.Join(folder, "words.txt"), filepath.Join(folder, "words.wav")
	if err := os.WriteFile(words, []byte(text.Words+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("speak with %s: %w", e, err)
	}
	if e == flite && text.Voice != "" {
		if err := checkFliteVoice(ctx, path, folder, text.Voice); err != nil {
			return nil, err
		}
	}
	if _, err := e.run(ctx, path, folder, e.arguments(text, words, wave)...); err != nil {
		return nil, err
	}
	info, err := os.Stat(wave)
	if err != nil {
		return nil, fmt.Errorf("speak with %s: %w", e, err)
	}
	if info.Size() > maxSpoken {
		return nil, fmt.Errorf("speak with %s: %d bytes of sound, at most %d", e, info.Size(), maxSpoken)
	}
	return os.ReadFile(wave)
}

// checkFliteVoice is needed because flite takes an unknown voice for its worst.
func checkFliteVoice(ctx context.Context, path, folder, voice string) error {
	output, err := flite.run(ctx, path, folder, "-lv")
	if err != nil {
		return err
	}
	_, list, _ := strings.Cut(output, ":")
	if voices := strings.Fields(list); !slices.Contains(voices, voice) {
		return fmt.Errorf("flite has no voice %q; it has %s", voice, strings.Join(voices, ", "))
	}
	return nil
}

// run starts the engine without our environment, which may hold secrets, and
// returns the beginning of what it printed.
func (e engine) run(ctx context.Context, path, folder string, arguments ...string) (string, error) {
	output := &head{}
	command := exec.CommandContext(ctx, path, arguments...) //nolint:gosec // checked names only, no shell
	command.Dir = folder
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "LC_ALL=C.UTF-8"}
	command.Stdout, command.Stderr = output, output
	command.WaitDelay = waitDelay
	// Killed with everything it started, or a child would go on talking.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("speak with %s: %w", e, context.Cause(ctx))
		}
		return "", fmt.Errorf("speak with %s: %w: %s", e, err, strings.TrimSpace(string(output.kept)))
	}
	return string(output.kept), nil
}

// head keeps the first bytes written to it and drops the rest.
type head struct{ kept []byte }

func (h *head) Write(p []byte) (int, error) {
	h.kept = append(h.kept, p[:min(len(p), maxComplaint-len(h.kept))]...)
	return len(p), nil
}
