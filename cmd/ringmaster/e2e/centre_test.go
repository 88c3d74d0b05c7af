package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
	"ringmaster/orchestrator"
)

// program is the ringmaster under test, built once.
var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ringmaster-e2e-")
	if err != nil {
		log.Fatal(err)
	}
	program = filepath.Join(dir, "ringmaster")
	if out, err := exec.Command("go", "build", "-o", program, "ringmaster/cmd/ringmaster").CombinedOutput(); err != nil {
		log.Fatalf("build ringmaster: %v\n%s", err, out)
	}
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		log.Print(err)
	}
	os.Exit(code)
}

// Tones tell who is heard: the greeting, the agents, the callers. Music is the
// lab's.
const (
	greetingHz = 600
	menuHz     = 700
	announceHz = 350
	agentHz    = 800  // first agent; +100 each
	callerHz   = 1200 // first caller; +100 each
)

var tones = []int{lab.MusicHz, lab.HoldHz, announceHz, greetingHz, menuHz, 800, 900, 1000, 1100, 1200, 1300, 1400, 1500}

// centre is a whole call centre: PBX, Ringmaster, database, phones.
type centre struct {
	t       testing.TB
	pbx     *exchange
	dir     string
	env     []string
	agents  []*phone.Phone
	lock    sync.Mutex
	process *exec.Cmd
	exited  chan error
	address string
	key     string
	keys    map[string]string // of further tenants
	shown   chan string       // the first key, when launch ran it
	output  *bytes.Buffer
}

// document is the configuration as apply takes it.
type document = map[string]any

func newCentre(tb testing.TB, kind string, agents int) *centre {
	tb.Helper()
	if testing.Short() {
		tb.Skip("end-to-end tests take minutes")
	}
	return centreAt(tb, kinds[kind](tb, agents))
}

// centreAt is a centre at a PBX that runs, and ends it.
func centreAt(tb testing.TB, pbx *exchange) *centre {
	tb.Helper()
	tb.Cleanup(func() {
		if tb.Failed() {
			saveLog(tb, pbx.Logs())
		}
		if err := pbx.Stop(); err != nil {
			tb.Error(err)
		}
	})
	dir, err := os.MkdirTemp("", "rm-e2e-data-")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	c := &centre{t: tb, pbx: pbx, dir: dir, keys: map[string]string{}}
	for name, hz := range map[string]int{"greeting": greetingHz, "menu": menuHz, "announcement": announceHz} {
		writeTone(tb, filepath.Join(pbx.SoundsDir, name+".wav"), hz, 1200*time.Millisecond)
	}
	return c
}

// start runs ringmaster serve and waits until it is up.
func (c *centre) start() {
	c.t.Helper()
	listen := "127.0.0.1:0"
	if c.address != "" {
		listen = c.address // a restart comes back where it was
	}
	cmd := exec.Command(program, "serve", "--data", c.dir, "--listen", listen, "--prompts", c.pbx.SoundsDir, "--log-level", "warn")
	cmd.Env = append(os.Environ(), c.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	c.output = &bytes.Buffer{}
	cmd.Stderr = &lockedWriter{w: c.output, lock: &c.lock}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.process, c.exited = cmd, make(chan error, 1)
	up := make(chan bool, 1)
	go func() {
		c.readAnnouncement(out, up)
		c.exited <- cmd.Wait()
	}()
	select {
	case ok := <-up:
		if !ok {
			c.t.Fatalf("ringmaster did not come up:\n%s", c.log())
		}
	case <-time.After(60 * time.Second):
		c.t.Fatalf("ringmaster is not up after 60 s:\n%s", c.log())
	}
}

func (c *centre) readAnnouncement(out io.Reader, up chan<- bool) {
	lines := bufio.NewScanner(out)
	told := false
	for lines.Scan() {
		line := lines.Text()
		if rest, ok := strings.CutPrefix(line, "Ringmaster is up: http://"); ok {
			c.address = rest
		}
		if head, key, ok := strings.Cut(line, ", shown only now: "); ok {
			if tenant, other := strings.CutPrefix(head, "The first API key of "); other {
				c.lock.Lock()
				c.keys[tenant] = key
				c.lock.Unlock()
			} else {
				c.key = key
			}
		}
		if !told && c.address != "" && c.key != "" {
			told = true
			up <- true
		}
	}
	if !told {
		up <- false
	}
}

type lockedWriter struct {
	w    io.Writer
	lock *sync.Mutex
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.w.Write(p)
}

func (c *centre) log() string {
	c.lock.Lock()
	defer c.lock.Unlock()
	return c.output.String()
}

// kill is kill -9.
func (c *centre) kill() {
	c.t.Helper()
	if err := c.process.Process.Kill(); err != nil {
		c.t.Fatal(err)
	}
	<-c.exited
}

// stop is SIGTERM, and the end of the test's process.
func (c *centre) stop() {
	if c.process == nil || c.process.ProcessState != nil {
		return
	}
	if err := c.process.Process.Signal(syscall.SIGTERM); err != nil {
		return
	}
	select {
	case <-c.exited:
	case <-time.After(20 * time.Second):
		c.t.Errorf("ringmaster does not end on SIGTERM:\n%s", c.log())
		c.process.Process.Kill()
	}
	if c.t.Failed() {
		c.t.Logf("ringmaster said:\n%s", c.log())
	}
}

// open starts everything on Asterisk with a configuration and n agents whose
// phones are registered.
func open(tb testing.TB, n int, change func(document)) *centre {
	tb.Helper()
	return openOn(tb, "asterisk", n, change)
}

// openOn is open on one of kinds.
func openOn(tb testing.TB, kind string, n int, change func(document)) *centre {
	tb.Helper()
	c := newCentre(tb, kind, n)
	c.start()
	tb.Cleanup(c.stop)
	doc := c.document(n)
	if change != nil {
		change(doc)
	}
	c.apply(doc)
	for i := range n {
		c.agents = append(c.agents, c.register(i, phone.AnswerAfter(500*time.Millisecond)))
	}
	c.eventually("the switch is attached and every phone reachable", 15*time.Second, func() bool {
		l := c.live()
		if len(l.Switches) == 0 || !l.Switches[0].Attached {
			return false
		}
		return true
	})
	return c
}

func (c *centre) document(n int) document {
	var phones, agents, members []document
	for i := range n {
		number := c.pbx.Agents[i].Number
		phones = append(phones, document{"id": "p" + number, "switch": "pbx", "endpoint": c.pbx.technology + number})
		agents = append(agents, document{"id": agentID(i), "number": fmt.Sprint(101 + i), "name": "Agent " + number, "pin": pin(i)})
		members = append(members, document{"agent": agentID(i)})
	}
	prompt := func(name string) []document {
		return []document{{"file": filepath.Join(c.pbx.SoundsDir, name)}}
	}
	return document{
		"settings": document{"pause_reasons": []document{{"id": "lunch", "name": "lunch", "digit": "1"}}},
		"switches": []document{{
			"id": "pbx", "type": c.pbx.kind, "url": c.pbx.url, "username": c.pbx.user, "password": c.pbx.password,
		}},
		"phones": phones, "agents": agents,
		"queues": []document{{
			"id": "sales", "name": "Sales", "agents": members, "music": c.pbx.music, "wrap_up_ms": 1000,
			"no_answer_delay_ms": 1000, "busy_delay_ms": 1000, "reject_delay_ms": 1000, "unreachable_delay_ms": 1000,
		}},
		"flows": []document{{"id": "main", "start": "answer", "nodes": document{
			"answer":   document{"type": "answer", "on": document{"next": "greeting"}},
			"greeting": document{"type": "play", "play": prompt("greeting"), "on": document{"next": "menu"}},
			"menu": document{"type": "menu", "play": prompt("menu"), "timeout_ms": 4000, "on": document{
				"1": "queue", "timeout": "bye", "invalid": "bye",
			}},
			"queue": document{"type": "queue", "queue": "sales"},
			"bye":   document{"type": "hangup"},
		}}, {"id": "straight", "start": "answer", "nodes": document{
			"answer": document{"type": "answer", "on": document{"next": "queue"}},
			"queue":  document{"type": "queue", "queue": "sales"},
		}}},
		"numbers": []document{{"dialled": "500", "flow": "main"}, {"dialled": "501", "flow": "straight"}},
	}
}

// soundFile is the path of one of the centre's tones, next to the greeting.
func soundFile(doc document, name string) string {
	greeting := doc["flows"].([]document)[0]["nodes"].(document)["greeting"].(document)["play"].([]document)[0]["file"].(string)
	return filepath.Join(filepath.Dir(greeting), name)
}

func agentID(i int) string { return fmt.Sprintf("agent%d", i+1) }
func pin(i int) string     { return fmt.Sprint(4711 + i) }

func (c *centre) apply(doc document) {
	c.t.Helper()
	c.do("POST", "/v1/config/apply", doc, nil)
}

// register brings up the desk phone of agent i.
func (c *centre) register(i int, b phone.Behaviour) *phone.Phone {
	c.t.Helper()
	a := c.pbx.Agents[i]
	p, err := phone.New(phone.Config{
		User: a.Number, Password: a.Password, Registrar: c.pbx.SIPAddr, ListenHost: "127.0.0.1",
		ToneHz: agentHz + 100*(i%4), Tones: tones, Behaviour: b,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { p.Close() })
	if err := p.Register(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	return p
}

// caller is a phone on the trunk.
func (c *centre) caller(i int) *phone.Phone {
	c.t.Helper()
	p, err := phone.New(phone.Config{
		User: fmt.Sprintf("caller%d", i), Registrar: c.pbx.SIPAddr, ListenHost: lab.CallerIP,
		ToneHz: callerHz + 100*(i%4), Tones: tones,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { p.Close() })
	return p
}

// dial calls a number from a phone and waits for the answer.
func (c *centre) dial(p *phone.Phone, number, from string) *phone.Call {
	c.t.Helper()
	call, err := p.Dial(c.t.Context(), number, phone.DialOptions{CallerNumber: from, CallerName: "Caller " + from})
	if err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	if err := call.WaitAnswer(ctx); err != nil {
		c.t.Fatalf("call to %s is not answered: %v", number, err)
	}
	return call
}

// hears waits until a tone is heard in a call, and says when.
func (c *centre) hears(call *phone.Call, hz int, since time.Time) time.Time {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	defer cancel()
	at, err := call.Ear().WaitTone(ctx, hz, since)
	if err != nil {
		c.t.Fatalf("%d Hz is not heard: %v (heard %v, up %v)\nlive: %+v\nringmaster said:\n%s", hz, err, call.Ear().Tones(), call.Up(), c.live(), c.log())
	}
	return at
}

// login logs agent i in at their own phone through the API.
func (c *centre) login(i int) {
	c.t.Helper()
	c.act(i, document{"action": "login", "phone": "p" + c.pbx.Agents[i].Number})
	c.eventually(agentID(i)+" is logged in", 10*time.Second, func() bool {
		s := c.agent(i).State
		return s != orchestrator.AgentLoggedOut && s != orchestrator.AgentPhoneLost && s != ""
	})
}

func (c *centre) act(i int, action document) {
	c.t.Helper()
	c.do("POST", "/v1/agents/"+agentID(i)+"/actions", action, nil)
}

func (c *centre) live() (l orchestrator.Live) {
	c.t.Helper()
	c.do("GET", "/v1/live", nil, &l)
	return l
}

func (c *centre) agent(i int) orchestrator.LiveAgent {
	c.t.Helper()
	for _, a := range c.live().Agents {
		if string(a.Agent) == agentID(i) {
			return a
		}
	}
	return orchestrator.LiveAgent{}
}

// do asks the API and fails the test unless the answer is a success. Whoever
// checks hundreds of calls asks more often than a key may, and waits.
func (c *centre) do(method, path string, in, out any) {
	c.t.Helper()
	status, text := c.ask(method, path, in)
	for end := time.Now().Add(20 * time.Second); status == http.StatusTooManyRequests && time.Now().Before(end); {
		time.Sleep(500 * time.Millisecond)
		status, text = c.ask(method, path, in)
	}
	if status >= 300 {
		c.t.Fatalf("%s %s: %d %s\nringmaster said:\n%s", method, path, status, text, c.log())
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			c.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
}

func (c *centre) ask(method, path string, in any) (int, []byte) {
	c.t.Helper()
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			c.t.Fatal(err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, "http://"+c.address+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatalf("%s %s: %v\nringmaster said:\n%s", method, path, err, c.log())
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, text
}

// eventually waits for something to become true.
func (c *centre) eventually(what string, within time.Duration, is func() bool) {
	c.t.Helper()
	for end := time.Now().Add(within); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("not within %s: %s\nlive: %+v\nringmaster said:\n%s", within, what, c.live(), c.log())
		}
	}
}

func saveLog(tb testing.TB, path string) {
	tb.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		tb.Logf("end of %s:\n%s", path, text[max(0, len(text)-4000):])
	}
}
