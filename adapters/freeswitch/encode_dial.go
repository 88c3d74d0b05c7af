package freeswitch

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/percipia/eslgo/command"

	"ringmaster/orchestrator"
)

// delimiter parts the variables of a Dial. No value has it: patterns do not
// admit it and names lose it.
const delimiter = "~"

// encodeDial makes a leg and rings it. The answered leg goes to the dialplan's
// care context, which guards and parks it. Job is what its failure is told
// under: Job-UUID of mod_event_socket.
func encodeDial(cfg Config, d orchestrator.Dial) (order, error) {
	target, err := dialString(cfg, d)
	if err != nil {
		return order{}, err
	}
	if !channelPattern.MatchString(string(d.Leg)) {
		return order{}, fmt.Errorf("leg id %q is not usable", clip(string(d.Leg), maxID))
	}
	stamp := d.Stamp.String()
	if err := checkStamp(stamp); err != nil {
		return order{}, err
	}
	variables := append([]string{
		"origination_uuid=" + string(d.Leg),
		// One second later than asked: FreeSWITCH counts whole seconds of the
		// clock. Our own timer is the one that decides; this is for when we die.
		"originate_timeout=" + strconv.FormatInt(seconds(d.Timeout)+1, 10),
		stampVariable + "=" + stamp,
	}, shown(d.Display)...)
	variables = append(variables, keeping(cfg)...)
	if d.Number == "" {
		user := strings.TrimPrefix(d.Endpoint, "user/")
		variables = append(variables, "presence_id="+user+"@"+cfg.Domain, "confirm_blind_transfer=true")
	}
	if d.AutoAnswer {
		variables = append(variables,
			"sip_h_Call-Info=<sip:ringmaster.invalid>;answer-after=0",
			"sip_h_Alert-Info=<http://ringmaster.invalid>;info=alert-autoanswer;delay=0")
	}
	list := "{^^" + delimiter + strings.Join(variables, delimiter) + "}"
	c := command.API{
		Command: "originate", Background: true,
		Arguments: list + target + " " + roleOf(d) + " XML " + cfg.Care,
	}
	return order{name: "dial", text: c.BuildMessage() + "\nJob-UUID: " + string(d.Leg) + "\n\n"}, nil
}

// dialString keeps the kinds of endpoints fixed: loopback and the like would
// enter any context of the dialplan.
func dialString(cfg Config, d orchestrator.Dial) (string, error) {
	switch {
	case d.Number == "" && devicePattern.MatchString(d.Endpoint):
		return d.Endpoint + "@" + cfg.Domain, nil
	case d.Number != "" && gatewayPattern.MatchString(d.Endpoint):
		if !telephonePattern.MatchString(d.Number) {
			return "", fmt.Errorf("number %q is not a number", clip(d.Number, maxID))
		}
		return "sofia/" + d.Endpoint + "/" + d.Number, nil
	case d.Number != "":
		return "", fmt.Errorf("trunk %q is not of the form gateway/name", clip(d.Endpoint, maxID))
	}
	return "", fmt.Errorf("endpoint %q is not of the form user/1001", clip(d.Endpoint, maxID))
}

// roleOf is where the guard of a leg leads in the fallback: "caller" rings
// somebody, "agent" says sorry and ends.
func roleOf(d orchestrator.Dial) string {
	if d.Number != "" {
		return roleCaller
	}
	return roleAgent
}

const (
	roleCaller = "caller"
	roleAgent  = "agent"
)

// keeping is what every leg of ours needs, so that it parks instead of ending
// and can be moved without end.
func keeping(cfg Config) []string {
	return []string{
		"ignore_early_media=true",
		"park_after_bridge=true",
		"hangup_after_bridge=false",
		"max_session_transfers=10000",
		"hold_hangup_xfer_exten=" + roleCaller + ":XML:" + cfg.Care,
		"force_transfer_context=" + cfg.Care,
		"force_transfer_dialplan=XML",
		"send_silence_when_idle=-1",
		"playback_terminators=none",
		"RECORD_STEREO=true",
	}
}

// shown is what the phone displays. Without a number FreeSWITCH would show
// ten zeros.
func shown(p orchestrator.Party) []string {
	var out []string
	if number := orchestrator.PlainNumber(p.Number); number != "" {
		out = append(out, "origination_caller_id_number="+number)
	} else {
		out = append(out, "origination_caller_id_number=anonymous")
	}
	if name := shownName(p.Name); name != "" {
		out = append(out, "origination_caller_id_name='"+name+"'")
	}
	return out
}

// shownName is a name in quotes. What FreeSWITCH reads as something else even
// there is replaced by its like, or by nothing.
func shownName(name string) string {
	var b strings.Builder
	for _, r := range orchestrator.PlainText(name, orchestrator.MaxPartyName) {
		switch r {
		case '\'':
			r = '’'
		case '"', '\\', '{', '}', '[', ']', '|', '$', '^', '~', ';', '<', '>', '=':
			continue
		case ',':
			r = '‚'
		case '%':
			r = '％'
		}
		b.WriteRune(r)
	}
	return strings.TrimSpace(strings.ReplaceAll(b.String(), ":_:", ":"))
}

// seconds rounds up.
func seconds(timeout orchestrator.Millis) int64 {
	return min(max((int64(timeout)+999)/1000, 1), 3600)
}
