package speech

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ringmaster/orchestrator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newRenderer(t *testing.T, config Config) *Renderer {
	t.Helper()
	if config.Dir == "" {
		config.Dir = promptFolder(t)
	}
	r, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// promptFolder avoids t.TempDir, whose names may hold what no switch is told.
func promptFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "prompts-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func needEngine(t *testing.T, e engine) {
	t.Helper()
	if _, err := exec.LookPath(string(e)); err != nil {
		t.Skipf("NOT TESTED: no real speech, because %s is not installed (apt-get install %[1]s)", e)
	}
}

func prompt(t *testing.T, r *Renderer, text Text) File {
	t.Helper()
	file, err := r.Prompt(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// heard reads a prompt as a PBX would and returns its samples.
func heard(t *testing.T, file File) []float64 {
	t.Helper()
	data, err := os.ReadFile(file.Path + waveSuffix)
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseWave(data)
	if err != nil {
		t.Fatal(err)
	}
	if s.rate != Rate {
		t.Fatalf("%d samples a second", s.rate)
	}
	if length := time.Duration(len(s.samples)) * time.Second / Rate; length != file.Duration {
		t.Fatalf("it lasts %s, not %s", length, file.Duration)
	}
	samples := resample(s)
	return samples
}

func TestRealEnginesMakeSound(t *testing.T) {
	tests := []struct {
		engine engine
		text   Text
		least  time.Duration
		most   time.Duration
	}{
		{espeak, Text{Words: "You are logged in."}, 700 * time.Millisecond, 3 * time.Second},
		{espeak, Text{Language: "de-CH", Words: "Willkommen. Drücken Sie die Eins."}, time.Second, 5 * time.Second},
		{espeak, Text{Language: "fr", Voice: "fr-fr+f3", Words: "Ça va bien ?"}, 400 * time.Millisecond, 3 * time.Second},
		{espeak, Text{Language: "ja", Words: "こんにちは"}, 300 * time.Millisecond, 3 * time.Second},
		{flite, Text{Words: "You are logged in."}, 700 * time.Millisecond, 3 * time.Second},
		{flite, Text{Voice: "kal", Words: "Please hold the line."}, 700 * time.Millisecond, 3 * time.Second},
	}
	for _, test := range tests {
		t.Run(string(test.engine)+"_"+test.text.Language+test.text.Voice, func(t *testing.T) {
			needEngine(t, test.engine)
			r := newRenderer(t, Config{Engine: string(test.engine)})
			file := prompt(t, r, test.text)
			if file.Duration < test.least || file.Duration > test.most {
				t.Errorf("it lasts %s", file.Duration)
			}
			checkSpeech(t, heard(t, file))
		})
	}
}

func checkSpeech(t *testing.T, samples []float64) {
	t.Helper()
	peak := loudest(samples)
	if math.Abs(peak-level) > 0.01 {
		t.Errorf("the peak is %.3f of full scale", peak)
	}
	if rms := math.Sqrt(energy(samples)); rms < 0.03 || rms > 0.4 {
		t.Errorf("the mean level is %.3f", rms)
	}
	// Silence is trimmed: after the lead there is sound, before it there is not.
	lead, tail := int(leadIn*Rate/time.Second), int(leadOut*Rate/time.Second)
	if len(samples) < lead+tail+400 {
		t.Fatalf("only %d samples", len(samples))
	}
	if start := loudest(samples[lead : lead+400]); start < silencePart*level {
		t.Errorf("it begins with silence (%.4f)", start)
	}
	if end := loudest(samples[len(samples)-tail-400:]); end < silencePart*level {
		t.Errorf("it ends with silence (%.4f)", end)
	}
	if click := math.Abs(samples[0]); click > silencePart*peak+0.001 {
		t.Errorf("it begins with a click of %.3f", click)
	}
}

func TestRealEnginesSurviveHostileWords(t *testing.T) {
	canary := filepath.Join(t.TempDir(), "canary")
	tests := map[string]struct {
		words string
		want  error
	}{
		"shell":         {"$(touch " + canary + ") `touch " + canary + "`; touch " + canary, nil},
		"quotes":        {`"'"' \" ' \`, ErrNothing},
		"quoted":        {`say "hello' \" now`, nil},
		"option":        {"--help", nil},
		"option first":  {"-w " + canary + " -v de hello", nil},
		"flite voice":   {"-voice http://127.0.0.1:1/x hello", nil},
		"emoji":         {"hello 😀 world", nil},
		"line ends":     {"one\r\ntwo\x00three\x1b[2Jfour", nil},
		"espeak pitch":  {"a\x01" + "99Pb", nil},
		"phonemes":      {"[[[[h@l'oU]]]] there", nil},
		"markup":        {`<audio src="file:///etc/passwd"/> hello <break time="1000s"/>`, nil},
		"broken utf-8":  {"hello \xff\xfe\xc3 there", nil},
		"right to left": {"\u202e olleh \u202c", nil},
		"stacked":       {"h" + strings.Repeat("\u0301", 900) + "i", nil},
		"longest":       {strings.Repeat("a ", 500), nil},
		"too long":      {strings.Repeat("a", orchestrator.MaxSay+1), ErrTooLong},
		"a megabyte":    {strings.Repeat("x", 1<<20), ErrTooLong},
		"only controls": {"\r\n\t\x00\x07", ErrNothing},
		"empty":         {"", ErrNothing},
		"percent":       {"%s%n%x 100 %", nil},
	}
	for _, e := range engines {
		needEngine(t, e)
		r := newRenderer(t, Config{Engine: string(e), Timeout: time.Minute})
		for name, test := range tests {
			t.Run(string(e)+" "+name, func(t *testing.T) {
				file, err := r.Prompt(t.Context(), Text{Words: test.words})
				if !errors.Is(err, test.want) {
					t.Fatalf("got %v, want %v", err, test.want)
				}
				if err == nil && (loudest(heard(t, file)) < 0.1 || file.Duration < 50*time.Millisecond) {
					t.Fatalf("nothing is heard for %s", file.Duration)
				}
				if _, err := os.Stat(canary); !errors.Is(err, os.ErrNotExist) {
					t.Fatal("the words were obeyed")
				}
			})
		}
	}
}

func TestHostileNamesNeverReachAnEngine(t *testing.T) {
	fakeEngine(t, espeak, `echo ran >> "$HOME/../ran"; exit 1`)
	r := newRenderer(t, Config{})
	for _, bad := range []string{"-h", "--stdin", "en/../x", "en us", "e", "en\n", "../../etc/passwd", "en;id", strings.Repeat("a", 99)} {
		if _, err := r.Prompt(t.Context(), Text{Language: bad, Words: "hi"}); err == nil || strings.Contains(err.Error(), "exit") {
			t.Errorf("language %q gave %v", bad, err)
		}
	}
	for _, bad := range []string{"-h", "/etc/passwd", "a b", "a/b", ".", "é", "http://x"} {
		if _, err := r.Prompt(t.Context(), Text{Voice: bad, Words: "hi"}); err == nil || strings.Contains(err.Error(), "exit") {
			t.Errorf("voice %q gave %v", bad, err)
		}
	}
}

func TestUnknownVoiceIsAnError(t *testing.T) {
	for _, e := range engines {
		needEngine(t, e)
		_, err := newRenderer(t, Config{Engine: string(e)}).Prompt(t.Context(), Text{Voice: "nobody", Words: "hi"})
		if err == nil || !strings.Contains(err.Error(), "voice") {
			t.Errorf("%s: an unknown voice gave %v", e, err)
		}
	}
}

func TestMissingEngineNamesThePackage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	tests := []struct{ engine, language, want string }{
		{"", "en", "apt-get install espeak-ng"},
		{"flite", "en", "apt-get install flite"},
		{"espeak-ng", "de", "apt-get install espeak-ng"},
		{"flite", "de", "flite speaks English only; install the Debian package espeak-ng (apt-get install espeak-ng)"},
	}
	for _, test := range tests {
		r := newRenderer(t, Config{Engine: test.engine})
		_, err := r.Prompt(t.Context(), Text{Language: test.language, Words: "hi"})
		for _, err := range []error{err, r.Ready(test.language)} {
			if !errors.Is(err, ErrNoEngine) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%+v gave %v", test, err)
			}
		}
	}
}

// fakeEngine puts a shell script in an engine's place. It finds a good WAV file
// at $GOOD, the words at $WORDS and the file it has to write at $WAVE.
func fakeEngine(t *testing.T, e engine, script string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	good := filepath.Join(folder, "good.wav")
	if err := os.WriteFile(good, tone(22_050, 1000, 0.5, 500*time.Millisecond).wave(), 0o600); err != nil {
		t.Fatal(err)
	}
	head := "#!/bin/sh\nGOOD=" + good + "\nWAVE=$8\nWORDS=$6\nFOLDER=" + folder + "\n"
	if err := os.WriteFile(filepath.Join(folder, string(e)), []byte(head+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+":/usr/bin:/bin")
	return folder
}

func runs(t *testing.T, folder string) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, "runs"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Count(string(data), "\n")
}

const goodScript = `echo run >> "$FOLDER/runs"; cp "$GOOD" "$WAVE"`

func TestSameWordsAreSpokenOnce(t *testing.T) {
	folder := fakeEngine(t, espeak, `sleep 0.2; `+goodScript)
	r := newRenderer(t, Config{})
	var together sync.WaitGroup
	files := make([]File, 50)
	for i := range files {
		together.Go(func() {
			file, err := r.Prompt(context.Background(), Text{Words: " hello\r\nworld "})
			if err != nil {
				t.Error(err)
			}
			files[i] = file
		})
	}
	together.Wait()
	for _, file := range files {
		if file != files[0] || file.Duration < 500*time.Millisecond {
			t.Fatalf("%+v beside %+v", file, files[0])
		}
	}
	prompt(t, r, Text{Language: "EN", Words: "hello world"})
	prompt(t, newRenderer(t, Config{Dir: r.config.Dir}), Text{Words: "hello world"}) // after a restart
	if got := runs(t, folder); got != 1 {
		t.Fatalf("the engine ran %d times", got)
	}
	different := []Text{
		{Words: "hello  world!"},
		{Words: "hello world", Language: "en-GB"},
		{Words: "hello world", Voice: "en"},
	}
	for _, text := range different {
		prompt(t, r, text)
	}
	if got := runs(t, folder); got != 1+len(different) {
		t.Fatalf("the engine ran %d times", got)
	}
	entries, err := os.ReadDir(r.config.Dir)
	if err != nil || len(entries) != 1+len(different) {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	heard(t, files[0])
}

func TestEnginesAreBounded(t *testing.T) {
	folder := fakeEngine(t, espeak,
		`mkdir "$FOLDER/slot1" 2>/dev/null && S=1 || { mkdir "$FOLDER/slot2" 2>/dev/null && S=2; } || { echo crowd >> "$FOLDER/crowd"; S=3; }
		sleep 0.02; `+goodScript+`; rmdir "$FOLDER/slot$S" 2>/dev/null; true`)
	r := newRenderer(t, Config{Runs: 2, Timeout: time.Minute})
	var together sync.WaitGroup
	var mu sync.Mutex
	busy, fine := 0, 0
	for i := range 3 * maxWaiting {
		together.Go(func() {
			_, err := r.Prompt(context.Background(), Text{Words: fmt.Sprint("number ", i)})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				fine++
			case errors.Is(err, ErrBusy):
				busy++
			default:
				t.Error(err)
			}
		})
	}
	together.Wait()
	if fine < maxWaiting || busy == 0 || fine+busy != 3*maxWaiting {
		t.Fatalf("%d fine, %d busy", fine, busy)
	}
	if _, err := os.Stat(filepath.Join(folder, "crowd")); err == nil {
		t.Fatal("more than two engines ran at once")
	}
}

func TestBadEngines(t *testing.T) {
	tests := map[string]struct{ script, want string }{
		"fails":           {`echo "no such voice" >&2; exit 3`, "exit status 3: no such voice"},
		"complains long":  {`yes x | head -c 100000 >&2; exit 3`, "exit status 3: x"},
		"talks for ever":  {`yes >&2`, "deadline exceeded"},
		"hangs":           {`sleep 60`, "deadline exceeded"},
		"writes nothing":  {`true`, "no such file"},
		"writes rubbish":  {`echo rubbish > "$WAVE"`, "not a WAV"},
		"writes silence":  {`head -c 44 "$GOOD" > "$WAVE"; head -c 9000 /dev/zero >> "$WAVE"`, "no sound"},
		"writes too much": {`truncate -s 100M "$WAVE"`, "at most"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			fakeEngine(t, espeak, test.script)
			r := newRenderer(t, Config{Timeout: 500 * time.Millisecond})
			_, err := r.Prompt(t.Context(), Text{Words: "hello"})
			if err == nil || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 2*maxComplaint {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			entries, err := os.ReadDir(r.config.Dir)
			if err != nil || len(entries) != 0 {
				t.Fatalf("%d files are left, %v", len(entries), err)
			}
		})
	}
}

func TestImpatientCallerLeavesThePromptToTheNext(t *testing.T) {
	folder := fakeEngine(t, espeak, `sleep 0.2; `+goodScript)
	r := newRenderer(t, Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := r.Prompt(ctx, Text{Words: "hello"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	prompt(t, r, Text{Words: "hello"})
	if got := runs(t, folder); got != 1 {
		t.Fatalf("the engine ran %d times", got)
	}
}

func TestEngineSeesNoSecrets(t *testing.T) {
	folder := fakeEngine(t, espeak, `env > "$FOLDER/env"; ps -o args= -p $$ > "$FOLDER/args"; `+goodScript)
	t.Setenv("DATABASE_PASSWORD", "opensesame")
	prompt(t, newRenderer(t, Config{}), Text{Words: "my name is Ana"})
	for _, name := range []string{"env", "args"} {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "opensesame") || strings.Contains(string(data), "Ana") {
			t.Errorf("%s shows %q", name, data)
		}
	}
}

func TestLongestUnusedGoesFirst(t *testing.T) {
	folder := fakeEngine(t, espeak, goodScript)
	dir := promptFolder(t)
	r := newRenderer(t, Config{Dir: dir})
	size := int64(waveHeaderBytes + prompt(t, r, Text{Words: "0"}).Duration*Rate*bytesPerSample/time.Second)
	r.cache.maxBytes = 3 * size
	for _, words := range []string{"1", "2", "0", "3"} { // 1 is the oldest when 3 comes
		prompt(t, r, Text{Words: words})
	}
	before := runs(t, folder)
	for _, words := range []string{"2", "0", "3"} {
		prompt(t, r, Text{Words: words})
	}
	if got := runs(t, folder); got != before {
		t.Fatalf("%d prompts were gone that should be there", got-before)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	// The order outlives the process: 2 is now the longest unused.
	c, err := openCache(dir, 2*size)
	if err != nil {
		t.Fatal(err)
	}
	r.cache = c
	prompt(t, r, Text{Words: "0"})
	prompt(t, r, Text{Words: "3"})
	if got := runs(t, folder); got != before || c.bytes != 2*size {
		t.Fatalf("%d more runs, %d bytes", got-before, c.bytes)
	}
	prompt(t, r, Text{Words: "2"})
	if got := runs(t, folder); got != before+1 {
		t.Fatalf("the engine ran %d more times", got-before)
	}
}

func TestFolderIsCleanedAtStart(t *testing.T) {
	fakeEngine(t, espeak, goodScript)
	dir := promptFolder(t)
	file := prompt(t, newRenderer(t, Config{Dir: dir}), Text{Words: "hello"})
	whole, err := os.ReadFile(file.Path + waveSuffix)
	if err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * unfinishedAge)
	for name, data := range map[string][]byte{
		strings.Repeat("a", 64) + waveSuffix: whole[:len(whole)-2],
		strings.Repeat("b", 64) + waveSuffix: nil,
		strings.Repeat("c", 64) + waveSuffix: make([]byte, len(whole)),
		".unfinished-1":                      whole[:10],
		"someone-elses.wav":                  whole,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	r := newRenderer(t, Config{Dir: dir})
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	if r.cache.recent.Len() != 1 {
		t.Fatalf("%d prompts", r.cache.recent.Len())
	}
	if err := os.Remove(file.Path + waveSuffix); err != nil { // somebody cleans up while we run
		t.Fatal(err)
	}
	heard(t, prompt(t, r, Text{Words: "hello"}))
}

func TestConfigNamesEveryFault(t *testing.T) {
	err := Config{Dir: "relative", Engine: "festival", MaxBytes: 1, Runs: -1, Timeout: -1}.Validate()
	for _, field := range []string{"dir", "engine", "max_bytes", "runs", "timeout"} {
		if err == nil || !strings.Contains(err.Error(), field+":") {
			t.Errorf("%v does not name %s", err, field)
		}
	}
	for _, dir := range []string{"", "/with space", "/a/../b", "/" + strings.Repeat("a", maxDir)} {
		if err := (Config{Dir: dir}).Validate(); err == nil {
			t.Errorf("dir %q was taken", dir)
		}
	}
}

func FuzzCleanWords(f *testing.F) {
	for _, words := range []string{"hello", "[[[[", "a\x01b", "\xff", "😀", strings.Repeat("é", 1001)} {
		f.Add(words)
	}
	f.Fuzz(func(t *testing.T, words string) {
		clean, err := cleanWords(words)
		if err != nil {
			return
		}
		if strings.ContainsAny(clean, "\x00\x01\r\n\ufffd") || strings.Contains(clean, "[[") || strings.TrimSpace(clean) != clean {
			t.Fatalf("%q became %q", words, clean)
		}
		if again, err := cleanWords(clean); err == nil && again != clean {
			t.Fatalf("%q became %q and then %q", words, clean, again)
		}
	})
}

// BenchmarkPrompt shows what a caller waits for: a prompt known and a new one.
func BenchmarkPrompt(b *testing.B) {
	for _, e := range engines {
		if _, err := exec.LookPath(string(e)); err != nil {
			b.Skip(err)
		}
		r, err := New(Config{Dir: b.TempDir(), Engine: string(e)})
		if err != nil {
			b.Fatal(err)
		}
		count := 0
		b.Run(string(e)+"/new", func(b *testing.B) {
			for b.Loop() {
				count++
				if _, err := r.Prompt(b.Context(), Text{Words: fmt.Sprint("You are number ", count, " in the queue.")}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(string(e)+"/known", func(b *testing.B) {
			for b.Loop() {
				if _, err := r.Prompt(b.Context(), Text{Words: "You are number 1 in the queue."}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
