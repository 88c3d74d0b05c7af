package asterisk

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringmaster/orchestrator"
)

const recID = "0199aaaa-0000-7000-8000-000000000001"

// recording is a leg of the fake that is being recorded.
func (f *fake) recording(o *office) {
	f.Helper()
	f.on("POST /channels/1/snoop/"+recID+"-in", f.tapping)
	f.on("POST /channels/1/snoop/"+recID+"-out", f.tapping)
	f.send(arrivalJSON("1"))
	expect[orchestrator.LegOffered](o, 0, nil)
	o.must(orchestrator.StartRecording{Leg: "pbx/1", Recording: recID})
	f.send(recordingJSON("RecordingStarted", "-in", "00.000"))
	f.send(recordingJSON("RecordingStarted", "-out", "00.000"))
	expect[orchestrator.RecordingStarted](o, 0, nil)
}

// tapping answers a snoop as Asterisk does: the tap enters the application right
// after.
func (f *fake) tapping(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	_, _ = fmt.Fprintf(w, `{"id":%q}`, id)
	f.outbox <- eventJSON("StasisStart", channelJSON(id, "Up", ""), `,"args":["v1","tap"]`)
}

func recordingJSON(kind, side, seconds string) string {
	return fmt.Sprintf(`{"type":%q,"timestamp":"2026-11-23T01:30:%s+0000","application":"rm","recording":{"name":%q,"format":"wav","state":"x"}}`,
		kind, seconds, recID+side)
}

func (f *fake) ended() {
	f.send(recordingJSON("RecordingFinished", "-in", "04.500"))
	f.send(recordingJSON("RecordingFinished", "-out", "04.480"))
}

var maskOf = orchestrator.Mask{Leg: "pbx/1", Recording: recID}

// Asterisk toggles: a mute that is sent twice records the card number. So it is
// sent once to each side, however often it is ordered.
func TestMaskIsSentOnce(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.recording(o)
	o.must(maskOf)
	for range 3 {
		if got, why := o.do(maskOf); got != orchestrator.ResultAlready {
			t.Errorf("answered %s %s", got, why)
		}
	}
	if n := len(f.requests("POST /recordings/live/")); n != 2 {
		t.Errorf("%d mutes were sent: %q", n, f.requests("POST /recordings"))
	}
}

// A mask without an answer, or refused on one side, may be on or off: the
// recording is ended and nothing is sent again.
func TestMaskOfUnknownFateEndsTheRecording(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"no answer":    func(w http.ResponseWriter, _ *http.Request) { hangUp(w) },
		"server error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"conflict":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusConflict) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			o := f.open(nil)
			f.recording(o)
			f.on("POST /recordings/live/"+recID+"-out/mute", answer)
			if got, why := o.do(maskOf); got != orchestrator.ResultRejected {
				t.Errorf("answered %s %s", got, why)
			}
			f.await("DELETE /channels/"+recID+"-in", 1)
			f.await("DELETE /channels/"+recID+"-out", 1)
			if got, why := o.do(maskOf); got == orchestrator.ResultAccepted || got == orchestrator.ResultAlready {
				t.Errorf("again answered %s %s", got, why)
			}
			if n := len(f.requests("POST /recordings/live/")); n != 2 {
				t.Errorf("%d mutes were sent", n)
			}
			f.ended()
			e, _ := expect[orchestrator.RecordingDone](o, 0, nil)
			if e.Fault == "" || len(e.Files) != 2 {
				t.Errorf("done as %+v", e)
			}
		})
	}
}

// A caller of Do that has no time left does not leave a mask half ordered.
func TestMaskIsSettledWithoutItsCaller(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.recording(o)
	f.on("POST /recordings/live/"+recID+"-in/mute", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(300 * time.Millisecond)
		w.WriteHeader(http.StatusNoContent)
	})
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got, _ := o.sw.Do(short, maskOf); got != orchestrator.ResultNoWord {
		t.Errorf("answered %s", got)
	}
	if got, why := o.do(maskOf); got != orchestrator.ResultAlready {
		t.Errorf("then answered %s %s", got, why)
	}
	if n := len(f.requests("POST /recordings/live/")); n != 2 {
		t.Errorf("%d mutes were sent", n)
	}
}

// One side that fails takes the other with it; the other's file is no recording.
func TestHalfARecordingIsNone(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.recording(o)
	f.send(recordingJSON("RecordingFailed", "-in", "02.000"))
	f.await("DELETE /channels/"+recID+"-out", 1)
	f.send(recordingJSON("RecordingFinished", "-out", "02.010"))
	if e, _ := expect[orchestrator.RecordingDone](o, 0, nil); e.Fault == "" {
		t.Errorf("done as %+v", e)
	}
}

// A folder that cannot be written to is said in words that lead there.
func TestRecordingFolderMissing(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.on("POST /channels/1/snoop/"+recID+"-in", f.tapping)
	f.on("POST /channels/1/snoop/"+recID+"-out", f.tapping)
	f.fail("POST /channels/"+recID+"-in/record", http.StatusInternalServerError, "Internal Server Error")
	f.send(arrivalJSON("1"))
	expect[orchestrator.LegOffered](o, 0, nil)
	got, why := o.do(orchestrator.StartRecording{Leg: "pbx/1", Recording: recID})
	if got != orchestrator.ResultRejected || !strings.Contains(why, "/var/spool/asterisk/recording") {
		t.Errorf("answered %s %s", got, why)
	}
	f.await("DELETE /channels/"+recID+"-out", 1)
	if n := count[orchestrator.RecordingDone](o, 0, nil); n != 0 {
		t.Error("a recording that was refused was told")
	}
}

// Slow legs say that the switch is past what it can carry, and time says that it
// is fit again, although nobody dials any more.
func TestOverloadIsToldAndEnds(t *testing.T) {
	f := newFake(t)
	o := f.open(nil)
	f.on("POST /channels/create", func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(3 * slowCreate)
		w.WriteHeader(http.StatusInternalServerError)
	})
	o.do(dialOf(newID()))
	if e, _ := expect[orchestrator.SwitchOverloaded](o, 0, nil); !e.Over || e.Reason != overSlow {
		t.Errorf("told %+v", e)
	}
	mark := o.mark()
	o.sw.Resync()
	expect[orchestrator.SwitchSynced](o, mark, nil)
	expect(o, mark, func(e orchestrator.SwitchOverloaded) bool { return e.Over }) // The snapshot lacks it.
	if e, _ := expect(o, 0, func(e orchestrator.SwitchOverloaded) bool { return !e.Over }); e.Switch != "pbx" {
		t.Errorf("told %+v", e)
	}
	if n := count[orchestrator.SwitchOverloaded](o, 0, nil); n != 3 {
		t.Errorf("told %d times", n)
	}
}
