package freeswitch

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// event is one event of FreeSWITCH: the headers something is done about.
//
// An event has 90 to 220 headers, most of them variables of the channel. They
// are read in one pass, and only those of interest are decoded and kept.
type event struct {
	name   string // Event-Name, for CUSTOM the subclass
	fields map[string]string
	body   string // of BACKGROUND_JOB
}

// headers are the names that are kept, as FreeSWITCH spells them. Others are
// passed over without being decoded, whatever characters are in them.
var headers = func() map[string]bool {
	kept := map[string]bool{}
	for name := range strings.FieldsSeq(`
		Event-Name Event-Subclass Event-Sequence Event-Date-Timestamp Core-UUID
		Unique-ID Channel-State Channel-Call-State Answer-State Call-Direction Channel-Name Channel-Presence-ID
		Caller-Destination-Number Caller-Caller-ID-Number Caller-Caller-ID-Name Caller-Context
		Caller-Channel-Created-Time Other-Leg-Unique-ID Bridge-A-Unique-ID Bridge-B-Unique-ID
		Hangup-Cause variable_hangup_cause variable_hangup_cause_q850 variable_sip_term_status variable_sip_hangup_disposition
		variable_sip_invite_failure_status variable_proto_specific_hangup_cause
		Application Application-UUID Application-Response Application-Data Playback-Status Playback-File-Path
		DTMF-Digit Job-UUID Job-Command FreeSWITCH-Version Session-Count Max-Sessions Session-Per-Sec-Last Idle-CPU
		Record-File-Path variable_record_ms Record-Completion-Cause
		from-user from-host username domain user user_name domain_name to-user to-host sip_user ping-status Ping-Status
		variable_rm_entry variable_rm_number variable_rm_stamp variable_rm_bridge variable_rm_role variable_rm_recording
		variable_rm_music variable_bridge_to variable_sip_call_id variable_sip_authorized variable_sip_auth_username variable_sip_auth_realm
		variable_presence_id variable_blind_transfer_uuid variable_sip_refer_to variable_sip_gateway_name
		variable_current_application variable_current_application_data variable_conference_name variable_conference_uuid
		att_xfer_original_call_id att_xfer_destination_call_id att_xfer_destination_peer_uuid
		variable_transfer_to variable_transfer_destination
		Action Conference-Name Orchestrator-Epoch`) {
		kept[name] = true
	}
	return kept
}()

// parseEvent reads an event in the plain form: lines of "Name: value", the
// value percent-encoded, until an empty line. Repeated names keep the first
// value, which is FreeSWITCH's own rule for a read. ok is false without a name.
func parseEvent(raw []byte) (e event, ok bool) {
	e.fields = make(map[string]string, 48)
	for len(raw) > 0 {
		var line []byte
		line, raw, _ = bytes.Cut(raw, []byte{'\n'})
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if len(line) == 0 {
			e.body = strings.TrimSpace(string(raw))
			break
		}
		name, value, found := bytes.Cut(line, []byte(": "))
		if !found || !headers[string(name)] {
			continue
		}
		if _, twice := e.fields[string(name)]; !twice {
			e.fields[string(name)] = unescape(value)
		}
	}
	e.name = e.fields["Event-Name"]
	if e.name == "CUSTOM" {
		e.name = e.fields["Event-Subclass"]
	}
	return e, e.name != ""
}

// unescape undoes FreeSWITCH's encoding. A percent sign that begins no pair of
// hex digits stays as it is, and '+' is a plus.
func unescape(value []byte) string {
	if bytes.IndexByte(value, '%') < 0 {
		return string(value)
	}
	out := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		if value[i] == '%' && i+2 < len(value) {
			high, low := unhex(value[i+1]), unhex(value[i+2])
			if high >= 0 && low >= 0 {
				out = append(out, byte(high<<4|low))
				i += 2
				continue
			}
		}
		out = append(out, value[i])
	}
	return string(out)
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func (e *event) get(name string) string { return e.fields[name] }

// variable is a channel variable; "_undef_" is FreeSWITCH's word for none.
func (e *event) variable(name string) string {
	if v := e.fields["variable_"+name]; v != "_undef_" {
		return v
	}
	return ""
}

func (e *event) number(name string) int {
	n, err := strconv.Atoi(e.fields[name])
	if err != nil {
		return 0
	}
	return n
}

// sequence is the event's place among all events of the switch.
func (e *event) sequence() uint64 {
	n, err := strconv.ParseUint(e.fields["Event-Sequence"], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// created is when the channel was made; FreeSWITCH counts microseconds.
func (e *event) created(now time.Time) time.Time {
	us, err := strconv.ParseInt(e.fields["Caller-Channel-Created-Time"], 10, 64)
	if err != nil || us <= 0 {
		return now
	}
	return time.UnixMicro(us)
}
