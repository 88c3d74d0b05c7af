package freeswitch

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/percipia/eslgo/command"

	"ringmaster/orchestrator"
)

// order is one command, ready to be written. Only the functions of the encode
// files make one: a command is a line, an empty line ends it, and spaces part
// its arguments. So every word that goes into one is either ours or matches a
// pattern without any character that FreeSWITCH reads as something else.
type order struct {
	name string // for statistics
	text string
	free bool // its answer is text of others', which may look like a refusal
}

// What may stand where. No pattern admits a space, a quote, a bracket, a
// backslash, a comma, '|', '$', '^' or '~'.
var (
	channelPattern   = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	devicePattern    = regexp.MustCompile(`^user/[A-Za-z0-9_.-]{1,80}$`)
	gatewayPattern   = regexp.MustCompile(`^gateway/[A-Za-z0-9_.-]{1,80}$`)
	userPattern      = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,80}@[A-Za-z0-9.-]{1,120}$`)
	contextPattern   = regexp.MustCompile(`^[A-Za-z0-9_-]{1,79}$`)
	dialledPattern   = regexp.MustCompile(`^[A-Za-z0-9*#+._-]{1,79}$`)
	telephonePattern = regexp.MustCompile(`^\+?[0-9*#]{1,40}$`)
	soundPattern     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.+-]*(/[A-Za-z0-9_.+-]+)*$`)
	filePattern      = regexp.MustCompile(`^(/[A-Za-z0-9_.+-]+)+$`)
	classPattern     = regexp.MustCompile(`^[A-Za-z0-9_.-]{0,79}$`)
	digitsPattern    = regexp.MustCompile(`^[0-9*#A-D]{1,32}$`)
	stampPattern     = regexp.MustCompile(`^[A-Za-z0-9,./:@_+-]{1,400}$`)
	idPattern        = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
	variablePattern  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,31}$`)
	valuePattern     = regexp.MustCompile(`^[\p{L}\p{N} .:@+*#/=_-]{0,255}$`)
)

const (
	maxID    = 128
	maxMedia = 64
	maxPath  = 255
)

// Variables of a leg that are ours. They are in every event of the leg.
const (
	stampVariable  = "rm_stamp"
	bridgeVariable = "rm_bridge" // "<bridge>,<stamp of the bridge>"
	musicVariable  = "rm_music"  // the class of music that sounds when nothing else does
	aliveVariable  = "rm_alive"  // global: "yes", or "no" when we have not been heard of
	epochVariable  = "rm_epoch"  // global: the newest orchestrator's
)

// checkID refuses ids that could mean something in a command.
func checkID(kind, id string) error {
	if !idPattern.MatchString(id) {
		return fmt.Errorf("%s id %q is not usable", kind, clip(id, maxID))
	}
	return nil
}

// api is a command answered by its output; its words are validated.
func api(name string, words ...string) order {
	c := command.API{Command: words[0], Arguments: strings.Join(words[1:], " ")}
	return order{name: name, text: c.BuildMessage() + "\n\n"}
}

// execute has a leg run an application of the dialplan; the words are
// validated. It begins at once, also while another one runs: only one playback
// is given to FreeSWITCH at a time, and nothing else may wait for its end. Its
// own end is told under id, if there is one.
func execute(name, channel, app, arg, id string) order {
	var b strings.Builder
	b.WriteString("sendmsg " + channel + "\ncall-command: execute\nexecute-app-name: " + app + "\n")
	if arg != "" {
		b.WriteString("execute-app-arg: " + arg + "\n")
	}
	if id != "" {
		b.WriteString("Event-UUID: " + id + "\n")
	}
	b.WriteByte('\n')
	return order{name: name, text: b.String()}
}

// set sets variables of a leg, all in one command; each pair is a name and a
// validated value, "" takes it off.
func set(name, channel string, pairs ...string) order {
	settings := make([]string, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		settings = append(settings, pairs[i]+"="+pairs[i+1])
	}
	return api(name, "uuid_setvar_multi", channel, strings.Join(settings, ";"))
}

func checkStamp(stamp string) error {
	if !stampPattern.MatchString(stamp) {
		return errors.New("stamp holds characters that no id has")
	}
	return nil
}

// encodeStamp sets the stamp of a leg; an empty one takes it off.
func encodeStamp(channel, stamp string) (order, error) {
	if stamp != "" {
		if err := checkStamp(stamp); err != nil {
			return order{}, err
		}
	}
	return set("stamp", channel, stampVariable, stamp), nil
}

// encodeAnswer runs the application and not uuid_answer, which can leave a
// channel behind when the caller gives up at that moment (FreeSWITCH #2920).
func encodeAnswer(channel string) order {
	return execute("answer", channel, "answer", "", "")
}

func encodeRing(channel string) order {
	return execute("ring", channel, "ring_ready", "", "")
}

func encodeEarlyMedia(channel string) order {
	return execute("early_media", channel, "pre_answer", "", "")
}

// encodeHangup ends a leg with a Q.850 cause, whatever it is doing; a cause
// outside 1 to 127 becomes normal clearing.
func encodeHangup(channel string, cause int) order {
	if cause < 1 || cause > 127 {
		cause = orchestrator.CauseNormal
	}
	word := strconv.Itoa(cause)
	if cause == orchestrator.CauseAnsweredElsewhere {
		word = "LOSE_RACE" // Tells the phone "answered elsewhere"; 26 alone does not.
	}
	return api("hangup", "uuid_kill", channel, word)
}

// mediaPath is what FreeSWITCH plays. It needs the extension; without one it
// would look for a scheme.
func mediaPath(m orchestrator.Media) (string, error) {
	switch {
	case m.Say != "":
		return "", errors.New("words to be spoken must be rendered to a file first")
	case m.File != "" && m.Sound != "":
		return "", errors.New("both sound and file are set")
	case m.File != "":
		if len(m.File) > maxPath || !filePattern.MatchString(m.File) || dotted(m.File) {
			return "", fmt.Errorf("file %q is not a plain absolute path without extension", clip(m.File, maxPath))
		}
		return m.File + ".wav", nil
	case m.Sound != "":
		if len(m.Sound) > maxPath || !soundPattern.MatchString(m.Sound) || dotted(m.Sound) {
			return "", fmt.Errorf("sound %q is not the name of a sound", clip(m.Sound, maxPath))
		}
		return m.Sound + ".wav", nil
	}
	return "", errors.New("is empty")
}

// dotted reports a path that climbs out of its folder.
func dotted(path string) bool { return strings.Contains("/"+path+"/", "/../") }

// checkPlay returns the paths of a play in order.
func checkPlay(p orchestrator.Play) ([]string, error) {
	if err := checkID("play", string(p.Play)); err != nil {
		return nil, err
	}
	if len(p.Media) == 0 || len(p.Media) > maxMedia {
		return nil, fmt.Errorf("play of %d media: want 1 to %d", len(p.Media), maxMedia)
	}
	paths := make([]string, len(p.Media))
	for i, m := range p.Media {
		path, err := mediaPath(m)
		if err != nil {
			return nil, fmt.Errorf("media %d: %w", i, err)
		}
		paths[i] = path
	}
	return paths, nil
}

// encodeSound plays a path that checkPlay or musicPath made; id is ours.
func encodeSound(channel, path, id string) order {
	return execute("play", channel, "playback", path, id)
}

// musicPath is endless by nature, gives digits and can be stopped; what
// FreeSWITCH calls endless_playback does neither of the two.
func musicPath(class string) (string, error) {
	if !classPattern.MatchString(class) {
		return "", fmt.Errorf("music class %q is not a name", clip(class, maxID))
	}
	if class == "" {
		class = defaultMusic
	}
	return musicScheme + class, nil
}

const musicScheme = "local_stream://"

const defaultMusic = "moh"

// encodeBreak ends whatever sounds on a leg and what waits behind it.
func encodeBreak(channel string) order { return api("break", "uuid_break", channel, "all") }

func encodeDigits(channel, digits string) (order, error) {
	if !digitsPattern.MatchString(digits) {
		return order{}, errors.New("digits are not 1 to 32 of 0-9 * # A-D")
	}
	return api("send_digits", "uuid_send_dtmf", channel, digits), nil
}

// encodeTransfer sends a leg to a place in the dialplan.
func encodeTransfer(channel, extension, context string) (order, error) {
	if !contextPattern.MatchString(context) || !dialledPattern.MatchString(extension) {
		return order{}, fmt.Errorf("context %q, extension %q: not a place in a dialplan", clip(context, maxID), clip(extension, maxID))
	}
	return api("release", "uuid_transfer", channel, extension, "XML", context), nil
}

// encodeBridge joins two legs.
func encodeBridge(a, b string) order { return api("bridge", "uuid_bridge", a, b) }

// bridgeMark is what two bridged legs carry.
func bridgeMark(bridge orchestrator.BridgeID, stamp orchestrator.Stamp) (string, error) {
	if err := checkID("bridge", string(bridge)); err != nil {
		return "", err
	}
	if err := checkStamp(stamp.String()); err != nil {
		return "", err
	}
	return string(bridge) + "," + stamp.String(), nil
}

// readBridgeMark is the inverse of bridgeMark.
func readBridgeMark(mark string) (orchestrator.BridgeID, orchestrator.Stamp) {
	id, rest, _ := strings.Cut(mark, ",")
	stamp, _ := orchestrator.ParseStamp(rest)
	return orchestrator.BridgeID(id), stamp
}

func encodeDump(channel string) order { return api("dump", "uuid_dump", channel) }

// encodeUnkeep takes off what makes a leg ours.
func encodeUnkeep(channel string) order {
	return set("unkeep", channel, stampVariable, "", "rm_entry", "", "rm_number", "", bridgeVariable, "", musicVariable, "", "transfer_after_bridge", "", "park_after_bridge", "",
		"hold_hangup_xfer_exten", "", "force_transfer_context", "", "confirm_blind_transfer", "")
}

func clip(s string, n int) string { return s[:min(len(s), n)] }
