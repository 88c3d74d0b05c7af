package freeswitch

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

var record = flag.Bool("record", false, "record the conversations of the replay tests anew, from a real FreeSWITCH")

// studio is where conversations are recorded: always the same folder, because
// its path is in them.
const studio = "/tmp/ringmaster-studio"

// scene is one adapter in a scenario, in front of a real FreeSWITCH that is
// recorded or of a tape that is played.
type scene struct {
	*office
	cast   *cast // nil when a tape is played
	mark   func(string)
	prompt string
	cfg    Config
	before []string // told by adapters that were stopped
}

// cast is who plays the people while a conversation is recorded.
type cast struct {
	pbx    *lab.FreeSWITCH
	caller *phone.Phone
	desks  []*phone.Phone
}

// far lets people do something. While a tape is played it says what became of
// it.
func (s *scene) far(what string, do func(context.Context, *cast) error) {
	s.Helper()
	s.mark(what)
	if s.cast == nil {
		return
	}
	if err := within(patience, func(ctx context.Context) error { return do(ctx, s.cast) }); err != nil {
		s.Fatalf("%s: %v", what, err)
	}
}

// scenarios are what is recorded and played. Every id in them is fixed, but
// those of callers' legs, which are FreeSWITCH's.
var scenarios = map[string]func(*scene){
	"first-call":         firstCall,
	"dials-without-luck": dialsWithoutLuck,
	"caller-gives-up":    callerGivesUp,
	"transfers":          transfers,
	"recording":          recordingMasked,
	"adoption":           adoption,
	"attended":           attended,
	"third-party":        thirdParty,
	"small-commands":     smallCommands,
}

// TestReplay runs every scenario against every tape that was recorded of it:
// the adapter must report the same events as it did then. With -record the
// tapes are made first.
func TestReplay(t *testing.T) {
	if *record {
		makeTapes(t)
	}
	tapes, err := filepath.Glob("testdata/*/*.jsonl")
	if err != nil || len(tapes) == 0 {
		t.Fatalf("no tapes: %v", err)
	}
	for _, path := range tapes {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(path, "testdata/"), ".jsonl"), func(t *testing.T) {
			run := scenarios[strings.TrimSuffix(filepath.Base(path), ".jsonl")]
			if run == nil {
				t.Fatalf("%s is of no scenario", path)
			}
			playTape(t, path, run)
		})
	}
	for name := range scenarios {
		if !slices.ContainsFunc(tapes, func(path string) bool { return filepath.Base(path) == name+".jsonl" }) {
			t.Errorf("scenario %s was never recorded", name)
		}
	}
}

func playTape(t *testing.T, path string, run func(*scene)) {
	t.Helper()
	tape, err := loadTape(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := startPlayer(tape)
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	s := openScene(t, Config{Address: p.listener.Addr().String(), Password: "not on the tape"}, p.pass)
	run(s)
	var want []string
	for _, e := range tape.entries {
		if e.Told != "" {
			want = append(want, e.Told)
		}
	}
	for deadline := time.Now().Add(patience); len(s.told()) < len(want) && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	s.stop()
	compare(t, s.told(), want)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, command := range p.strange {
		t.Errorf("never sent to %s before: %s", tape.Version, command)
	}
}

// compare holds what was reported against the tape, leg by leg: between two
// legs no order is promised.
func compare(t *testing.T, got, want []string) {
	t.Helper()
	told, taped := byLeg(got), byLeg(want)
	for leg := range maps.Keys(taped) {
		if !slices.Equal(told[leg], taped[leg]) {
			t.Errorf("%s: reported\n  %s\nand when it was recorded\n  %s", leg, strings.Join(told[leg], "\n  "), strings.Join(taped[leg], "\n  "))
		}
	}
	for leg := range maps.Keys(told) {
		if _, known := taped[leg]; !known {
			t.Errorf("%s: reported %s, and nothing when it was recorded", leg, told[leg])
		}
	}
}

var legPattern = regexp.MustCompile(`(?:Leg|Endpoint):([^\s}]+)`)

func byLeg(told []string) map[string][]string {
	out := map[string][]string{}
	for _, text := range told {
		about := "the switch"
		if m := legPattern.FindStringSubmatch(text); m != nil && !strings.HasPrefix(text, "SwitchSynced") {
			about = m[1]
		}
		out[about] = append(out[about], text)
	}
	return out
}

// openScene runs an adapter and waits until it has looked at the switch a
// second time: from then on only events move it.
func openScene(t *testing.T, cfg Config, mark func(string)) *scene {
	t.Helper()
	cfg.ID, cfg.Domain, cfg.Epoch, cfg.Connections, cfg.Log = "pbx", lab.FreeSWITCHDomain, 1, 1, logTo(t)
	cfg.Recordings, cfg.Endpoints = filepath.Join(studio, "recordings"), []string{"user/1001", "user/1002"}
	s := &scene{mark: mark, prompt: filepath.Join(studio, "prompts", "prompt"), cfg: cfg}
	s.begin(t)
	return s
}

func (s *scene) begin(tb testing.TB) {
	tb.Helper()
	sw, err := New(s.cfg)
	if err != nil {
		tb.Fatal(err)
	}
	sw.book.run = "run" + strconv.FormatUint(s.cfg.Epoch, 10) // Else it is another each time.
	s.office = openOffice(tb, sw, nil)
	expect[orchestrator.SwitchSynced](s.office, 0, nil)
	time.Sleep(readAgain + 500*time.Millisecond)
}

// again stops the adapter and starts another in its place.
func (s *scene) again() {
	s.Helper()
	s.stop()
	s.mark("ringmaster starts again")
	s.before = s.told()
	s.cfg.Epoch++
	s.begin(s.TB)
}

// lengthPattern finds what is measured by the clock here.
var lengthPattern = regexp.MustCompile(`Length:\d+`)

// told is what the adapter has reported, as it stands on a tape.
func (s *scene) told() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out = slices.Clone(s.before)
	for _, e := range s.seen {
		text := strings.TrimPrefix(fmt.Sprintf("%T %+v", e.event, e.event), "orchestrator.")
		out = append(out, lengthPattern.ReplaceAllString(text, "Length:any"))
	}
	return out
}

// makeTapes records every scenario from a real FreeSWITCH.
func makeTapes(t *testing.T) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(scenarios)) {
		t.Run("record/"+name, func(t *testing.T) {
			c := openCast(t)
			r, err := startRecorder(c.pbx.ESLAddr)
			if err != nil {
				t.Fatal(err)
			}
			s := openScene(t, Config{Address: r.listener.Addr().String(), Password: c.pbx.ESLPassword}, r.mark)
			s.cast = c
			scenarios[name](s)
			time.Sleep(time.Second) // What is still on its way.
			s.stop()
			r.stop()
			for _, told := range s.told() {
				r.add(&entry{Told: told})
			}
			version, _, _ := strings.Cut(strings.TrimPrefix(c.pbx.Version, "FreeSWITCH version: "), "-")
			r.Version = c.pbx.Version
			dir := filepath.Join("testdata", version)
			if err := errors.Join(os.MkdirAll(dir, 0o755), r.save(filepath.Join(dir, name+".jsonl"))); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func openCast(t *testing.T) *cast {
	t.Helper()
	if err := lab.FreeSWITCHAvailable(); err != nil {
		t.Fatalf("nothing to record from: %v", err)
	}
	if err := os.RemoveAll(studio); err != nil {
		t.Fatal(err)
	}
	pbx, err := lab.StartFreeSWITCH(t.Context(), lab.FreeSWITCHConfig{Agents: 2, Dir: studio})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(pbx.Stop(), os.RemoveAll(studio)); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(pbx.SoundsDir, "prompt.wav"), silence(3*time.Second), 0o644); err != nil {
		t.Fatal(err)
	}
	c := &cast{pbx: pbx, caller: plug(t, phone.Config{User: "caller", Registrar: pbx.SIPAddr, ListenHost: lab.CallerIP})}
	for _, a := range pbx.Agents {
		desk := plug(t, phone.Config{User: a.Number, Password: a.Password, Registrar: pbx.SIPAddr, ListenHost: "127.0.0.1"})
		if err := desk.Register(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.desks = append(c.desks, desk)
	}
	return c
}

func plug(t *testing.T, cfg phone.Config) *phone.Phone {
	t.Helper()
	p, err := phone.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}
