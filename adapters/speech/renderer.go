package speech

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"
)

const (
	defaultMaxBytes = 256 << 20
	defaultRuns     = 2
	defaultTimeout  = 15 * time.Second
	minMaxBytes     = 1 << 20
	maxDir          = 180 // a prompt's path has to fit what a switch is told

	// maxWaiting bounds the different texts that wait for an engine. Beyond it
	// the machine is not going to catch up within anybody's patience.
	maxWaiting = 64

	// recipe changes whenever the same words would sound different, so that old
	// prompts are not found any more.
	recipe = "1"
)

// ErrBusy means that too many different texts wait for an engine already.
var ErrBusy = fmt.Errorf("%d texts wait for the speech engine already", maxWaiting)

// playableFolder is what switches are told of a path; see orchestrator.Media.
var playableFolder = regexp.MustCompile(`^(/[A-Za-z0-9_.-]+)+$`)

// Config says how prompts are made and kept.
type Config struct {
	// Dir holds the prompts. The PBX reads them there, so it has to be the same
	// path for both, and readable for the PBX's user.
	Dir string
	// Engine is "espeak-ng" or "flite"; "" takes the first that is installed and
	// has the language, in that order.
	Engine string
	// MaxBytes bounds Dir, the longest unused prompts go first; 0 means 256 MiB,
	// about four and a half hours of speech.
	MaxBytes int64
	// Runs is how many engines may run at once; 0 means 2.
	Runs int
	// Timeout bounds waiting and speaking of one text; 0 means 15 s.
	Timeout time.Duration
}

// Validate reports every field that cannot work.
func (c Config) Validate() error {
	var faults []error
	if len(c.Dir) > maxDir || !playableFolder.MatchString(c.Dir) || strings.Contains(c.Dir, "..") {
		faults = append(faults, fmt.Errorf(
			"dir: %q is not an absolute path of at most %d letters, digits, '/', '_', '.' and '-'", c.Dir, maxDir))
	}
	if c.Engine != "" && c.Engine != string(espeak) && c.Engine != string(flite) {
		faults = append(faults, fmt.Errorf("engine: %q is neither %s nor %s", c.Engine, espeak, flite))
	}
	if c.MaxBytes != 0 && c.MaxBytes < minMaxBytes {
		faults = append(faults, fmt.Errorf("max_bytes: %d is less than %d", c.MaxBytes, minMaxBytes))
	}
	if c.Runs < 0 {
		faults = append(faults, fmt.Errorf("runs: %d is negative", c.Runs))
	}
	if c.Timeout < 0 {
		faults = append(faults, fmt.Errorf("timeout: %s is negative", c.Timeout))
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	c.MaxBytes = cmp.Or(c.MaxBytes, defaultMaxBytes)
	c.Runs = cmp.Or(c.Runs, defaultRuns)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	return c
}

// File is a prompt on disk.
type File struct {
	// Path is absolute and has no extension, which is how Asterisk wants it and
	// what orchestrator.Media.File holds. The file itself ends in ".wav".
	Path string
	// Duration is how long it takes to hear.
	Duration time.Duration
}

// Renderer makes and keeps prompts. It may be used from any goroutine.
type Renderer struct {
	config  Config
	cache   *cache
	flights singleflight.Group
	waiting chan struct{} // one entry per text that waits or runs
	running chan struct{} // one entry per text that runs
}

// New opens the prompt folder. An engine need not be installed yet; see Ready.
func New(config Config) (*Renderer, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("set up speech: %w", err)
	}
	config = config.withDefaults()
	prompts, err := openCache(filepath.Clean(config.Dir), config.MaxBytes)
	if err != nil {
		return nil, err
	}
	return &Renderer{
		config:  config,
		cache:   prompts,
		waiting: make(chan struct{}, maxWaiting),
		running: make(chan struct{}, config.Runs),
	}, nil
}

// Ready returns [ErrNoEngine], with the package to install, when this machine
// cannot speak the language.
func (r *Renderer) Ready(language string) error {
	t, err := Text{Language: language, Words: "ready"}.cleaned()
	if err != nil {
		return err
	}
	_, _, err = chooseEngine(engine(r.config.Engine), t.Language)
	return err
}

// Prompt returns the prompt for text, and has it spoken first if it is new. It
// fails with [ErrTooLong], [ErrNothing], [ErrNoEngine] or [ErrBusy], with the
// context's error, or with what the engine said.
func (r *Renderer) Prompt(ctx context.Context, text Text) (File, error) {
	text, err := text.cleaned()
	if err != nil {
		return File{}, fmt.Errorf("render prompt: %w", err)
	}
	e, path, err := chooseEngine(engine(r.config.Engine), text.Language)
	if err != nil {
		return File{}, fmt.Errorf("render prompt: %w", err)
	}
	key := promptKey(e, text)
	if file, found := r.cache.find(key); found {
		return file, nil
	}
	flight := r.flights.DoChan(key, func() (any, error) { return r.render(e, path, key, text) })
	select {
	case landed := <-flight:
		if landed.Err != nil {
			return File{}, fmt.Errorf("render prompt: %w", landed.Err)
		}
		file, _ := landed.Val.(File)
		return file, nil
	case <-ctx.Done():
		return File{}, fmt.Errorf("render prompt: %w", ctx.Err())
	}
}

func promptKey(e engine, text Text) string {
	// None of the first four can hold a line break.
	sum := sha256.Sum256([]byte(strings.Join([]string{recipe, string(e), text.Language, text.Voice, text.Words}, "\n")))
	return hex.EncodeToString(sum[:])
}

// render speaks and stores one text. It is not bound to a caller's context: the
// callers share it, and a prompt nobody waits for any more serves the next one.
func (r *Renderer) render(e engine, path, key string, text Text) (File, error) {
	if file, found := r.cache.find(key); found { // another flight has just landed
		return file, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.config.Timeout)
	defer cancel()
	select {
	case r.waiting <- struct{}{}:
		defer func() { <-r.waiting }()
	default:
		return File{}, ErrBusy
	}
	select {
	case r.running <- struct{}{}:
		defer func() { <-r.running }()
	case <-ctx.Done():
		return File{}, ctx.Err()
	}
	data, err := e.speak(ctx, path, text)
	if err != nil {
		return File{}, err
	}
	spoken, err := parseWave(data)
	if err != nil {
		return File{}, fmt.Errorf("read what %s said: %w", e, err)
	}
	prompt, err := spoken.prompt()
	if err != nil {
		return File{}, err
	}
	return r.cache.store(key, prompt.wave())
}
