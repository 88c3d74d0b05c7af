package freeswitch

import (
	"bufio"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ringmaster/orchestrator"
)

// The reader of the socket and the parser of events on everything they might
// meet: an error or an event, never a panic, and nothing that is too much.
func FuzzReadFrame(f *testing.F) {
	f.Add([]byte(greeting + reply("+OK accepted") + output("x") + arrivalText() + log7 + inXML + unknown + rejection))
	for _, text := range hostileTexts {
		f.Add([]byte(text))
		f.Add([]byte(eventText("CHANNEL_PARK", "Unique-ID", text, text, text)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := bufio.NewReaderSize(strings.NewReader(string(raw)), 4096)
		b := newBook(testConfig)
		b.ended = newMemory(4)
		b.devices["user/1001"] = device{}
		for range 1000 {
			fr, err := readFrame(r)
			if err != nil {
				return
			}
			if len(fr.body) > len(raw) {
				t.Fatalf("a body of %d bytes from %d", len(fr.body), len(raw))
			}
			if e, ok := parseEvent(fr.body); ok {
				applied(t, b, e)
			}
		}
	})
}

// Events of every kind on a book with a few legs.
func FuzzApply(f *testing.F) {
	for name := range strings.FieldsSeq(strings.Join(subscribed, " ")) {
		f.Add(name, "Clara", "answered", "a", "b", uint64(7))
		f.Add(name, "\r\n\x00", "hangup", "b", "a", uint64(1))
	}
	f.Fuzz(func(t *testing.T, name, text, state, channel, other string, sequence uint64) {
		b := newBook(testConfig)
		b.ended = newMemory(4)
		for _, id := range []orchestrator.LegID{"pbx/a", "b", "c"} {
			l := b.open(id, time.Now())
			l.dialled = id == "b"
			l.stamp = orchestrator.Stamp{Tenant: "t", Leg: id}
		}
		for _, n := range []string{"CHANNEL_PARK", name, "CHANNEL_BRIDGE", name, "CHANNEL_HANGUP_COMPLETE", name} {
			e := event{name: n, fields: map[string]string{
				"Event-Name": n, "Unique-ID": channel, "Answer-State": state, "Bridge-A-Unique-ID": channel, "Bridge-B-Unique-ID": other,
				"Event-Sequence": fmt.Sprint(sequence), "DTMF-Digit": text, "Caller-Caller-ID-Name": text, "Caller-Destination-Number": text,
				"variable_rm_entry": text, "variable_rm_stamp": text, "Job-UUID": channel, "Hangup-Cause": text, "username": text, "Action": text,
				"att_xfer_original_call_id": channel, "att_xfer_destination_call_id": other, "variable_transfer_to": "blind:" + other,
				"Record-File-Path": text, "Application-UUID": text, "from-user": text, "Channel-Presence-ID": text + "@rm.lab",
			}, body: "-ERR " + text}
			if n != name {
				e.fields["variable_rm_entry"] = "in"
			}
			applied(t, b, e)
		}
	})
}

func applied(t *testing.T, b *book, e event) {
	t.Helper()
	out, todo := b.apply(&e, time.Now())
	over := map[orchestrator.LegID]bool{}
	for _, event := range out {
		if l, ok := event.(orchestrator.LegOffered); ok {
			for _, text := range []string{l.Caller.Name, l.Caller.Number, l.Dialled, l.Endpoint, l.SIPCall} {
				if !utf8.ValidString(text) || text != orchestrator.PlainText(text, maxID) {
					t.Fatalf("offered %+v", l)
				}
			}
		}
		if leg := orchestrator.EventLeg(event); leg != "" && over[leg] {
			t.Fatalf("%T after the end of its leg: %+v", event, out)
		} else if _, ended := event.(orchestrator.LegEnded); ended {
			over[leg] = true
		}
	}
	for _, job := range todo {
		for _, o := range job.orders {
			if got, err := readSocket(o.text); err != nil || len(got) != 1 {
				t.Fatalf("%s: %q is %d commands (%v)", o.name, o.text, len(got), err)
			}
		}
	}
}

func TestUnescapeUndoesTheEncoding(t *testing.T) {
	for _, text := range append(hostileTexts, "100%", "%", "%4", "%zz", "a+b", "%25") {
		if got := unescape([]byte(url.PathEscape(text))); got != text {
			t.Errorf("%q came back as %q", text, got)
		}
	}
	for in, want := range map[string]string{"100%": "100%", "%4": "%4", "%zz": "%zz", "a+b": "a+b", "%2b%2B": "++"} {
		if got := unescape([]byte(in)); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestFirstOfRepeatedHeadersCounts(t *testing.T) {
	e, ok := parseEvent([]byte("Event-Name: DTMF\r\nUnique-ID: a\nUnique-ID: b\nunique-id: c\nvariable_rm_bridge: ARRAY%3A%3Aa%7C%3Ab\n\nbody text\n"))
	if !ok || e.get("Unique-ID") != "a" || e.body != "body text" || e.variable("rm_bridge") != "ARRAY::a|:b" {
		t.Errorf("read %+v", e)
	}
}

// bigEvent is about what CHANNEL_HANGUP_COMPLETE is: 220 headers.
func bigEvent() []byte {
	var b strings.Builder
	b.WriteString("Event-Name: CHANNEL_HANGUP_COMPLETE\nUnique-ID: " + fakeChannel + "\nHangup-Cause: NORMAL_CLEARING\n")
	for i := range 215 {
		fmt.Fprintf(&b, "variable_some_name_%d: a%%20value%%3A%%20of%%20usual%%20length%%20%d\n", i, i)
	}
	b.WriteString("variable_sip_hangup_disposition: recv_bye\n\n")
	return []byte(b.String())
}

func BenchmarkParseEvent(b *testing.B) {
	raw := bigEvent()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := parseEvent(raw); !ok {
			b.Fatal("not read")
		}
	}
}
