package freeswitch

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

// place is a real FreeSWITCH with desk phones and a trunk, shared by all tests
// of this package, and a proxy between it and the adapters.
type place struct {
	pbx     *lab.FreeSWITCH
	trunk   *phone.Phone
	link    *phone.Phone // another switch of ours
	phones  []*phone.Phone
	between *toxiproxy.Proxy

	prompt, long, missing string // sound files, without extension
}

const desks = 3

// linkPassword is what the other switch logs in with.
const linkPassword = "a password of another switch"

// The user of the directory that may use on the event socket what doctor names,
// and nothing else.
const limitedUser, limitedPassword = "limited", "a password of a user with few rights"

func addLimited(name, text string) string {
	if name != "directory/default.xml" {
		return text
	}
	return strings.Replace(text, `<user id="link">`, `<user id="`+limitedUser+`"><params>
		<param name="esl-password" value="`+limitedPassword+`"/><param name="esl-allowed-events" value="`+strings.Join(subscribed, " ")+`"/>
		<param name="esl-allowed-api" value="`+strings.Join(allowed(testConfig), " ")+`"/></params></user>
		<user id="link">`, 1)
}

// epochs gives every adapter a newer one than the last.
var epochs atomic.Uint64

var shared struct {
	once  sync.Once
	place *place
	err   error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if p := shared.place; p != nil {
		p.close()
	}
	if code == 0 {
		// The proxy leaves the goroutine of a cut connection behind.
		if err := goleak.Find(goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
			// So does eslgo, which is defect 7 of library_test.go.
			goleak.IgnoreAnyFunction("github.com/percipia/eslgo.InboundOptions.Dial"),
			goleak.IgnoreAnyFunction("github.com/percipia/eslgo.(*Conn).eventLoop")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// atPlace returns the shared place, or skips when no FreeSWITCH can run here.
func atPlace(tb testing.TB) *place {
	tb.Helper()
	if testing.Short() {
		tb.Skip("SKIPPED in short mode: needs a real FreeSWITCH")
	}
	if err := lab.FreeSWITCHAvailable(); err != nil {
		tb.Skipf("SKIPPED, no FreeSWITCH to test with: %v", err)
	}
	shared.once.Do(func() { shared.place, shared.err = newPlace() })
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return shared.place
}

func newPlace() (*place, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	port, err := freePort(lab.CallerIP)
	if err != nil {
		return nil, err
	}
	pbx, err := lab.StartFreeSWITCH(ctx, lab.FreeSWITCHConfig{
		TrunkContact: fmt.Sprintf("%s:%d", lab.CallerIP, port), LinkPassword: linkPassword, Qualify: 2 * time.Second, Edit: addLimited,
	})
	if err != nil {
		return nil, err
	}
	p := &place{pbx: pbx}
	if err := p.furnish(ctx, port); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// freePort finds a port for the trunk's far side, which the lab must know before
// there is a phone.
func freePort(host string) (int, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(host)})
	if err != nil {
		return 0, err
	}
	return conn.LocalAddr().(*net.UDPAddr).Port, conn.Close()
}

func (p *place) furnish(ctx context.Context, trunkPort int) error {
	p.prompt, p.long = filepath.Join(p.pbx.SoundsDir, "prompt"), filepath.Join(p.pbx.SoundsDir, "long")
	p.missing = filepath.Join(p.pbx.SoundsDir, "missing")
	for path, length := range map[string]time.Duration{p.prompt: 600 * time.Millisecond, p.long: 15 * time.Second} {
		if err := os.WriteFile(path+".wav", silence(length), 0o644); err != nil {
			return err
		}
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p.between = toxiproxy.NewProxy(server, "esl", "127.0.0.1:0", p.pbx.ESLAddr)
	if err := p.between.Start(); err != nil {
		return err
	}

	var err error
	if p.trunk, err = phone.New(phone.Config{
		User: "trunk", Registrar: p.pbx.SIPAddr, ListenHost: lab.CallerIP, ListenPort: trunkPort, CallWaiting: true,
	}); err != nil {
		return err
	}
	if p.link, err = phone.New(phone.Config{User: "link", Password: linkPassword, Registrar: p.pbx.SIPAddr, ListenHost: lab.LinkIP, CallWaiting: true}); err != nil {
		return err
	}
	for n := range desks {
		a := p.pbx.Agents[n]
		desk, err := phone.New(phone.Config{User: a.Number, Password: a.Password, Registrar: p.pbx.SIPAddr, CallWaiting: true})
		if err != nil {
			return err
		}
		p.phones = append(p.phones, desk)
		if err := desk.Register(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *place) close() {
	for _, desk := range p.phones {
		_ = desk.Close()
	}
	for _, x := range []*phone.Phone{p.trunk, p.link} {
		if x != nil {
			_ = x.Close()
		}
	}
	if p.between != nil {
		p.between.Stop()
	}
	_ = p.pbx.Stop()
}

// config is that of an adapter for this place.
func (p *place) config(tb testing.TB) Config {
	tb.Helper()
	c := Config{
		ID: "pbx", Address: p.between.Listen, Password: p.pbx.ESLPassword, Domain: p.pbx.Domain, Profile: p.pbx.Profile,
		Recordings: p.pbx.RecordingDir, Epoch: epochs.Add(1), Log: logTo(tb),
	}
	for n := range desks {
		c.Endpoints = append(c.Endpoints, "user/"+p.pbx.Agents[n].Number)
	}
	return c
}

// logTo writes an adapter's log into the test's, as long as the test runs.
func logTo(tb testing.TB) *slog.Logger {
	tb.Helper()
	w := &testWriter{t: tb}
	tb.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.over = true
	})
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type testWriter struct {
	mu   sync.Mutex
	t    testing.TB
	over bool
}

func (w *testWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.over {
		w.t.Log(strings.TrimSuffix(string(line), "\n"))
	}
	return len(line), nil
}

// silence is a WAV file of 8 kHz mono, the kind FreeSWITCH need not convert.
func silence(length time.Duration) []byte {
	size := uint32(length.Seconds()*8000) * 2
	var b bytes.Buffer
	le := binary.LittleEndian
	b.WriteString("RIFF")
	b.Write(le.AppendUint32(nil, 36+size))
	b.WriteString("WAVEfmt ")
	for _, v := range []uint32{16, 1 | 1<<16, 8000, 16000, 2 | 16<<16} {
		b.Write(le.AppendUint32(nil, v))
	}
	b.WriteString("data")
	b.Write(le.AppendUint32(nil, size))
	b.Write(make([]byte, size))
	return b.Bytes()
}

// office is one adapter at work at the place and what it reported.
type office struct {
	testing.TB
	*place
	sw   *Switch
	stop func()

	mu   sync.Mutex
	seen []stamped
	news chan struct{}
}

type stamped struct {
	at    time.Time
	event orchestrator.Event
}

// openOffice runs an adapter until the test ends.
func openOffice(tb testing.TB, sw *Switch, p *place) *office {
	tb.Helper()
	o := &office{TB: tb, place: p, sw: sw, news: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := sw.Run(ctx); err != nil {
			tb.Errorf("Run: %v", err)
		}
	}()
	go func() {
		for {
			select {
			case e := <-sw.Events():
				o.note(e)
			case <-done:
				return
			}
		}
	}()
	var once sync.Once
	o.stop = func() {
		once.Do(func() {
			cancel()
			select {
			case <-done:
			case <-time.After(10 * time.Second):
				tb.Error("Run did not end")
			}
		})
	}
	tb.Cleanup(o.stop)
	return o
}

func (o *office) note(e orchestrator.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, stamped{time.Now(), e})
	close(o.news)
	o.news = make(chan struct{})
}

func (o *office) mark() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.seen)
}

// patience is how long an expected event may take on a busy machine.
const patience = 15 * time.Second

// expect waits for the first T after mark that fits.
func expect[T orchestrator.Event](o *office, mark int, fits func(T) bool) (T, time.Time) {
	o.Helper()
	late := time.After(patience)
	for {
		o.mu.Lock()
		for _, s := range o.seen[mark:] {
			if e, ok := s.event.(T); ok && (fits == nil || fits(e)) {
				o.mu.Unlock()
				return e, s.at
			}
		}
		news := o.news
		o.mu.Unlock()
		select {
		case <-news:
		case <-late:
			var want T
			o.mu.Lock()
			defer o.mu.Unlock()
			var story strings.Builder
			for _, s := range o.seen[mark:] {
				fmt.Fprintf(&story, "\n  %T %+v", s.event, s.event)
			}
			o.Fatalf("no %T came; there came:%s", want, story.String())
		}
	}
}

// count is how many T that fit have come since mark.
func count[T orchestrator.Event](o *office, mark int, fits func(T) bool) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.seen[mark:] {
		if e, ok := s.event.(T); ok && (fits == nil || fits(e)) {
			n++
		}
	}
	return n
}

// must carries out an action and wants it accepted.
func (o *office) must(a orchestrator.Action) {
	o.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if result, reason := o.sw.Do(ctx, a); result != orchestrator.ResultAccepted {
		o.Fatalf("%T %+v: %s: %s", a, a, result, reason)
	}
}

func (o *office) do(a orchestrator.Action) (orchestrator.CommandResult, string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return o.sw.Do(ctx, a)
}

func within(d time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return do(ctx)
}
