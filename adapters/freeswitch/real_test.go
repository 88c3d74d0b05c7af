package freeswitch

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// These tests are about what the conformance suite does not ask, or only a
// FreeSWITCH does.

// minter makes ids no other run has used.
var minter = orchestrator.Minter{Space: uint64(time.Now().UnixNano())}

func newID() string { return minter.Mint(time.Now(), epochs.Add(1), 0) }

func stampFor(leg orchestrator.LegID, role orchestrator.LegRole) orchestrator.Stamp {
	return orchestrator.Stamp{Tenant: "test", Call: "call", Leg: leg, Role: role, Epoch: 1}
}

// atWork is an adapter at the place, synced.
func atWork(t *testing.T, change func(*Config)) *office {
	t.Helper()
	p := atPlace(t)
	cfg := p.config(t)
	if change != nil {
		change(&cfg)
	}
	sw, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, desk := range p.phones {
		if err := desk.SetBehaviour(phone.AnswerAfter(0)); err != nil {
			t.Fatal(err)
		}
	}
	o := openOffice(t, sw, p)
	expect[orchestrator.SwitchSynced](o, 0, nil)
	return o
}

// arrives is a caller who is claimed, and answered if so wanted.
func (o *office) arrives(answered bool) (*far, orchestrator.LegID) {
	o.Helper()
	mark := o.mark()
	c, err := o.trunk.Dial(context.Background(), "4930555", phone.DialOptions{CallerNumber: "4912345", CallerName: "Clara"})
	if err != nil {
		o.Fatal(err)
	}
	f := &far{c}
	o.Cleanup(func() { _ = f.Hangup() })
	e, _ := expect(o, mark, func(e orchestrator.LegOffered) bool { return e.Entry == orchestrator.EntryIn })
	o.must(orchestrator.Claim{Leg: e.Leg, Stamp: stampFor(e.Leg, orchestrator.RoleCaller)})
	if answered {
		o.must(orchestrator.Answer{Leg: e.Leg})
		expect(o, mark, func(u orchestrator.LegUp) bool { return u.Leg == e.Leg })
	}
	return f, e.Leg
}

// reaches is the n-th phone, dialled and answered.
func (o *office) reaches(n int) (*far, orchestrator.LegID) {
	o.Helper()
	mark := o.mark()
	leg := orchestrator.LegID(newID())
	o.must(orchestrator.Dial{
		Leg: leg, Stamp: stampFor(leg, orchestrator.RoleAgent), Endpoint: "user/" + o.phones[n].User(),
		Display: orchestrator.Party{Number: "4711", Name: "Support"}, Timeout: 10000,
	})
	expect(o, mark, func(u orchestrator.LegUp) bool { return u.Leg == leg })
	for _, c := range o.phones[n].Calls() {
		if c.Up() && c.Direction() == phone.Incoming {
			f := &far{c}
			o.Cleanup(func() { _ = f.Hangup() })
			return f, leg
		}
	}
	o.Fatal("the phone has no call")
	return nil, ""
}

type talk struct {
	caller, agent *far
	a, b          orchestrator.LegID
	bridge        orchestrator.BridgeID
}

func (o *office) talks() talk {
	o.Helper()
	var p talk
	p.caller, p.a = o.arrives(true)
	p.agent, p.b = o.reaches(0)
	p.bridge = orchestrator.BridgeID(newID())
	mark := o.mark()
	o.must(orchestrator.Connect{Bridge: p.bridge, Stamp: stampFor(p.a, orchestrator.RoleBridge), A: p.a, B: p.b})
	expect(o, mark, func(e orchestrator.Joined) bool { return e.Leg == p.a })
	expect(o, mark, func(e orchestrator.Joined) bool { return e.Leg == p.b })
	return p
}

// hears fails unless f hears, or does not hear, a tone soon.
func (o *office) hears(who string, f *far, hz int, want bool) {
	o.Helper()
	within := 3 * time.Second
	if !want {
		time.Sleep(400 * time.Millisecond) // What is on its way arrives first.
		within = 500 * time.Millisecond
	}
	if got := f.Hears(hz, within); got != want {
		o.Errorf("%s hears %d Hz: %v, want %v", who, hz, got, want)
	}
}

func tones(t *testing.T, pairs ...any) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if err := pairs[i].(*far).Tone(pairs[i+1].(int)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecordingIsStereoAndMaskedOnBothSides(t *testing.T) {
	o := atWork(t, nil)
	p := o.talks()
	tones(t, p.caller, 600, p.agent, 1000)
	rec := orchestrator.RecordingID(newID())
	o.must(orchestrator.StartRecording{Leg: p.a, Recording: rec})
	expect(o, 0, func(e orchestrator.RecordingStarted) bool { return e.Recording == rec && e.Leg == p.a })
	if result, _ := o.do(orchestrator.StartRecording{Leg: p.a, Recording: rec}); result != orchestrator.ResultAlready {
		t.Errorf("repeated start: %s", result)
	}
	time.Sleep(1500 * time.Millisecond)
	for range 3 { // A repeated mask must not un-mask.
		o.must(orchestrator.Mask{Leg: p.a, Recording: rec})
	}
	time.Sleep(1500 * time.Millisecond)
	o.must(orchestrator.Mask{Leg: p.a, Recording: rec, Off: true})
	time.Sleep(1500 * time.Millisecond)
	o.must(orchestrator.StopRecording{Leg: p.a, Recording: rec})
	done, _ := expect(o, 0, func(e orchestrator.RecordingDone) bool { return e.Recording == rec })
	if done.Fault != "" || len(done.Files) != 1 || done.Length < 4200 || done.Length > 5200 {
		t.Errorf("done %+v, want one file of about 4.5 s", done)
	}
	if result, _ := o.do(orchestrator.StopRecording{Leg: p.a, Recording: rec}); result != orchestrator.ResultAlready {
		t.Errorf("repeated stop: %s", result)
	}
	left, right := readStereo(t, done.Files[0])
	for name, side := range map[string][]int16{"left": left, "right": right} {
		if loud(side, 500, 1300) < 500 || loud(side, 1700, 2800) > 30 || loud(side, 3300, 4200) < 500 {
			t.Errorf("%s: loudness %.0f, masked %.0f, %.0f: want tone, silence, tone", name,
				loud(side, 500, 1300), loud(side, 1700, 2800), loud(side, 3300, 4200))
		}
	}
	if l, r := pitch(left[4000:10000]), pitch(right[4000:10000]); math.Abs(l-600) > 30 || math.Abs(r-1000) > 30 {
		t.Errorf("left is %.0f Hz and right %.0f Hz, want what the caller says, 600, and what it hears, 1000", l, r)
	}
}

// readStereo reads a WAV file of two channels at 8 kHz.
func readStereo(t *testing.T, path string) (left, right []int16) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i := strings.Index(string(raw), "data")
	if i < 0 || binary.LittleEndian.Uint16(raw[22:]) != 2 || binary.LittleEndian.Uint32(raw[24:]) != 8000 {
		t.Fatalf("%s is not a WAV file of two channels at 8 kHz", path)
	}
	for raw = raw[i+8:]; len(raw) >= 4; raw = raw[4:] {
		left = append(left, int16(binary.LittleEndian.Uint16(raw)))
		right = append(right, int16(binary.LittleEndian.Uint16(raw[2:])))
	}
	return left, right
}

// loud is the mean loudness between two instants in milliseconds.
func loud(s []int16, from, to int) float64 {
	s = s[min(from*8, len(s)):min(to*8, len(s))]
	var sum float64
	for _, v := range s {
		sum += math.Abs(float64(v))
	}
	return sum / float64(max(len(s), 1))
}

// pitch counts how often a tone crosses zero, in the median of slices of 0.1 s: a
// busy machine loses a packet now and then.
func pitch(s []int16) float64 {
	var each []int
	for slice := range slices.Chunk(s, 800) {
		crossings := 0
		for i := 1; i < len(slice); i++ {
			if slice[i-1] < 0 && slice[i] >= 0 {
				crossings++
			}
		}
		each = append(each, crossings)
	}
	slices.Sort(each)
	return float64(each[len(each)/2]) * 10
}

// FreeSWITCH says yes to some paths it cannot write and tells a beginning and an
// end as if all were well.
func TestRecordingThatCannotBeWrittenIsAFault(t *testing.T) {
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{blocked + "/below", "/proc/nowhere", "/dev/full"} {
		t.Run(folder[:5], func(t *testing.T) {
			o := atWork(t, func(c *Config) { c.Recordings = folder })
			p := o.talks()
			rec := orchestrator.RecordingID(newID())
			result, reason := o.do(orchestrator.StartRecording{Leg: p.a, Recording: rec})
			t.Logf("%s: %s %s", folder, result, reason)
			if result == orchestrator.ResultAccepted {
				done, _ := expect(o, 0, func(e orchestrator.RecordingDone) bool { return e.Recording == rec })
				if done.Fault == "" || len(done.Files) != 0 {
					t.Errorf("done %+v, want a fault and no file", done)
				}
			}
			if n := count[orchestrator.RecordingStarted](o, 0, nil); n != 0 {
				t.Error("it was told as begun")
			}
			if !p.caller.Up() {
				t.Error("the recording ended the call")
			}
		})
	}
}

func TestRecordingIsFoundAgainAndEndsWithItsLeg(t *testing.T) {
	o := atWork(t, nil)
	p := o.talks()
	rec := orchestrator.RecordingID(newID())
	o.must(orchestrator.StartRecording{Leg: p.a, Recording: rec})
	expect(o, 0, func(e orchestrator.RecordingStarted) bool { return e.Recording == rec })
	o.stop()
	next := atWork(t, nil)
	next.must(orchestrator.Mask{Leg: p.a, Recording: rec})
	if err := p.caller.Hangup(); err != nil {
		t.Fatal(err)
	}
	expect(next, 0, func(e orchestrator.LegEnded) bool { return e.Leg == p.a })
	next.mu.Lock()
	defer next.mu.Unlock()
	for _, s := range next.seen {
		switch e := s.event.(type) {
		case orchestrator.RecordingDone:
			if e.Recording == rec && e.Fault == "" && len(e.Files) == 1 {
				return
			}
		case orchestrator.LegEnded:
			if e.Leg == p.a {
				t.Fatal("the leg's end was told before its recording's")
			}
		}
	}
}

func TestSupervisorListensWhispersAndBargesInOneTalk(t *testing.T) {
	o := atWork(t, nil)
	p := o.talks()
	boss, s := o.reaches(1)
	tones(t, p.caller, 600, p.agent, 1000, boss, 1400)
	supervise := func(mode orchestrator.Supervision) {
		o.must(orchestrator.Supervise{Leg: s, Target: p.b, Mode: mode})
	}
	supervise(orchestrator.Listen)
	o.hears("the supervisor", boss, 600, true)
	o.hears("the supervisor", boss, 1000, true)
	o.hears("the agent", p.agent, 1400, false)
	o.hears("the caller", p.caller, 1400, false)
	supervise(orchestrator.Whisper)
	o.hears("the agent", p.agent, 1400, true)
	o.hears("the caller", p.caller, 1400, false)
	supervise(orchestrator.Barge)
	o.hears("the caller", p.caller, 1400, true)
	o.hears("the agent", p.agent, 1400, true)
	if result, _ := o.do(orchestrator.Supervise{Leg: s, Target: p.b, Mode: orchestrator.Barge}); result != orchestrator.ResultAlready {
		t.Errorf("repeated: %s", result)
	}
	supervise(orchestrator.Listen)
	o.hears("the caller", p.caller, 1400, false)
	o.hears("the supervisor", boss, 600, true)
	if n := count(o, 0, func(e orchestrator.Digit) bool { return e.Leg == s }); n != 0 {
		t.Errorf("%d changes of mode were told as digits", n)
	}
	o.must(orchestrator.StopSupervising{Leg: s})
	o.hears("the supervisor", boss, 600, false)
	if !boss.Up() {
		t.Error("the end of the supervision ended the supervisor's leg")
	}
	play := orchestrator.PlayID(newID())
	o.must(orchestrator.Play{Leg: s, Play: play, Media: []orchestrator.Media{{File: o.prompt}}})
	expect(o, 0, func(e orchestrator.PlayDone) bool { return e.Play == play && e.Status == orchestrator.PlayFinished })
}

func TestSupervisionBeginsInAnyMode(t *testing.T) {
	o := atWork(t, nil)
	p := o.talks()
	boss, s := o.reaches(1)
	tones(t, p.caller, 600, p.agent, 1000, boss, 1400)
	o.must(orchestrator.Supervise{Leg: s, Target: p.b, Mode: orchestrator.Barge})
	o.hears("the caller", p.caller, 1400, true)
	o.hears("the agent", p.agent, 1400, true)
	o.must(orchestrator.StopSupervising{Leg: s})
	o.hears("the caller", p.caller, 1400, false)
	o.must(orchestrator.Supervise{Leg: s, Target: p.b, Mode: orchestrator.Whisper})
	o.hears("the agent", p.agent, 1400, true)
	o.hears("the caller", p.caller, 1400, false)
}

func TestMuteEachDirection(t *testing.T) {
	o := atWork(t, nil)
	p := o.talks()
	tones(t, p.caller, 600, p.agent, 1000)
	mute := func(d orchestrator.Direction, off bool) { o.must(orchestrator.Mute{Leg: p.b, Direction: d, Off: off}) }
	mute(orchestrator.MuteIn, false)
	mute(orchestrator.MuteIn, false)
	o.hears("the caller", p.caller, 1000, false)
	o.hears("the muted agent", p.agent, 600, true)
	mute(orchestrator.MuteOut, false)
	o.hears("the deafened agent", p.agent, 600, false)
	mute(orchestrator.MuteIn, true)
	o.hears("the caller", p.caller, 1000, true)
	o.hears("the deafened agent", p.agent, 600, false)
	mute(orchestrator.MuteOut, true)
	o.hears("the agent", p.agent, 600, true)
}

func TestRingThenEarlyMediaBeforeTheAnswer(t *testing.T) {
	o := atWork(t, nil)
	caller, leg := o.arrives(false)
	o.must(orchestrator.Ring{Leg: leg})
	deadline := time.Now().Add(3 * time.Second)
	for !caller.Ringing() && time.Now().Before(deadline) {
		time.Sleep(5 * time.Millisecond)
	}
	if !caller.Ringing() {
		t.Error("the caller does not hear that it rings")
	}
	if result, _ := o.do(orchestrator.Ring{Leg: leg}); result != orchestrator.ResultAlready {
		t.Errorf("repeated ring: %s", result)
	}
	o.must(orchestrator.EarlyMedia{Leg: leg})
	play := orchestrator.PlayID(newID())
	o.must(orchestrator.Play{Leg: leg, Play: play, Media: []orchestrator.Media{{File: o.prompt}, {File: o.prompt}}})
	expect(o, 0, func(e orchestrator.PlayDone) bool { return e.Play == play && e.Status == orchestrator.PlayFinished })
	if caller.Up() {
		t.Error("early media answered the call")
	}
	o.must(orchestrator.Answer{Leg: leg})
	expect(o, 0, func(e orchestrator.LegUp) bool { return e.Leg == leg })
}

// What FreeSWITCH answers may look like a refusal of its own.
func TestVariablesComeBackAsTheyWere(t *testing.T) {
	o := atWork(t, nil)
	_, leg := o.arrives(true)
	for _, value := range []string{"", "x", "a b  c", " a ", "-ERR no", "Müller 漢字", "undef", "_undef_x", "a=b"} {
		mark := o.mark()
		o.must(orchestrator.SetVariable{Leg: leg, Name: "Note", Value: value})
		o.must(orchestrator.ReadVariable{Leg: leg, Name: "Note"})
		e, _ := expect(o, mark, func(e orchestrator.VariableRead) bool { return e.Leg == leg })
		if e.Name != "Note" || e.Value != strings.TrimSpace(value) {
			t.Errorf("%q came back as %q", value, e.Value)
		}
	}
}

func TestDisplayIsTaken(t *testing.T) {
	o := atWork(t, nil)
	p := o.talks()
	for _, name := range []string{"Anna", `O'Brien, "Bob" <x>;a=b|c`, "Zoë 漢字 ${x}"} {
		o.must(orchestrator.Display{Leg: p.b, Party: orchestrator.Party{Number: "+4930", Name: name}})
	}
	if !p.agent.Up() || !p.caller.Up() {
		t.Error("the display ended the talk")
	}
}

func TestMachineDetectionIsSaidToBeMissing(t *testing.T) {
	o := atWork(t, nil)
	_, leg := o.arrives(true)
	if o.sw.Capabilities().DetectsMachine {
		t.Error("claimed")
	}
	if result, reason := o.do(orchestrator.DetectMachine{Leg: leg}); result != orchestrator.ResultRejected || reason != orchestrator.ReasonUnsupported {
		t.Errorf("%s %s", result, reason)
	}
}
