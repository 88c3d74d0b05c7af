package asterisk

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"ringmaster/orchestrator"
)

// sent is a request as the other side reads it.
type sent struct {
	method string
	path   []string // unescaped
	query  url.Values
	body   map[string]any
}

// wire writes r as the client does and reads it back with Go's HTTP parser. It
// fails unless exactly one request comes out.
func wire(t *testing.T, r request) sent {
	t.Helper()
	base, _ := url.Parse("http://127.0.0.1:8088/ari")
	c := &client{base: base, user: "rm", password: "secret"}
	req, err := c.build(t.Context(), r)
	if err != nil {
		t.Fatalf("%s: %v", r.name, err)
	}
	var b bytes.Buffer
	if err := req.Write(&b); err != nil {
		t.Fatalf("%s: %v", r.name, err)
	}
	reader := bufio.NewReader(&b)
	got, err := http.ReadRequest(reader)
	if err != nil {
		t.Fatalf("%s: read back: %v", r.name, err)
	}
	body, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(reader); len(rest) != 0 {
		t.Fatalf("%s: %d bytes are left after the request: %q", r.name, len(rest), rest)
	}
	s := sent{method: got.Method, query: got.URL.Query()}
	if len(got.URL.RequestURI()) > 4000 {
		t.Fatalf("%s: the request line has %d bytes; Asterisk reads 4096", r.name, len(got.URL.RequestURI()))
	}
	for part := range strings.SplitSeq(strings.TrimPrefix(got.URL.EscapedPath(), "/ari/"), "/") {
		plain, err := url.PathUnescape(part)
		if err != nil {
			t.Fatal(err)
		}
		s.path = append(s.path, plain)
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &s.body); err != nil {
			t.Fatalf("%s: body: %v", r.name, err)
		}
	}
	for name, values := range got.Header {
		if !slices.Contains([]string{"Authorization", "User-Agent", "Content-Type", "Content-Length"}, name) || len(values) != 1 {
			t.Fatalf("%s: header %q: %q", r.name, name, values)
		}
	}
	return s
}

// Whatever stands in a Dial: it is refused, or it is one create for that one
// endpoint with the text whole and harmless in the variables.
func FuzzEncodeCreate(f *testing.F) {
	for _, text := range hostileTexts {
		f.Add("0199-leg", "PJSIP/1001", text, text, "tenant", "call", text, true)
		f.Add(text, "PJSIP/"+text, "4711", "Support", text, text, "", false)
	}
	f.Add("0199-leg", "PJSIP/trunk", "4711", "Support", "tenant", "call", "+4930*#", true)
	f.Fuzz(func(t *testing.T, leg, endpoint, number, name, tenant, call, outward string, auto bool) {
		d := orchestrator.Dial{
			Leg: orchestrator.LegID(leg), Endpoint: endpoint, AutoAnswer: auto, Number: outward,
			Display: orchestrator.Party{Number: number, Name: name},
			Stamp: orchestrator.Stamp{
				Tenant: orchestrator.TenantID(tenant), Call: orchestrator.CallID(call), Leg: orchestrator.LegID(leg),
				Role: orchestrator.RoleAgent, Epoch: 7,
			},
		}
		r, err := encodeCreate("rm", d)
		if err != nil {
			return
		}
		s := wire(t, r)
		dialled := endpoint
		if outward != "" {
			dialled = "PJSIP/" + outward + "@" + strings.TrimPrefix(endpoint, "PJSIP/")
			if strings.Count(dialled, "@") != 1 || strings.Trim(outward, "+0123456789*#") != "" {
				t.Fatalf("number %q was let through", outward)
			}
		}
		want := url.Values{"endpoint": {dialled}, "app": {"rm"}, "appArgs": {"v1,out"}, "channelId": {leg}}
		if s.method != "POST" || !slices.Equal(s.path, []string{"channels", "create"}) || !maps.EqualFunc(s.query, want, slices.Equal) {
			t.Fatalf("sent %+v, want query %v", s, want)
		}
		if !strings.HasPrefix(endpoint, "PJSIP/") || strings.ContainsAny(endpoint, "&,; \r\n$") {
			t.Fatalf("endpoint %q was let through", endpoint)
		}
		checkVariables(t, s.body["variables"].(map[string]any), d)
	})
}

func checkVariables(t *testing.T, vars map[string]any, d orchestrator.Dial) {
	t.Helper()
	allowed := []string{
		"RM", "PJSIP_TRANSFER_HANDLING()", "CONNECTEDLINE(num)", "CONNECTEDLINE(name)",
		"PJSIP_HEADER(add,Call-Info)", "PJSIP_HEADER(add,Alert-Info)",
	}
	for name, value := range vars {
		text := value.(string)
		if !slices.Contains(allowed, name) {
			t.Fatalf("variable %q", name)
		}
		if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || len(text) > 400 {
			t.Fatalf("%s is %q", name, text)
		}
	}
	if vars["RM"] != d.Stamp.String() {
		t.Fatalf("stamp %q, want %q", vars["RM"], d.Stamp)
	}
	if name, _ := vars["CONNECTEDLINE(name)"].(string); name != orchestrator.PlainText(d.Display.Name, orchestrator.MaxPartyName) {
		t.Fatalf("name %q of %q", name, d.Display.Name)
	}
	if number, _ := vars["CONNECTEDLINE(num)"].(string); strings.ContainsAny(number, "<>@;\"' \\$%") {
		t.Fatalf("number %q", number)
	}
	if _, auto := vars["PJSIP_HEADER(add,Call-Info)"]; auto != d.AutoAnswer {
		t.Fatal("auto-answer headers are wrong")
	}
}

// Every other encoder: refused, or one request to the right place with the
// fields as they were.
func FuzzEncodeOthers(f *testing.F) {
	for _, text := range hostileTexts {
		f.Add(text, text, text)
	}
	f.Add("1700000000.12", "beep", "0199")
	f.Add("1700000000.12", "beep", "[2001:db8::1]:4000")
	f.Add("1700000000.12", "beep", "192.0.2.1:4000")
	f.Fuzz(func(t *testing.T, id, text, other string) {
		if checkID("leg", id) != nil {
			return
		}
		check := func(r request, err error, method string, query url.Values, path ...string) {
			t.Helper()
			if err != nil {
				return
			}
			s := wire(t, r)
			if s.method != method || !slices.Equal(s.path, path) || len(query) > 0 && !maps.EqualFunc(s.query, query, slices.Equal) {
				t.Fatalf("sent %+v, want %s %q %v", s, method, path, query)
			}
		}
		check(encodeAnswer(id), nil, "POST", nil, "channels", id, "answer")
		check(encodeHangup(id, 17), nil, "DELETE", url.Values{"reason_code": {"17"}}, "channels", id)
		check(encodeDial(id, 1), nil, "POST", url.Values{"timeout": {"1"}}, "channels", id, "dial")
		check(encodeStopMusic(id), nil, "DELETE", nil, "channels", id, "moh")
		check(encodeCloseBridge(id), nil, "DELETE", nil, "bridges", id)
		check(encodeTransferProgress(id, transferDone), nil, "POST", url.Values{"states": {"channel_answered"}}, "channels", id, "transfer_progress")
		check(encodeStopPlay(orchestrator.PlayID(id)), nil, "DELETE", nil, "playbacks", id)
		check(encodeSeparate("b", id), nil, "POST", url.Values{"channel": {id}}, "bridges", "b", "removeChannel")

		r, err := encodeStartMusic(id, text)
		if text != "" {
			check(r, err, "POST", url.Values{"mohClass": {text}}, "channels", id, "moh")
		}
		r, err = encodeDigits(id, text)
		check(r, err, "POST", url.Values{"dtmf": {text}}, "channels", id, "dtmf")
		r, err = encodeStamp(id, text)
		check(r, err, "POST", url.Values{"variable": {"RM"}, "value": {text}}, "channels", id, "variable")
		r, err = encodeContinue(id, text, other)
		if text != "" || other != "" {
			check(r, err, "POST", url.Values{"context": {text}, "extension": {other}, "priority": {"1"}}, "channels", id, "continue")
		}
		check(encodeRing(id), nil, "POST", nil, "channels", id, "ring")
		check(encodeProgress(id), nil, "POST", nil, "channels", id, "progress")
		check(encodeRecord(id), nil, "POST", url.Values{"name": {id}, "format": {"wav"}, "ifExists": {"fail"}}, "channels", id, "record")
		check(encodeStopRecord(id), nil, "POST", nil, "recordings", "live", id, "stop")
		check(encodeMask(id, false), nil, "POST", nil, "recordings", "live", id, "mute")
		check(encodeMask(id, true), nil, "DELETE", nil, "recordings", "live", id, "mute")
		check(encodeSpyBridge(id), nil, "POST", url.Values{"type": {"mixing"}, "name": {"v1,tap"}}, "bridges", id)
		if len(text) <= maxValue { // names are ours, or validated before
			check(encodeReadVariable(id, text), nil, "GET", url.Values{"variable": {text}}, "channels", id, "variable")
		}
		r, err = encodeTap("rm", tap{on: id, id: other, spy: "in", whisper: "none"})
		check(r, err, "POST", url.Values{"spy": {"in"}, "whisper": {"none"}, "app": {"rm"}, "appArgs": {"v1,tap"}}, "channels", id, "snoop", other)
		r, err = encodeSender("rm", id, other)
		check(r, err, "POST", url.Values{
			"app": {"rm"}, "channelId": {id}, "external_host": {other}, "format": {"ulaw"}, "encapsulation": {"rtp"},
			"transport": {"udp"}, "connection_type": {"client"}, "direction": {"both"}, "data": {"v1,tap"},
		}, "channels", "externalMedia")
		if err == nil && strings.ContainsAny(other, "/,()%\r\n ") {
			t.Fatalf("server %q was let through", other)
		}
		r, err = encodeMute(id, orchestrator.Mute{Direction: orchestrator.Direction(text)})
		check(r, err, "POST", url.Values{"direction": {text}}, "channels", id, "mute")
		if err == nil && text != "in" && text != "out" {
			t.Fatalf("direction %q was let through", text)
		}
		r, err = encodeJoin("b", id, other)
		check(r, err, "POST", url.Values{"channel": {id + "," + other}}, "bridges", "b", "addChannel")
		if err == nil && strings.Count(id+","+other, ",") != 1 {
			t.Fatalf("more than two legs in %q", id+","+other)
		}
		for _, m := range []orchestrator.Media{{Sound: text}, {File: text}} {
			r, err = encodePlay(id, orchestrator.Play{Play: "p", Media: []orchestrator.Media{m}})
			check(r, err, "POST", nil, "channels", id, "play", "p")
			if err == nil && (strings.ContainsAny(text, ":,\r\n\\ ") || dotted(text)) {
				t.Fatalf("media %q was let through", text)
			}
		}
	})
}

// Variables: refused, or one request that sets exactly that variable to exactly
// that value, and nothing that Asterisk would evaluate.
func FuzzEncodeVariable(f *testing.F) {
	for _, text := range hostileTexts {
		f.Add("1700000000.12", "customer", text)
		f.Add("1700000000.12", text, "gold")
	}
	f.Fuzz(func(t *testing.T, id, name, value string) {
		r, err := encodeSetVariable(id, name, value)
		if err != nil || checkID("leg", id) != nil {
			return
		}
		s := wire(t, r)
		if s.method != "POST" || !slices.Equal(s.path, []string{"channels", id, "variable"}) || len(s.query) != 0 ||
			len(s.body) != 2 || s.body["variable"] != "RM_"+name || s.body["value"] != value {
			t.Fatalf("sent %+v", s)
		}
		if strings.ContainsAny(name, "(){}$,= ") || strings.ContainsAny(value, "${}[]()'\"\\,;|&<>") || strings.ContainsFunc(value, unicode.IsControl) {
			t.Fatalf("variable %q = %q was let through", name, value)
		}
	})
}

var hostileTexts = []string{
	"", ".", "..", "a", "../../etc/passwd", "a/b", "a?b=c", "a&b", "a#b", "a%2Fb", "a b", "a,b", "a\r\nX-Evil: 1\r\n\r\nGET / HTTP/1.1",
	"\x00", "\x1b[2J", "\xff\xfe", "${SHELL(id)}", "$[1+1]", `O'Brien, "Bob" <sip:root@127.0.0.1>;a=b`, `"}],"variables":{"X":"1"`,
	"Müller", "👩\u200d💻 📞", "\u202egnp.exe", "\u2028", "Local/s@default", "PJSIP/1001&PJSIP/1002", strings.Repeat("long ", 100), "*11", "+49 30 1",
}

func TestMediaNeedsAPlainName(t *testing.T) {
	for _, m := range []orchestrator.Media{
		{},
		{Say: "hello"},
		{Sound: "a", File: "/b"},
		{Sound: "../x"},
		{Sound: "a/../b"},
		{Sound: "/abs"},
		{Sound: "http://x/y.wav"},
		{Sound: "x,recording:y"},
		{File: "relative"},
		{File: "/a/../b"},
		{File: "/a b"},
		{File: "/"},
		{File: "/a/"},
		{File: "//a"},
	} {
		if uri, err := mediaURI(m); err == nil {
			t.Errorf("%+v became %q", m, uri)
		}
	}
	for _, m := range []orchestrator.Media{{Sound: "digits/1"}, {Sound: "vm-sorry"}, {File: "/var/lib/x-1/a.b_c"}} {
		if _, err := mediaURI(m); err != nil {
			t.Errorf("%+v: %v", m, err)
		}
	}
}
