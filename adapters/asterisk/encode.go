package asterisk

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"ringmaster/orchestrator"
)

// request is one ARI request. Only the encode functions make one: ids
// are path-escaped, scalars are validated against a pattern and go into the
// query, and text of others' making goes into the JSON body, where no
// character has a meaning.
type request struct {
	name   string // for statistics
	method string
	path   string // escaped, below the base address
	query  url.Values
	body   []byte // JSON, nil for none
}

// What may stand where. Endpoint keeps the technology fixed: a Local endpoint
// would enter any context of the dialplan.
var (
	endpointPattern = regexp.MustCompile(`^PJSIP/[A-Za-z0-9_.@-]{1,80}$`)
	numberPattern   = regexp.MustCompile(`^\+?[0-9*#]{1,40}$`)
	contextPattern  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,79}$`)
	dialledPattern  = regexp.MustCompile(`^[A-Za-z0-9*#+._-]{1,79}$`)
	soundPattern    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.+-]*(/[A-Za-z0-9_.+-]+)*$`)
	filePattern     = regexp.MustCompile(`^(/[A-Za-z0-9_.+-]+)+$`)
	classPattern    = regexp.MustCompile(`^[A-Za-z0-9_.-]{0,79}$`)
	digitsPattern   = regexp.MustCompile(`^[0-9*#A-D]{1,32}$`)
	variablePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,31}$`)
	valuePattern    = regexp.MustCompile(`^[\pL\pN .:@+*#/=_-]*$`)
	tapPattern      = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	directory       = regexp.MustCompile(`^(/[A-Za-z0-9_.+-]+)+$`)
	stampPattern    = regexp.MustCompile(`^[A-Za-z0-9,./:@_+-]{1,400}$`)
)

// technology begins every endpoint.
const technology = "PJSIP/"

const (
	maxID    = 128
	maxMedia = 64
	maxPath  = 255
	maxValue = 255 // bytes
)

// stampVariable is the channel variable that holds a leg's stamp. ari.conf
// lists it in channelvars, so that every snapshot of a channel shows it.
const stampVariable = "RM"

// at joins a path out of fixed words and ids; ids are escaped.
func at(words ...string) string {
	var b strings.Builder
	for _, w := range words {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(w))
	}
	return b.String()
}

// checkID refuses ids that mean something in a path or a header even when they
// are escaped.
func checkID(kind, id string) error {
	if id == "" || len(id) > maxID || id == "." || id == ".." || !printableASCII(id) {
		return fmt.Errorf("%s id %q is not usable", kind, clip(id, maxID))
	}
	return nil
}

func asJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("encode request body: %v", err)) // Only maps and slices of strings reach this.
	}
	return text
}

// encodeCreate makes the leg without ringing it: POST /channels/create. It
// does not set CALLERID: that is the identity of the agent's own leg, and the
// caller's phone would be shown its own number as the one it is connected to.
// CONNECTEDLINE alone is what the agent's phone displays (PJSIP builds From of it).
func encodeCreate(app string, d orchestrator.Dial) (request, error) {
	stamp := d.Stamp.String()
	switch {
	case checkID("leg", string(d.Leg)) != nil:
		return request{}, checkID("leg", string(d.Leg))
	case !endpointPattern.MatchString(d.Endpoint):
		return request{}, fmt.Errorf("endpoint %q is not of the form PJSIP/1001", clip(d.Endpoint, maxID))
	case d.Number != "" && (!numberPattern.MatchString(d.Number) || strings.Contains(d.Endpoint, "@")):
		return request{}, fmt.Errorf("number %q cannot be dialled through %q", clip(d.Number, maxID), d.Endpoint)
	case !stampPattern.MatchString(stamp):
		return request{}, errors.New("stamp holds characters that no id has")
	}
	endpoint := d.Endpoint
	if d.Number != "" {
		endpoint = technology + d.Number + "@" + strings.TrimPrefix(d.Endpoint, technology)
	}
	variables := map[string]string{
		stampVariable:               stamp,
		"PJSIP_TRANSFER_HANDLING()": "ari-only",
	}
	if number := orchestrator.PlainNumber(d.Display.Number); number != "" {
		variables["CONNECTEDLINE(num)"] = number
	}
	if name := orchestrator.PlainText(d.Display.Name, orchestrator.MaxPartyName); name != "" {
		variables["CONNECTEDLINE(name)"] = name
	}
	if d.AutoAnswer {
		variables["PJSIP_HEADER(add,Call-Info)"] = "<sip:ringmaster.invalid>;answer-after=0"
		variables["PJSIP_HEADER(add,Alert-Info)"] = "<http://ringmaster.invalid>;info=alert-autoanswer;delay=0"
	}
	return request{
		name: "create", method: http.MethodPost, path: at("channels", "create"),
		query: url.Values{
			"endpoint": {endpoint}, "app": {app}, "appArgs": {argsDialled}, "channelId": {string(d.Leg)},
		},
		body: asJSON(map[string]any{"variables": variables}),
	}, nil
}

// encodeDial rings a created leg. Asterisk counts in whole seconds; the time is
// rounded up, so that the floor's own timer is the one that decides.
func encodeDial(channel string, timeout orchestrator.Millis) request {
	seconds := min(max((int64(timeout)+999)/1000, 1), 3600)
	return request{
		name: "dial", method: http.MethodPost, path: at("channels", channel, "dial"),
		query: url.Values{"timeout": {strconv.FormatInt(seconds, 10)}},
	}
}

func encodeAnswer(channel string) request {
	return request{name: "answer", method: http.MethodPost, path: at("channels", channel, "answer")}
}

// encodeHangup ends a leg with a Q.850 cause; a cause outside 1 to 127 becomes
// normal clearing.
func encodeHangup(channel string, cause int) request {
	if cause < 1 || cause > 127 {
		cause = orchestrator.CauseNormal
	}
	return request{
		name: "hangup", method: http.MethodDelete, path: at("channels", channel),
		query: url.Values{"reason_code": {strconv.Itoa(cause)}},
	}
}

// encodeStamp sets the stamp of a leg; an empty stamp takes it off.
func encodeStamp(channel, stamp string) (request, error) {
	if stamp != "" && !stampPattern.MatchString(stamp) {
		return request{}, errors.New("stamp holds characters that no id has")
	}
	return request{
		name: "stamp", method: http.MethodPost, path: at("channels", channel, "variable"),
		query: url.Values{"variable": {stampVariable}, "value": {stamp}},
	}, nil
}

// The epoch is a global variable of the switch, one per application. It is
// forgotten when Asterisk restarts, and so is everything it protects.

func encodeEpoch(app string, epoch uint64) request {
	return request{
		name: "epoch", method: http.MethodPost, path: at("asterisk", "variable"),
		query: url.Values{"variable": {stampVariable + "_EPOCH_" + app}, "value": {strconv.FormatUint(epoch, 10)}},
	}
}

func encodeReadEpoch(app string) request {
	return request{
		name: "read_epoch", method: http.MethodGet, path: at("asterisk", "variable"),
		query: url.Values{"variable": {stampVariable + "_EPOCH_" + app}},
	}
}

// encodePlay plays the media in order under the id of the play.
func encodePlay(channel string, p orchestrator.Play) (request, error) {
	if err := checkID("play", string(p.Play)); err != nil {
		return request{}, err
	}
	if len(p.Media) == 0 || len(p.Media) > maxMedia {
		return request{}, fmt.Errorf("play of %d media: want 1 to %d", len(p.Media), maxMedia)
	}
	media := make([]string, len(p.Media))
	for i, m := range p.Media {
		uri, err := mediaURI(m)
		if err != nil {
			return request{}, fmt.Errorf("media %d: %w", i, err)
		}
		media[i] = uri
	}
	return request{
		name: "play", method: http.MethodPost, path: at("channels", channel, "play", string(p.Play)),
		body: asJSON(map[string]any{"media": media}),
	}, nil
}

// mediaURI gives each entry its scheme: Asterisk skips one without, silently.
func mediaURI(m orchestrator.Media) (string, error) {
	switch {
	case m.Say != "":
		return "", errors.New("words to be spoken must be rendered to a file first")
	case m.File != "" && m.Sound != "":
		return "", errors.New("both sound and file are set")
	case m.File != "":
		if len(m.File) > maxPath || !filePattern.MatchString(m.File) || dotted(m.File) {
			return "", fmt.Errorf("file %q is not a plain absolute path without extension", clip(m.File, maxPath))
		}
		return "sound:" + m.File, nil
	case m.Sound != "":
		if len(m.Sound) > maxPath || !soundPattern.MatchString(m.Sound) || dotted(m.Sound) {
			return "", fmt.Errorf("sound %q is not the name of a sound", clip(m.Sound, maxPath))
		}
		return "sound:" + m.Sound, nil
	}
	return "", errors.New("is empty")
}

// dotted reports a path that climbs out of its folder.
func dotted(path string) bool { return strings.Contains("/"+path+"/", "/../") }

func encodeStopPlay(play orchestrator.PlayID) request {
	return request{name: "stop_play", method: http.MethodDelete, path: at("playbacks", string(play))}
}

func encodeReadPlay(play orchestrator.PlayID) request {
	return request{name: "read_play", method: http.MethodGet, path: at("playbacks", string(play))}
}

func encodeStartMusic(channel, class string) (request, error) {
	if !classPattern.MatchString(class) {
		return request{}, fmt.Errorf("music class %q is not a name", clip(class, maxID))
	}
	r := request{name: "start_music", method: http.MethodPost, path: at("channels", channel, "moh")}
	if class != "" {
		r.query = url.Values{"mohClass": {class}}
	}
	return r, nil
}

func encodeStopMusic(channel string) request {
	return request{name: "stop_music", method: http.MethodDelete, path: at("channels", channel, "moh")}
}

func encodeDigits(channel, digits string) (request, error) {
	if !digitsPattern.MatchString(digits) {
		return request{}, errors.New("digits are not 1 to 32 of 0-9 * # A-D")
	}
	return request{
		name: "send_digits", method: http.MethodPost, path: at("channels", channel, "dtmf"),
		query: url.Values{"dtmf": {digits}},
	}, nil
}

// encodeContinue gives a leg back to the dialplan; without a context Asterisk
// goes on behind the Stasis() line.
func encodeContinue(channel, context, extension string) (request, error) {
	r := request{name: "release", method: http.MethodPost, path: at("channels", channel, "continue")}
	if context == "" && extension == "" {
		return r, nil
	}
	if !contextPattern.MatchString(context) || !dialledPattern.MatchString(extension) {
		return request{}, fmt.Errorf("context %q, extension %q: not a place in a dialplan", clip(context, maxID), clip(extension, maxID))
	}
	r.query = url.Values{"context": {context}, "extension": {extension}, "priority": {"1"}}
	return r, nil
}

// encodeBridge makes a bridge. Of the mixing types dtmf_events keeps the sound
// in Asterisk, so that digits are reported and music, prompts and recording
// stay possible.
func encodeBridge(c orchestrator.Connect) (request, error) {
	stamp := c.Stamp.String()
	if err := checkID("bridge", string(c.Bridge)); err != nil {
		return request{}, err
	}
	if !stampPattern.MatchString(stamp) {
		return request{}, errors.New("stamp holds characters that no id has")
	}
	return request{
		name: "bridge", method: http.MethodPost, path: at("bridges", string(c.Bridge)),
		query: url.Values{"type": {"mixing,dtmf_events"}, "name": {stamp}},
	}, nil
}

// encodeJoin puts legs into a bridge, all or none.
func encodeJoin(bridge orchestrator.BridgeID, channels ...string) (request, error) {
	for _, c := range channels {
		if err := checkID("leg", c); err != nil {
			return request{}, err
		}
		if strings.Contains(c, ",") {
			return request{}, fmt.Errorf("leg id %q holds a comma", clip(c, maxID))
		}
	}
	return request{
		name: "join", method: http.MethodPost, path: at("bridges", string(bridge), "addChannel"),
		query: url.Values{"channel": {strings.Join(channels, ",")}},
	}, nil
}

func encodeSeparate(bridge orchestrator.BridgeID, channel string) request {
	return request{
		name: "separate", method: http.MethodPost, path: at("bridges", string(bridge), "removeChannel"),
		query: url.Values{"channel": {channel}},
	}
}

func encodeCloseBridge(bridge string) request {
	return request{name: "close_bridge", method: http.MethodDelete, path: at("bridges", bridge)}
}

// encodeSubscribe asks for the events of sources that are already validated.
func encodeSubscribe(app string, sources ...string) request {
	return request{
		name: "subscribe", method: http.MethodPost, path: at("applications", app, "subscription"),
		query: url.Values{"eventSource": {strings.Join(sources, ",")}},
	}
}

func encodeUnsubscribe(app string, sources ...string) request {
	return request{
		name: "unsubscribe", method: http.MethodDelete, path: at("applications", app, "subscription"),
		query: url.Values{"eventSource": {strings.Join(sources, ",")}},
	}
}

// encodeFilter keeps out the events nobody reads: two thirds of all bytes.
func encodeFilter(app string) request {
	unread := []map[string]string{
		{"type": "ChannelDialplan"}, {"type": "ChannelVarset"}, {"type": "ChannelConnectedLine"}, {"type": "ChannelCallerId"},
	}
	return request{
		name: "filter", method: http.MethodPut, path: at("applications", app, "eventFilter"),
		body: asJSON(map[string]any{"disallowed": unread}),
	}
}

// pulseName is the name of the event we send to ourselves through Asterisk.
const pulseName = "ringmaster-pulse"

// encodePulse has Asterisk send an event to our application.
func encodePulse(app string) request {
	return request{
		name: "pulse", method: http.MethodPost, path: at("events", "user", pulseName),
		query: url.Values{"application": {app}},
	}
}

func encodeRead(words ...string) request {
	return request{name: "read_" + words[0], method: http.MethodGet, path: at(words...)}
}

func clip(s string, n int) string { return s[:min(len(s), n)] }

func printableASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
