package freeswitch

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"ringmaster/orchestrator"
)

var hostileTexts = []string{
	"", ".", "..", "a", "../../etc/passwd", "a/b", "a b", "a,b", "a;b", "a~b", "a|b", "a'b", "'a'", `a\b`, `a\'b`, "a\nb", "a\r\n\r\napi shutdown\n\n",
	"{x=y}a", "[x=y]a", "<a>", "a}b", "${system(id)}", "$${x}", "#{x}", "^^:a:b", ":_:", "_:_", "&park()", "undef", "a=b", "\x00", "\xff\xfe", "\x1b[2J",
	`O'Brien, "Bob" <sip:root@127.0.0.1>;a=b`, "Müller", "👩\u200d💻 📞", "\u202egnp.exe", "\u2028", "user/1001,user/1002", "user/1001|user/1002",
	"loopback/s", "sofia/internal/x@evil", "api_on_answer=system", "'~api_on_answer='system id", strings.Repeat("long ", 100), "*11", "+4930", "1001",
	" lead", "trail ", "conference:x", "a:b:c", "v1,t,c,l,agent,1",
}

// one is the single command that an encoder made.
func one(t *testing.T, o order) spoken {
	t.Helper()
	got, err := readSocket(o.text)
	if err != nil || len(got) != 1 {
		t.Fatalf("%s: %q is read as %+v (%v), want one command", o.name, o.text, got, err)
	}
	if strings.Contains(o.text, "${") || strings.Contains(o.text, "\x00") || !utf8.ValidString(o.text) {
		t.Fatalf("%s: %q holds what must never be in a command", o.name, o.text)
	}
	return got[0]
}

// says fails unless FreeSWITCH reads exactly these words.
func says(t *testing.T, o order, words ...string) {
	t.Helper()
	s := one(t, o)
	if len(s.headers) != 0 {
		t.Fatalf("%s: %q has headers", o.name, o.text)
	}
	verb, args, _ := strings.Cut(s.line, " ")
	if name, _, _ := strings.Cut(args, " "); verb != "api" || name != words[0] {
		t.Fatalf("%s: %q is not api %s", o.name, o.text, words[0])
	}
	_, args, _ = strings.Cut(args, " ")
	if got := separate(args, ' ', max(len(words)-1, 1)); !slices.Equal(got, words[1:]) && len(words) > 1 {
		t.Fatalf("%s: %q is read as %q, want %q", o.name, o.text, got, words[1:])
	}
}

// runs fails unless a leg is told to run exactly this application.
func runs(t *testing.T, o order, channel, app, arg string) {
	t.Helper()
	s := one(t, o)
	want := map[string][]string{"call-command": {"execute"}, "execute-app-name": {app}}
	if arg != "" {
		want["execute-app-arg"] = []string{arg}
	}
	id := s.headers["event-uuid"]
	delete(s.headers, "event-uuid")
	if s.line != "sendmsg "+channel || len(id) > 1 || len(s.headers) != len(want) {
		t.Fatalf("%s: %q", o.name, o.text)
	}
	for name, values := range want {
		if !slices.Equal(s.headers[name], values) {
			t.Fatalf("%s: %q, want %s %q", o.name, o.text, name, values)
		}
	}
}

// assigned reads a uuid_setvar_multi.
func assigned(t *testing.T, o order, channel string) map[string]string {
	t.Helper()
	s := one(t, o)
	rest, found := strings.CutPrefix(s.line, "api uuid_setvar_multi "+channel+" ")
	if !found || len(s.headers) != 0 {
		t.Fatalf("%s: %q", o.name, o.text)
	}
	out := map[string]string{}
	for _, pair := range separate(rest, ';', 64) {
		name, value, _ := strings.Cut(pair, "=")
		out[name] = value
	}
	return out
}

var testConfig = must(Config{ID: "pbx", Address: "127.0.0.1:8021", Password: "x", Domain: "rm.lab"}.complete())

func FuzzEncodeDial(f *testing.F) {
	leg := "01a206e0-7f6f-76a3-a66a-5173f187d0aa"
	f.Add(leg, "user/1001", "", "t", "c", "4711", "Support", int64(20000), true)
	f.Add(leg, "gateway/trunk", "+4930", "t", "c", "4711", "Support", int64(1), false)
	for _, text := range hostileTexts {
		f.Add(leg, "user/1001", "", "t", "c", text, text, int64(0), false)
		f.Add(leg, text, text, text, text, "1", "x", int64(-1), true)
		f.Add(text, "user/"+text, "", "t", text, "1", "x", int64(1<<40), false)
		f.Add(leg, "gateway/trunk", text, "t", "c", "1", "x", int64(5), false)
	}
	f.Fuzz(func(t *testing.T, leg, endpoint, number, tenant, call, shownAs, name string, timeout int64, auto bool) {
		d := orchestrator.Dial{
			Leg: orchestrator.LegID(leg), Endpoint: endpoint, Number: number, Timeout: orchestrator.Millis(timeout), AutoAnswer: auto,
			Display: orchestrator.Party{Number: shownAs, Name: name},
			Stamp: orchestrator.Stamp{
				Tenant: orchestrator.TenantID(tenant), Call: orchestrator.CallID(call), Leg: orchestrator.LegID(leg), Role: orchestrator.RoleAgent, Epoch: 7,
			},
		}
		o, err := encodeDial(testConfig, d)
		if err != nil {
			return
		}
		s := one(t, o)
		args, found := strings.CutPrefix(s.line, "bgapi originate ")
		if !found || len(s.headers) != 1 || !slices.Equal(s.headers["job-uuid"], []string{leg}) {
			t.Fatalf("%q", o.text)
		}
		words := separate(args, ' ', 10)
		role := roleAgent
		if number != "" {
			role = roleCaller
		}
		if len(words) != 4 || words[1] != role || words[2] != "XML" || words[3] != "rm-care" {
			t.Fatalf("%q is read as %q", o.text, words)
		}
		// The quotes around a name are off by now: they only kept the words apart.
		variables, target, err := brackets(words[0])
		if err != nil {
			t.Fatalf("%q: %v", o.text, err)
		}
		want := endpoint + "@rm.lab"
		if number != "" {
			want = "sofia/" + endpoint + "/" + number
		}
		if target != want || strings.ContainsAny(target, ",|[]{}<>&;~'\" ") || strings.Contains(target, ":_:") {
			t.Fatalf("%q dials %q, want %q", o.text, target, want)
		}
		checkVariables(t, variables, d)
	})
}

func checkVariables(t *testing.T, variables map[string]string, d orchestrator.Dial) {
	t.Helper()
	want := map[string]string{
		"origination_uuid": string(d.Leg), "originate_timeout": strconv.FormatInt(seconds(d.Timeout)+1, 10), "rm_stamp": d.Stamp.String(),
		"ignore_early_media": "true", "park_after_bridge": "true", "hangup_after_bridge": "false", "max_session_transfers": "10000",
		"hold_hangup_xfer_exten": "caller:XML:rm-care", "force_transfer_context": "rm-care", "force_transfer_dialplan": "XML",
		"send_silence_when_idle": "-1", "playback_terminators": "none", "RECORD_STEREO": "true",
	}
	if d.Number == "" {
		want["presence_id"], want["confirm_blind_transfer"] = strings.TrimPrefix(d.Endpoint, "user/")+"@rm.lab", "true"
	}
	if d.AutoAnswer {
		want["sip_h_Call-Info"] = "<sip:ringmaster.invalid>;answer-after=0"
		want["sip_h_Alert-Info"] = "<http://ringmaster.invalid>;info=alert-autoanswer;delay=0"
	}
	name, number := variables["origination_caller_id_name"], variables["origination_caller_id_number"]
	delete(variables, "origination_caller_id_name")
	delete(variables, "origination_caller_id_number")
	for key, value := range variables {
		if want[key] != value {
			t.Fatalf("variable %s is %q, want %q", key, value, want[key])
		}
	}
	if len(variables) != len(want) {
		t.Fatalf("variables %v, want %v", variables, want)
	}
	if name != shownName(d.Display.Name) || strings.ContainsAny(name, "'\\{}[]|$^~;<>=,\"") || strings.ContainsFunc(name, unicode.IsControl) ||
		utf8.RuneCountInString(name) > orchestrator.MaxPartyName {
		t.Fatalf("shown as %q", name)
	}
	if number == "" || strings.ContainsFunc(number, func(r rune) bool {
		return !strings.ContainsRune("+*#._-", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		t.Fatalf("shown number %q", number)
	}
}

// Every other encoder: refused, or one command with the fields as they were.
func FuzzEncodeOthers(f *testing.F) {
	for _, text := range hostileTexts {
		f.Add("11111111-2222-3333-4444-555555555555", text, text)
		f.Add(text, text, "x")
	}
	f.Fuzz(func(t *testing.T, channel, text, other string) {
		if !channelPattern.MatchString(channel) {
			return // Checked before any encoder is asked; see known.
		}
		encodesWords(t, channel, text, other)
		encodesMedia(t, channel, text)
		encodesTogether(t, channel, text, other)
	})
}

func encodesWords(t *testing.T, channel, text, other string) {
	t.Helper()
	says(t, encodeHangup(channel, 17), "uuid_kill", channel, "17")
	says(t, encodeBreak(channel), "uuid_break", channel, "all")
	says(t, encodeDump(channel), "uuid_dump", channel)
	says(t, encodeBridge(channel, "b"), "uuid_bridge", channel, "b")
	says(t, encodeGuard(testConfig, channel, "rm-"+channel+"-1", roleCaller),
		"sched_api", "+30", "rm-"+channel+"-1", "uuid_transfer", channel, "caller", "XML", "rm-fallback")
	runs(t, encodeAnswer(channel), channel, "answer", "")
	runs(t, encodeRing(channel), channel, "ring_ready", "")
	runs(t, encodeEarlyMedia(channel), channel, "pre_answer", "")
	runs(t, encodeTransferWord(channel, false), channel, "blind_transfer_ack", "false")
	if o, err := encodeStamp(channel, text); err == nil {
		if got := assigned(t, o, channel); len(got) != 1 || got["rm_stamp"] != text {
			t.Fatalf("%q sets %v", o.text, got)
		}
	}
	if o, err := encodeDigits(channel, text); err == nil {
		says(t, o, "uuid_send_dtmf", channel, text)
	}
	if o, err := encodeTransfer(channel, text, other); err == nil {
		says(t, o, "uuid_transfer", channel, text, "XML", other)
	}
	if o, err := encodeMute(channel, orchestrator.Direction(text), true); err == nil {
		says(t, o, "uuid_audio", channel, "start", map[string]string{"in": "read", "out": "write"}[text], "mute", "0")
	}
	if o, err := encodeSetVariable(channel, "Name", text); err == nil {
		if strings.ContainsAny(text, `'"\{}[]<>,;|&$%^~!?()`+"`") {
			t.Fatalf("value %q was let through", text)
		}
		words := []string{"uuid_setvar", channel, "RM_Name"}
		if text != "" {
			words = append(words, text)
		}
		says(t, o, words...)
	}
	if o, err := encodeSetVariable(channel, text, "value"); err == nil {
		says(t, o, "uuid_setvar", channel, "RM_"+text, "value")
	}
	if o, err := encodeGetVariable(channel, text); err == nil {
		says(t, o, "uuid_getvar", channel, "RM_"+text)
	}
	for _, o := range encodeDisplay(channel, orchestrator.Party{Number: other, Name: text}) {
		got := separate(strings.TrimPrefix(one(t, o).line, "api uuid_display "), ' ', 2)
		if len(got) != 2 || got[0] != channel || strings.Count(got[1], "|") != 1 {
			t.Fatalf("%q is read as %q", o.text, got)
		}
	}
}

func encodesMedia(t *testing.T, channel, text string) {
	t.Helper()
	for _, m := range []orchestrator.Media{{Sound: text}, {File: text}} {
		paths, err := checkPlay(orchestrator.Play{Play: "p", Media: []orchestrator.Media{m}})
		if err != nil {
			continue
		}
		if strings.ContainsAny(paths[0], ":,;!\r\n\\ '${}[]") || dotted(paths[0]) {
			t.Fatalf("media %q was let through", text)
		}
		runs(t, encodeSound(channel, paths[0], "x.1"), channel, "playback", text+".wav")
	}
	if path, err := musicPath(text); err == nil && text != "" {
		runs(t, encodeSound(channel, path, "x.1"), channel, "playback", "local_stream://"+text)
	}
	if path, err := recordingPath(testConfig, orchestrator.RecordingID(text)); err == nil {
		says(t, encodeRecord(channel, "start", path), "uuid_record", channel, "start", defaultRecordings+"/"+text+".wav")
		says(t, encodeFileExists(path), "file_exists", path)
		if dotted(path) || strings.Count(path, "/") != strings.Count(defaultRecordings, "/")+1 {
			t.Fatalf("recording at %q", path)
		}
	}
}

func encodesTogether(t *testing.T, channel, text, other string) {
	t.Helper()
	if _, err := encodeEavesdrop(channel, "b", orchestrator.Supervision(text)); err == nil && !slices.Contains([]string{"listen", "whisper", "barge"}, text) {
		t.Fatalf("mode %q was let through", text)
	}
	stamp := orchestrator.Stamp{Tenant: "t", Call: orchestrator.CallID(other), Leg: "l", Role: orchestrator.RoleBridge, Epoch: 1}
	mark, err := bridgeMark(orchestrator.BridgeID(text), stamp)
	if err != nil {
		return
	}
	if id, _ := readBridgeMark(mark); id != orchestrator.BridgeID(text) {
		t.Fatalf("bridge %q is marked %q", text, mark)
	}
	l := &leg{channel: channel, role: roleCaller}
	got := assigned(t, encodeJoining(testConfig, l, &leg{role: roleAgent}, mark), channel)
	if got["rm_bridge"] != mark || got["transfer_after_bridge"] != "caller:XML:rm-care" || got["hold_hangup_xfer_exten"] != "agent:XML:rm-care" || len(got) != 11 {
		t.Fatalf("sets %v", got)
	}
	words := separate(strings.TrimPrefix(one(t, encodeConfer(testConfig, channel, orchestrator.BridgeID(text), true)).line, "api uuid_transfer "), ' ', 5)
	if len(words) != 4 || words[0] != channel || words[1] != "-both" || words[3] != "inline" {
		t.Fatalf("confers %q", words)
	}
	apps := inline(words[2])
	want := [][2]string{{"conference", "rm-" + text + "@ringmaster+flags{mintwo}"}, {"transfer", "caller XML rm-care"}}
	if !slices.Equal(apps, want) {
		t.Fatalf("confers %q, want %q", apps, want)
	}
}

func TestNamesKeepTheirLook(t *testing.T) {
	for in, want := range map[string]string{
		"Müller, O'Brien": "Müller‚ O’Brien", "漢字 📞": "漢字 📞", "${x}": "x", `a"b\c`: "abc", "100%": "100％", "  a  b ": "a  b", "a:_:b": "a:b",
	} {
		if got := shownName(in); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}
