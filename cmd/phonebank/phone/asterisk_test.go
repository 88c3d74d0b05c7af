package phone_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/docker/lab"
)

// dialplan is what the phones call in these tests: each other, a menu, early media and music.
const dialplan = `[rm-agents]
exten => _1XXX,1,Dial(PJSIP/${EXTEN},20)
 same => n,Hangup(${HANGUPCAUSE})
exten => 700,1,Answer()
 same => n,Read(D,,4,,,4)
 same => n,Set(CALLERID(name)=${D})
 same => n,Dial(PJSIP/1002,20)
exten => 701,1,Progress()
 same => n,MusicOnHold(` + lab.MusicClass + `,2)
 same => n,Answer()
 same => n,Wait(5)
exten => 702,1,Hangup(17)
[rm-inbound]
exten => _X.,1,Dial(PJSIP/${EXTEN},20)
`

// startPBX is an Asterisk with the lab's phones and the dialplan above, or the reason to skip.
func startPBX(t *testing.T, phones int) *lab.Asterisk {
	t.Helper()
	if err := lab.Available(); err != nil {
		t.Skipf("SKIPPED, no Asterisk to test with: %v", err)
	}
	dir, err := os.MkdirTemp("", "rmpb")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	a, err := lab.Start(ctx, lab.Config{Agents: phones, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(a.Stop(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	edit(t, dir, "extensions.conf", func(string) string { return dialplan })
	edit(t, dir, "modules.conf", func(s string) string { return s + "load=app_read.so\n" })
	// The phones' transfers are Asterisk's own business here, not Ringmaster's.
	edit(t, dir, "pjsip.conf", func(s string) string {
		return regexp.MustCompile(`(?m)^set_var=.*$`).ReplaceAllString(s, "trust_id_inbound=yes")
	})
	if err := a.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	return a
}

func edit(t *testing.T, dir, name string, change func(string) string) {
	t.Helper()
	path := filepath.Join(dir, "etc", name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(change(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// bench is the registered phones of one Asterisk; phone i says toneOf(i).
type bench struct {
	*testing.T
	phones []*phone.Phone
}

func toneOf(i int) int { return 1000 + 80*i }

func plugIn(t *testing.T, a *lab.Asterisk) *bench {
	t.Helper()
	b := &bench{T: t, phones: make([]*phone.Phone, len(a.Agents))}
	tones := []int{lab.MusicHz, lab.HoldHz}
	for i := range a.Agents {
		tones = append(tones, toneOf(i))
	}
	for i, agent := range a.Agents {
		p, err := phone.New(phone.Config{
			User: agent.Number, Password: agent.Password, Registrar: a.SIPAddr, ToneHz: toneOf(i), Tones: tones,
			Behaviour: phone.AnswerAfter(50 * time.Millisecond), CallWaiting: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		b.phones[i] = p
		t.Cleanup(func() {
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
		if err := p.Register(within(t, 5*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// connect calls from phone i to phone j and waits until both are up.
func (b *bench) connect(i, j int) (out, in *phone.Call) {
	b.Helper()
	out, err := b.phones[i].Dial(context.Background(), b.phones[j].User(), phone.DialOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return out, b.up(out, j)
}

// up waits until a call that was just placed is up at both ends.
func (b *bench) up(out *phone.Call, j int) (in *phone.Call) {
	b.Helper()
	ctx := within(b.T, 5*time.Second)
	in, err := b.phones[j].WaitCall(ctx)
	if err != nil {
		b.Fatal(err)
	}
	if err := errors.Join(out.WaitAnswer(ctx), in.WaitAnswer(ctx)); err != nil {
		b.Fatal(err)
	}
	return in
}

func (b *bench) hears(c *phone.Call, hz int, what string) {
	b.Helper()
	if _, err := c.Ear().WaitTone(within(b.T, 3*time.Second), hz, time.Now()); err != nil {
		b.Errorf("%s: %v; heard %v", what, err, c.Ear().Tones())
	}
}

func (b *bench) ends(c *phone.Call, by phone.Party, code int) {
	b.Helper()
	end, err := c.WaitEnd(within(b.T, 5*time.Second))
	if err != nil || end.By != by || end.Code != code || end.Err != nil {
		b.Errorf("%s call with %s ended %+v (%v), want by %s with %d", c.Direction(), c.Peer(), end, err, by, code)
	}
}

func (b *bench) hangUp(c *phone.Call) {
	b.Helper()
	if err := c.Hangup(within(b.T, 5*time.Second)); err != nil {
		b.Error(err)
	}
}

// sub runs one story on the shared phones, which it must leave idle and fetched.
func (b *bench) sub(name string, story func(b *bench)) {
	b.Run(name, func(t *testing.T) {
		story(&bench{t, b.phones})
		for _, p := range b.phones {
			for _, c := range p.Calls() {
				if _, err := c.WaitEnd(within(t, 3*time.Second)); err != nil {
					t.Errorf("phone %s still has a call with %s", p.User(), c.Peer())
					_ = c.Hangup(within(t, 3*time.Second))
				}
			}
			_ = p.SetBehaviour(phone.AnswerAfter(50 * time.Millisecond))
		}
	})
}

func TestThroughAsterisk(t *testing.T) {
	t.Parallel()
	a := startPBX(t, 20)
	b := plugIn(t, a)
	b.sub("tones both ways", testTones)
	b.sub("digits into a menu and through a bridge", testDigits)
	b.sub("early media", testEarlyMedia)
	b.sub("hold", testHold)
	b.sub("blind transfer", testBlindTransfer)
	b.sub("attended transfer", testAttendedTransfer)
	b.sub("rejected", testRejected)
	b.sub("cancelled", testCancelled)
	b.sub("caller identity", testIdentity)
	b.sub("twenty phones at once", testTwenty)
	b.sub("the PBX dies", func(b *bench) { testPBXDies(b, a) })
}

func testTones(b *bench) {
	out, in := b.connect(0, 1)
	b.hears(out, toneOf(1), "caller hears callee")
	b.hears(in, toneOf(0), "callee hears caller")
	if got := out.Ear().Tones(); len(got) != 1 {
		b.Errorf("caller heard %v", got)
	}
	if lag := in.Times().Invite.Sub(out.Times().Invite); lag <= 0 || lag > time.Second {
		b.Errorf("the PBX passed the INVITE on after %s", lag)
	}
	if rang := in.Times().Answered.Sub(in.Times().Ringing); rang < 45*time.Millisecond || rang > time.Second {
		b.Errorf("rang %s", rang)
	}
	b.hangUp(in)
	b.ends(in, phone.Local, 200)
	b.ends(out, phone.Remote, 200)
}

func testDigits(b *bench) {
	out, err := b.phones[0].Dial(context.Background(), "700", phone.DialOptions{})
	if err != nil {
		b.Fatal(err)
	}
	if err := out.WaitAnswer(within(b.T, 3*time.Second)); err != nil {
		b.Fatal(err)
	}
	if err := out.SendDTMF(within(b.T, 3*time.Second), "1155"); err != nil {
		b.Fatal(err)
	}
	in := b.up(out, 1)
	if in.PeerName() != "1155" {
		b.Errorf("the menu heard %q, want 1155", in.PeerName())
	}
	b.hears(in, toneOf(0), "callee hears caller")
	if err := in.SendDTMF(within(b.T, 3*time.Second), "99*#0"); err != nil {
		b.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Second); out.Ear().Digits() != "99*#0" && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if got := out.Ear().Digits(); got != "99*#0" {
		b.Errorf("the caller heard digits %q, want 99*#0", got)
	}
	b.hangUp(out)
	b.ends(in, phone.Remote, 200)
}

func testEarlyMedia(b *bench) {
	out, err := b.phones[0].Dial(context.Background(), "701", phone.DialOptions{})
	if err != nil {
		b.Fatal(err)
	}
	if err := out.WaitAnswer(within(b.T, 5*time.Second)); err != nil {
		b.Fatal(err)
	}
	t := out.Times()
	if got := out.Ear().Heard(lab.MusicHz, t.Progress.Add(300*time.Millisecond), t.Answered); got < 0.9 {
		b.Errorf("early music heard %.2f of the time from %s to %s", got, t.Progress, t.Answered)
	}
	b.hangUp(out)
}

func testHold(b *bench) {
	for name, holdByCallee := range map[string]bool{"by the caller": false, "by the callee": true} {
		out, in := b.connect(0, 1)
		holder, other, tone := out, in, toneOf(0)
		if holdByCallee {
			holder, other, tone = in, out, toneOf(1)
		}
		b.hears(other, tone, name+": before the hold")
		if err := holder.Hold(within(b.T, 3*time.Second)); err != nil {
			b.Fatal(err)
		}
		b.hears(other, lab.HoldHz, name+": music on hold")
		since := time.Now()
		time.Sleep(300 * time.Millisecond)
		if got := other.Ear().Heard(tone, since, time.Now()); got > 0 {
			b.Errorf("%s: the holder was heard %.2f of the time", name, got)
		}
		if err := holder.Unhold(within(b.T, 3*time.Second)); err != nil {
			b.Fatal(err)
		}
		b.hears(other, tone, name+": after the hold")
		b.hangUp(out)
		b.ends(in, phone.Remote, 200)
	}
}

func testBlindTransfer(b *bench) {
	for name, byCallee := range map[string]bool{"by the caller": false, "by the callee": true} {
		out, in := b.connect(0, 1)
		moves, stays, tone := in, out, toneOf(0)
		if !byCallee {
			moves, stays, tone = out, in, toneOf(1)
		}
		b.hears(stays, map[bool]int{true: toneOf(1), false: toneOf(0)}[byCallee], name+": before")
		if err := moves.Transfer(within(b.T, 5*time.Second), b.phones[2].User()); err != nil {
			b.Fatal(err)
		}
		third := b.up(stays, 2)
		b.hears(stays, toneOf(2), name+": the moved side hears the target")
		b.hears(third, tone, name+": the target hears the moved side")
		if moves.Up() {
			b.Errorf("%s: who transferred is still there", name)
		}
		b.hangUp(third)
		b.ends(stays, phone.Remote, 200)
	}
}

func testAttendedTransfer(b *bench) {
	out, in := b.connect(0, 1)
	if err := in.Hold(within(b.T, 3*time.Second)); err != nil {
		b.Fatal(err)
	}
	consult, third := b.connect(1, 2)
	b.hears(third, toneOf(1), "the target hears the agent")
	if err := in.TransferTo(within(b.T, 5*time.Second), consult); err != nil {
		b.Fatal(err)
	}
	b.hears(out, toneOf(2), "the caller hears the target")
	b.hears(third, toneOf(0), "the target hears the caller")
	if in.Up() || consult.Up() {
		b.Error("the agent who transferred is still there")
	}
	b.hangUp(out)
	b.ends(third, phone.Remote, 200)
}

func testRejected(b *bench) {
	// What the caller is told is Asterisk's translation by way of Q.850 causes: 603 becomes 21, and that 403.
	for code, told := range map[int]int{486: 486, 480: 480, 603: 403} {
		if err := b.phones[1].SetBehaviour(phone.RejectWith(code)); err != nil {
			b.Fatal(err)
		}
		out, err := b.phones[0].Dial(context.Background(), b.phones[1].User(), phone.DialOptions{})
		if err != nil {
			b.Fatal(err)
		}
		b.ends(out, phone.Remote, told)
		in, err := b.phones[1].WaitCall(within(b.T, time.Second))
		if err != nil {
			b.Fatal(err)
		}
		b.ends(in, phone.Local, code)
	}
	out, err := b.phones[0].Dial(context.Background(), "702", phone.DialOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.ends(out, phone.Remote, 486)
	if len(out.End().Reasons) == 0 || !strings.Contains(out.End().Reasons[0], "Q.850;cause=17") {
		b.Errorf("reasons %q", out.End().Reasons)
	}
}

func testCancelled(b *bench) {
	if err := b.phones[1].SetBehaviour(phone.RingForever()); err != nil {
		b.Fatal(err)
	}
	ctx, giveUp := context.WithCancel(context.Background())
	out, err := b.phones[0].Dial(ctx, b.phones[1].User(), phone.DialOptions{})
	if err != nil {
		b.Fatal(err)
	}
	in, err := b.phones[1].WaitCall(within(b.T, 3*time.Second))
	if err != nil {
		b.Fatal(err)
	}
	select {
	case <-out.Ringing():
	case <-time.After(3 * time.Second):
		b.Error("the caller heard no ringing")
	}
	giveUp()
	b.ends(out, phone.Local, 487)
	b.ends(in, phone.Remote, 487)
	if lag := in.Times().CancelReceived.Sub(out.Times().CancelSent); lag <= 0 || lag > time.Second {
		b.Errorf("the CANCEL arrived after %s", lag)
	}
	if len(in.End().Reasons) == 0 {
		b.Error("no Reason on the CANCEL")
	}
}

func testIdentity(b *bench) {
	// Without quotes: PJSIP does not undo their escaping and then escapes them once more.
	const name = `Müller, O'Brien ${EXTEN} ☎`
	out, err := b.phones[0].Dial(context.Background(), b.phones[1].User(), phone.DialOptions{CallerNumber: "+49301234", CallerName: name})
	if err != nil {
		b.Fatal(err)
	}
	in := b.up(out, 1)
	if in.Peer() != "+49301234" || in.PeerName() != name {
		b.Errorf("the callee saw %q %q", in.PeerName(), in.Peer())
	}
	b.hangUp(out)
	b.ends(in, phone.Remote, 200)
}

func testTwenty(b *bench) {
	half := len(b.phones) / 2
	var wg sync.WaitGroup
	verdicts := make(chan error, 2*half)
	for i := range half {
		wg.Go(func() { verdicts <- talkTo(b.phones[i], b.phones[half+i], toneOf(i), toneOf(half+i)) })
	}
	wg.Wait()
	close(verdicts)
	for err := range verdicts {
		if err != nil {
			b.Error(err)
		}
	}
}

// talkTo calls from one phone to another for two seconds; each must hear the other and nobody else.
func talkTo(from, to *phone.Phone, fromHz, toHz int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := from.Dial(ctx, to.User(), phone.DialOptions{})
	if err != nil {
		return err
	}
	in, err := to.WaitCall(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(out.WaitAnswer(ctx), in.WaitAnswer(ctx)); err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	now := time.Now()
	var errs []error
	for c, hz := range map[*phone.Call]int{out: toHz, in: fromHz} {
		if got := c.Ear().Heard(hz, now.Add(-1500*time.Millisecond), now); got < 0.9 {
			errs = append(errs, fmt.Errorf("%s call with %s heard %d Hz only %.2f of the time", c.Direction(), c.Peer(), hz, got))
		}
		if tones := c.Ear().Tones(); len(tones) != 1 {
			errs = append(errs, fmt.Errorf("%s call with %s heard %v", c.Direction(), c.Peer(), tones))
		}
	}
	return errors.Join(append(errs, out.Hangup(ctx))...)
}

// A PBX that dies leaves the phones with calls nobody ends; they must still be able to stop.
func testPBXDies(b *bench, a *lab.Asterisk) {
	out, in := b.connect(0, 1)
	b.hears(out, toneOf(1), "before")
	a.Kill()
	cancelled, err := b.phones[2].Dial(context.Background(), b.phones[3].User(), phone.DialOptions{})
	if err != nil {
		b.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	if gap := out.Ear().LongestGap(time.Now().Add(-400*time.Millisecond), time.Now()); gap < 300*time.Millisecond {
		b.Errorf("sound from a dead PBX: longest gap %s", gap)
	}
	begun := time.Now()
	var wg sync.WaitGroup
	for _, p := range b.phones[:4] {
		wg.Go(func() { _ = p.Close() })
	}
	wg.Wait()
	if took := time.Since(begun); took > 8*time.Second {
		b.Errorf("closing took %s", took)
	}
	for _, c := range []*phone.Call{out, in, cancelled} {
		if c.End().By == "" {
			b.Errorf("%s call with %s did not end", c.Direction(), c.Peer())
		}
	}
}
