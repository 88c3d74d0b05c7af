package phone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"go.uber.org/goleak"
)

const (
	callerHz = 600
	agentHz  = 900
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func patience(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func open(t *testing.T, cfg Config) *Phone {
	t.Helper()
	if cfg.Registrar == "" {
		cfg.Registrar = "127.0.0.1:5060"
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// pair is an agent's phone and a caller that reaches it without a PBX.
func pair(t *testing.T, agent Config) (caller, callee *Phone) {
	t.Helper()
	agent.User, agent.ToneHz = "2001", agentHz
	callee = open(t, agent)
	caller = open(t, Config{User: "3001", Registrar: callee.Addr(), ToneHz: callerHz})
	return caller, callee
}

func dial(t *testing.T, from *Phone, o DialOptions) *Call {
	t.Helper()
	c, err := from.Dial(context.Background(), "2001", o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// talking sets up a call and hands out both ends of it.
func talking(t *testing.T, agent Config) (out, in *Call) {
	t.Helper()
	agent.Behaviour = AnswerAfter(0)
	caller, callee := pair(t, agent)
	out = dial(t, caller, DialOptions{})
	if err := out.WaitAnswer(patience(t)); err != nil {
		t.Fatal(err)
	}
	in, err := callee.WaitCall(patience(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := in.WaitAnswer(patience(t)); err != nil {
		t.Fatal(err)
	}
	return out, in
}

func mustHear(t *testing.T, c *Call, hz int, since time.Time) time.Time {
	t.Helper()
	at, err := c.Ear().WaitTone(patience(t), hz, since)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func mustEnd(t *testing.T, c *Call, want End) {
	t.Helper()
	got, err := c.WaitEnd(patience(t))
	if err != nil {
		t.Fatal(err)
	}
	if got.By != want.By || got.Code != want.Code || got.Err != nil {
		t.Errorf("%s call ended %+v, want by %s with %d", c.Direction(), got, want.By, want.Code)
	}
}

func TestCallIsHeardOnBothSidesAndTimed(t *testing.T) {
	t.Parallel()
	out, in := talking(t, Config{})
	start := time.Now()
	mustHear(t, out, agentHz, start)
	mustHear(t, in, callerHz, start)
	time.Sleep(600 * time.Millisecond)
	now := time.Now()
	for _, side := range []struct {
		call       *Call
		other, own int
	}{{out, agentHz, callerHz}, {in, callerHz, agentHz}} {
		ear := side.call.Ear()
		if got := ear.Heard(side.other, now.Add(-400*time.Millisecond), now); got < 0.99 {
			t.Errorf("%s heard the other side %.2f of the time", side.call.Direction(), got)
		}
		if got := ear.Heard(side.own, start, now); got != 0 {
			t.Errorf("%s heard itself %.2f of the time", side.call.Direction(), got)
		}
		if gap := ear.LongestGap(now.Add(-400*time.Millisecond), now); gap > 100*time.Millisecond {
			t.Errorf("%s: gap of %s", side.call.Direction(), gap)
		}
	}
	if err := out.Hangup(patience(t)); err != nil {
		t.Fatal(err)
	}
	mustEnd(t, out, End{By: Local, Code: 200})
	mustEnd(t, in, End{By: Remote, Code: 200})
	a, b := out.Times(), in.Times()
	for _, p := range []struct {
		what           string
		sent, received time.Time
	}{
		{"INVITE", a.Invite, b.Invite},
		{"180", b.Ringing, a.Ringing},
		{"200", b.Answered, a.Answered},
		{"ACK", a.Acked, b.Acked},
		{"BYE", a.ByeSent, b.ByeReceived},
		{"end", a.Ended, b.Ended},
	} {
		if d := p.received.Sub(p.sent); p.sent.IsZero() || d < -time.Millisecond || d > 50*time.Millisecond {
			t.Errorf("%s sent %s, received %s later", p.what, p.sent.Format(time.StampMicro), d)
		}
	}
}

func TestCalleeHangsUpByItself(t *testing.T) {
	t.Parallel()
	caller, callee := pair(t, Config{Behaviour: Behaviour{Action: Answer, After: 50 * time.Millisecond, HangUpAfter: 200 * time.Millisecond}})
	out := dial(t, caller, DialOptions{})
	mustEnd(t, out, End{By: Remote, Code: 200})
	times := out.Times()
	if rang := times.Answered.Sub(times.Ringing); rang < 45*time.Millisecond || rang > 500*time.Millisecond {
		t.Errorf("rang %s, want 50ms", rang)
	}
	mustEnd(t, callee.Calls()[0], End{By: Local, Code: 200})
}

func TestRejectIgnoreAndSilence(t *testing.T) {
	t.Parallel()
	caller, callee := pair(t, Config{})
	for _, code := range []int{486, 480, 603} {
		if err := callee.SetBehaviour(RejectWith(code)); err != nil {
			t.Fatal(err)
		}
		out := dial(t, caller, DialOptions{})
		mustEnd(t, out, End{By: Remote, Code: code})
		var status *StatusError
		if err := out.WaitAnswer(patience(t)); !errors.As(err, &status) || status.Code != code {
			t.Errorf("WaitAnswer = %v, want status %d", err, code)
		}
		if out.Times().Rejected.IsZero() || !out.Times().Ringing.IsZero() {
			t.Errorf("times of a reject: %+v", out.Times())
		}
	}
	if err := callee.SetBehaviour(Unresponsive()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 700*time.Millisecond)
	defer cancel()
	out, err := caller.Dial(ctx, "2001", DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if n := callee.Dropped(); n < 2 {
		t.Errorf("silent phone dropped %d INVITEs, want the first and a repetition", n)
	}
	if out.Retransmitted() == 0 || !out.Times().Trying.IsZero() {
		t.Errorf("caller of a silent phone saw %+v", out.Times())
	}
}

func TestCancelReachesTheRingingPhone(t *testing.T) {
	t.Parallel()
	caller, callee := pair(t, Config{Behaviour: RingForever()})
	ctx, cancel := context.WithCancel(context.Background())
	out, err := caller.Dial(ctx, "2001", DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	<-out.Ringing()
	in, err := callee.WaitCall(patience(t))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	mustEnd(t, out, End{By: Local, Code: 487})
	mustEnd(t, in, End{By: Remote, Code: 487})
	if in.Times().CancelReceived.IsZero() || out.Times().CancelSent.IsZero() {
		t.Errorf("no time of the CANCEL: %+v, %+v", out.Times(), in.Times())
	}
}

func TestAnswerAndRejectByHand(t *testing.T) {
	t.Parallel()
	caller, callee := pair(t, Config{})
	out := dial(t, caller, DialOptions{})
	in, err := callee.WaitCall(patience(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Answer(patience(t)); err != nil {
		t.Fatal(err)
	}
	if err := in.Hangup(patience(t)); err != nil {
		t.Fatal(err)
	}
	mustEnd(t, out, End{By: Remote, Code: 200})

	out = dial(t, caller, DialOptions{})
	if in, err = callee.WaitCall(patience(t)); err != nil {
		t.Fatal(err)
	}
	if err := in.Reject(patience(t), 603); err != nil {
		t.Fatal(err)
	}
	mustEnd(t, out, End{By: Remote, Code: 603})
	if err := out.Answer(patience(t)); err == nil {
		t.Error("an outgoing call was answered by hand")
	}
}

func TestBusyPhoneRefusesASecondCall(t *testing.T) {
	t.Parallel()
	out, in := talking(t, Config{})
	second := open(t, Config{User: "3002", Registrar: in.phone.Addr()})
	c := dial(t, second, DialOptions{})
	mustEnd(t, c, End{By: Remote, Code: 486})
	if !out.Up() || !in.Up() {
		t.Error("the second caller disturbed the first")
	}
}

func TestDTMFArrivesWhole(t *testing.T) {
	t.Parallel()
	out, in := talking(t, Config{})
	const digits = "1123#*00A"
	if err := out.SendDTMF(patience(t), digits); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(2 * time.Second)
	for in.Ear().Digits() != digits && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if got := in.Ear().Digits(); got != digits {
		t.Errorf("heard %q, want %q", got, digits)
	}
	mustHear(t, in, callerHz, time.Now())
	for _, bad := range []string{"", "12x", strings.Repeat("1", maxDial+1)} {
		if err := out.SendDTMF(patience(t), bad); err == nil {
			t.Errorf("SendDTMF(%q) was accepted", bad)
		}
	}
}

func TestHoldSilencesBothWays(t *testing.T) {
	t.Parallel()
	out, in := talking(t, Config{})
	mustHear(t, in, callerHz, time.Now())
	if err := out.Hold(patience(t)); err != nil {
		t.Fatal(err)
	}
	held := time.Now().Add(150 * time.Millisecond)
	time.Sleep(550 * time.Millisecond)
	now := time.Now()
	if got := in.Ear().Heard(callerHz, held, now); got != 0 {
		t.Errorf("the held side heard the holder %.2f of the time", got)
	}
	if got := out.Ear().Silent(held, now); got < 0.99 {
		t.Errorf("the holder heard something: silent only %.2f of the time", got)
	}
	if err := out.Unhold(patience(t)); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	mustHear(t, in, callerHz, back)
	mustHear(t, out, agentHz, back)
	if out.Held() {
		t.Error("still held")
	}
}

func TestCallerIdentityArrivesWhole(t *testing.T) {
	t.Parallel()
	caller, callee := pair(t, Config{Behaviour: RejectWith(480)})
	name := `Müller, "O'Brien" \ ☎ ${EXTEN}` + "\r\nX-Evil: 1"
	out := dial(t, caller, DialOptions{
		CallerNumber: "+4930123", CallerName: name,
		Headers: []Header{{"Call-Info", "<sip:rm>;answer-after=0"}},
	})
	mustEnd(t, out, End{By: Remote, Code: 480})
	in := callee.Calls()[0]
	if want := strings.ReplaceAll(name, "\r\n", "  "); in.PeerName() != want || in.Peer() != "+4930123" {
		t.Errorf("caller %q %q, want %q +4930123", in.PeerName(), in.Peer(), want)
	}
	if got := in.Header("call-info"); got != "<sip:rm>;answer-after=0" {
		t.Errorf("Call-Info %q", got)
	}
	if in.Header("X-Evil") != "" {
		t.Error("a display name injected a header")
	}
	for _, bad := range []Header{{"X", "a\r\nb"}, {"X Y", "a"}, {"", "a"}, {"X:", "a"}} {
		if _, err := caller.Dial(context.Background(), "2001", DialOptions{Headers: []Header{bad}}); err == nil {
			t.Errorf("header %q was accepted", bad)
		}
	}
	for _, bad := range []string{"", "12 3", "1@2", "1\r\n", strings.Repeat("1", 65)} {
		if _, err := caller.Dial(context.Background(), bad, DialOptions{}); err == nil {
			t.Errorf("number %q was accepted", bad)
		}
	}
}

func TestUnpluggedPhoneIsGone(t *testing.T) {
	t.Parallel()
	out, in := talking(t, Config{})
	in.phone.Unplug(true)
	if err := out.Hangup(patience(t)); err == nil {
		t.Error("a BYE to nobody was answered")
	}
	if !in.Up() {
		t.Error("the unplugged phone heard of the BYE")
	}
	in.phone.Unplug(false)
}

func TestRecordingKeepsTheTimeline(t *testing.T) {
	t.Parallel()
	out, in := talking(t, Config{RecordDir: t.TempDir()})
	mustHear(t, in, callerHz, time.Now())
	began := in.Times().Answered
	time.Sleep(500 * time.Millisecond)
	if err := out.Hangup(patience(t)); err != nil {
		t.Fatal(err)
	}
	mustEnd(t, in, End{By: Remote, Code: 200})
	samples := readWAV(t, in.Recording())
	length := time.Duration(len(samples)) * time.Second / sampleRate
	if talked := in.Times().Ended.Sub(began); length < talked-200*time.Millisecond || length > talked+200*time.Millisecond {
		t.Errorf("recorded %s of a call of %s", length, talked)
	}
	last := samples[len(samples)-frameSamples:]
	if _, tones := newListener([]int{callerHz}).measure(last); tones != 1 {
		t.Error("the recording does not hold the caller's tone")
	}
}

func TestEventsTellTheStory(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var kinds []Kind
	out, in := talking(t, Config{OnEvent: func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		kinds = append(kinds, e.Kind)
	}})
	mustHear(t, in, callerHz, time.Now())
	if err := out.Hangup(patience(t)); err != nil {
		t.Fatal(err)
	}
	<-in.Done()
	mu.Lock()
	defer mu.Unlock()
	if want := []Kind{Ringing, Answered, HeardTone, Ended}; !slices.Equal(kinds, want) {
		t.Errorf("events %v, want %v", kinds, want)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	out, in := talking(t, Config{})
	if err := in.phone.Close(); err != nil {
		t.Fatal(err)
	}
	mustEnd(t, out, End{By: Remote, Code: 200})
	mustEnd(t, in, End{By: Local, Code: 200})
	if _, err := in.phone.Dial(context.Background(), "1", DialOptions{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed phone dialled: %v", err)
	}
}

// TestCloseAmongRequests: a phone that is closed in a hail of requests leaves neither socket nor goroutine, which
// TestMain looks for.
func TestCloseAmongRequests(t *testing.T) {
	for n := range 40 {
		p := open(t, Config{User: "closing"})
		var hail sync.WaitGroup
		stop := make(chan struct{})
		for range 4 {
			hail.Go(func() { askUntil(t, p.Addr(), stop) })
		}
		time.Sleep(time.Duration(n) * time.Millisecond)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		close(stop)
		hail.Wait()
	}
}

// askUntil sends requests outside a dialog to a phone, from one port.
func askUntil(t *testing.T, to string, stop <-chan struct{}) {
	conn, err := net.Dial("udp", to)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		method := []string{"OPTIONS", "BYE", "MESSAGE"}[n%3]
		_, _ = fmt.Fprintf(conn, "%s sip:closing@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bK%s%d\r\n"+
			"From: <sip:x@y>;tag=1\r\nTo: <sip:closing@%s>\r\nCall-ID: %s-%d\r\nCSeq: 1 %s\r\nContact: <sip:x@%s>\r\n"+
			"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n", method, to, conn.LocalAddr(), conn.LocalAddr(), n, to,
			conn.LocalAddr(), n, method, conn.LocalAddr())
		time.Sleep(time.Millisecond)
	}
}

func TestGarbageDoesNotKillThePhone(t *testing.T) {
	t.Parallel()
	out, in := talking(t, Config{})
	conn, err := net.Dial("udp", in.phone.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	dialog := "Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK1;rport\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: " +
		in.ID() + "\r\nCSeq: 99 %s\r\nContent-Length: 0\r\n\r\n"
	for _, m := range []string{"INFO", "NOTIFY", "INVITE", "REFER", "BYE", "ACK", "NONSENSE"} {
		_, _ = conn.Write([]byte(m + " sip:2001@127.0.0.1 SIP/2.0\r\n" + strings.ReplaceAll(dialog, "%s", m)))
	}
	for _, b := range []string{"", "\x00", "INVITE", "SIP/2.0", "SIP/2.0 200 OK\r\n\r\n", "INVITE a b SIP/2.0\r\n", strings.Repeat("x", 60000)} {
		_, _ = conn.Write([]byte(b))
	}
	rtp, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.ParseIP("127.0.0.1"), Port: in.dialog.Media().MediaSession().Laddr.Port})
	if err != nil {
		t.Fatal(err)
	}
	defer rtp.Close()
	for _, b := range []string{"", "x", strings.Repeat("\xff", 400)} {
		_, _ = rtp.Write([]byte(b))
	}
	mustHear(t, in, callerHz, time.Now().Add(200*time.Millisecond))
	mustHear(t, out, agentHz, time.Now())
	if !in.Up() {
		t.Error("garbage ended the call")
	}
}

// registrar is the part of a PBX that registers phones with digest authentication.
func registrar(t *testing.T, password string) (addr string, requests func() []*sip.Request) {
	t.Helper()
	quietLibraries()
	ua, err := sipgo.NewUA()
	if err != nil {
		t.Fatal(err)
	}
	server, err := sipgo.NewServer(ua)
	if err != nil {
		t.Fatal(err)
	}
	auth := diago.NewDigestServer()
	var mu sync.Mutex
	var seen []*sip.Request
	server.OnRegister(func(req *sip.Request, tx sip.ServerTransaction) {
		res, _ := auth.AuthorizeRequest(req, diago.DigestAuth{Username: "2001", Password: password, Realm: "test"})
		if res.StatusCode == http.StatusOK {
			mu.Lock()
			seen = append(seen, req)
			mu.Unlock()
			res.AppendHeader(sip.HeaderClone(req.GetHeader("Expires")))
		}
		_ = tx.Respond(res)
	})
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.ServeUDP(conn)
	}()
	t.Cleanup(func() {
		auth.Close()
		_ = ua.Close()
		_ = conn.Close()
		<-served
	})
	return conn.LocalAddr().String(), func() []*sip.Request {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

func TestRegisterRenewAndUnregister(t *testing.T) {
	t.Parallel()
	addr, requests := registrar(t, "secret")
	p := open(t, Config{User: "2001", Password: "secret", Registrar: addr, Expiry: 2 * time.Second})
	if err := p.Register(patience(t)); err != nil {
		t.Fatal(err)
	}
	if !p.Registered() {
		t.Error("not registered")
	}
	if err := p.Register(patience(t)); err == nil {
		t.Error("registered twice")
	}
	deadline := time.Now().Add(4 * time.Second)
	for len(requests()) < 2 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if n := len(requests()); n < 2 {
		t.Fatalf("%d registrations, want a renewal before 2s are over", n)
	}
	if err := p.Unregister(patience(t)); err != nil {
		t.Fatal(err)
	}
	all := requests()
	last := all[len(all)-1]
	if last.GetHeader("Expires").Value() != "0" || !strings.Contains(last.Contact().Value(), p.Addr()) {
		t.Errorf("unregistered with %q", last.String())
	}
	if p.Registered() || p.Unregister(patience(t)) != nil {
		t.Error("a second Unregister is no work")
	}
}

func TestWrongPasswordIsAStatus(t *testing.T) {
	t.Parallel()
	addr, _ := registrar(t, "secret")
	p := open(t, Config{User: "2001", Password: "wrong", Registrar: addr})
	var status *StatusError
	if err := p.Register(patience(t)); !errors.As(err, &status) || status.Code != 401 {
		t.Errorf("Register = %v, want status 401", err)
	}
	if p.Registered() {
		t.Error("registered with a wrong password")
	}
}

func TestConfigNamesEveryWrongField(t *testing.T) {
	t.Parallel()
	_, err := New(Config{
		User: "a b", RTPPortMin: 10, RTPPortMax: 20, Expiry: time.Second, ToneHz: 10, Tones: []int{440, 450},
		Behaviour: Behaviour{Action: "dance"},
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"user", "rtp ports", "expiry", "tone 10", "440 and 450", "dance", "registrar"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not name %q", err, want)
		}
	}
}

// Whoever wins, nobody may be left with half a call.
func TestCancelCrossingTheAnswer(t *testing.T) {
	t.Parallel()
	const ring = 10 * time.Millisecond
	caller, callee := pair(t, Config{Behaviour: AnswerAfter(ring), CallWaiting: true})
	outcomes := make(map[int]int)
	for i := range 60 {
		ctx, cancel := context.WithTimeout(context.Background(), ring+time.Duration(i-20)*100*time.Microsecond)
		out, err := caller.Dial(ctx, "2001", DialOptions{HangUpAfter: 10 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		end, err := out.WaitEnd(patience(t))
		cancel()
		if err != nil || end.By != Local || end.Err != nil {
			t.Errorf("call %d ended %+v (%v)", i, end, err)
		}
		outcomes[end.Code]++
	}
	t.Logf("outcomes by status: %v", outcomes)
	for _, in := range callee.Calls() {
		if _, err := in.WaitEnd(patience(t)); err != nil {
			t.Errorf("the callee still talks: %v", err)
		}
	}
}
