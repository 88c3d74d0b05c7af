package phone

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestPeek(t *testing.T) {
	for datagram, want := range map[string]message{
		"BYE sip:a@b SIP/2.0\r\nCall-ID: x\r\nReason: SIP;cause=200;text=\"Call completed elsewhere\"\r\nreason:Q.850;cause=26\r\n\r\n": {
			method: "BYE", callID: "x", reasons: []string{`SIP;cause=200;text="Call completed elsewhere"`, "Q.850;cause=26"},
		},
		"SIP/2.0 180 Ringing\r\ni: y@z\r\nCSeq: 7 INVITE\r\n\r\nCall-ID: body": {status: 180, callID: "y@z", cseq: "INVITE"},
	} {
		got, ok := peek([]byte(datagram))
		if !ok || got.method != want.method || got.status != want.status || got.callID != want.callID ||
			got.cseq != want.cseq || !slices.Equal(got.reasons, want.reasons) {
			t.Errorf("%q: %+v, want %+v", datagram, got, want)
		}
	}
	for _, bad := range []string{"", "\r\n\r\n", "SIP/2.0", "SIP/2.0 abc X\r\ni: 1", "SIP/2.0 20 X\r\ni: 1", "GET / HTTP/1.1\r\ni: 1", "BYE a SIP/2.0\r\n\r\n"} {
		if m, ok := peek([]byte(bad)); ok {
			t.Errorf("%q taken for %+v", bad, m)
		}
	}
}

func FuzzPeek(f *testing.F) {
	f.Add([]byte("INVITE sip:a@b SIP/2.0\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n"))
	f.Add([]byte("SIP/2.0 200 OK\r\ni:x\r\nReason: a\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := peek(b)
		if ok && (m.callID == "" || (m.method == "") == (m.status == 0) || len(m.reasons) > maxHeaderLines) {
			t.Errorf("%q taken for %+v", b, m)
		}
	})
}

func FuzzEscapeName(f *testing.F) {
	f.Add(`a"b\c`)
	f.Add("\r\n\x00☎")
	f.Fuzz(func(t *testing.T, name string) {
		escaped := escapeName(name)
		quoted := false
		for _, r := range escaped {
			switch {
			case r < ' ' || r == 0x7f:
				t.Fatalf("%q became %q with a control character", name, escaped)
			case quoted:
				quoted = false
			case r == '\\':
				quoted = true
			case r == '"':
				t.Fatalf("%q became %q, which ends early", name, escaped)
			}
		}
		if quoted {
			t.Fatalf("%q became %q, which swallows the end quote", name, escaped)
		}
		if again := escapeName(unescapeName(escaped)); again != escaped {
			t.Fatalf("%q became %q and then %q", name, escaped, again)
		}
	})
}

func TestTraceKeepsFirstTimes(t *testing.T) {
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	ts := newTraces()
	for i, m := range []message{
		{method: "INVITE"},
		{status: 401, cseq: "INVITE"},
		{method: "ACK"},
		{method: "INVITE"},
		{method: "INVITE"},
		{status: 100, cseq: "INVITE"},
		{status: 180, cseq: "INVITE"},
		{status: 180, cseq: "INVITE"},
		{status: 183, cseq: "INVITE"},
		{status: 200, cseq: "INVITE"},
		{method: "ACK"},
		{method: "INVITE"},
		{status: 200, cseq: "INVITE"},
		{method: "BYE", reasons: []string{"r"}},
	} {
		m.callID = "x"
		ts.note(at(i), m.method == "INVITE", m)
	}
	times, reasons, again := ts.claim("x").snapshot()
	want := Times{Invite: at(0), Trying: at(5), Ringing: at(6), Progress: at(8), Answered: at(9), Acked: at(10), ByeReceived: at(13)}
	if times != want || !slices.Equal(reasons, []string{"r"}) || again != 1 {
		t.Errorf("times %+v reasons %v retransmitted %d", times, reasons, again)
	}
}

func TestTracesAreBounded(t *testing.T) {
	ts := newTraces()
	kept := ts.claim("call")
	for i := range 10 * maxOrphans {
		ts.note(time.Now(), false, message{method: "INVITE", callID: fmt.Sprint(i)})
		ts.note(time.Now(), false, message{method: "BYE", callID: "never seen " + fmt.Sprint(i)})
	}
	if len(ts.byID) != maxOrphans+1 || len(ts.orphans) != maxOrphans || ts.byID["call"] != kept {
		t.Errorf("%d traces, %d orphans", len(ts.byID), len(ts.orphans))
	}
}
