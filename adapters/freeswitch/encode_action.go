package freeswitch

import (
	"errors"
	"fmt"

	"ringmaster/orchestrator"
)

// encodeMute sets one direction; the other stays as it is.
func encodeMute(channel string, d orchestrator.Direction, off bool) (order, error) {
	side := map[orchestrator.Direction]string{orchestrator.MuteIn: "read", orchestrator.MuteOut: "write"}[d]
	if side == "" {
		return order{}, fmt.Errorf("direction %q is neither in nor out", clip(string(d), maxID))
	}
	level := "1"
	if off {
		level = "0"
	}
	return api("mute", "uuid_audio", channel, "start", side, "mute", level), nil
}

// encodeDisplay changes what the phone shows: "name|number". Without either
// there is nothing to order.
func encodeDisplay(channel string, p orchestrator.Party) []order {
	name, number := shownName(p.Name), orchestrator.PlainNumber(p.Number)
	if name == "" {
		name = number
	}
	if name == "" {
		return nil
	}
	return []order{api("display", "uuid_display", channel, name+"|"+number)}
}

// encodeSetVariable sets RM_<name>. The value is in quotes, which keep its
// spaces; "" takes the variable off.
func encodeSetVariable(channel, name, value string) (order, error) {
	switch {
	case !variablePattern.MatchString(name):
		return order{}, fmt.Errorf("variable name %q: want 1 to 32 letters, digits and _, beginning with a letter", clip(name, maxID))
	case !valuePattern.MatchString(value):
		return order{}, errors.New("variable value holds more than 255 letters, digits, spaces and . : @ + * # / = _ -")
	case value == "":
		return api("set_variable", "uuid_setvar", channel, userVariable+name), nil
	}
	return api("set_variable", "uuid_setvar", channel, userVariable+name, "'"+value+"'"), nil
}

const userVariable = "RM_"

func encodeGetVariable(channel, name string) (order, error) {
	if !variablePattern.MatchString(name) {
		return order{}, fmt.Errorf("variable name %q: want 1 to 32 letters, digits and _, beginning with a letter", clip(name, maxID))
	}
	o := api("read_variable", "uuid_getvar", channel, userVariable+name)
	o.free = true
	return o, nil
}

// encodeRecord acts on a recording; path is recordingPath's.
func encodeRecord(channel, action, path string) order {
	return api("record_"+action, "uuid_record", channel, action, path)
}

// recordingPath is where a recording goes.
func recordingPath(cfg Config, id orchestrator.RecordingID) (string, error) {
	if err := checkID("recording", string(id)); err != nil {
		return "", err
	}
	if dotted(string(id)) {
		return "", fmt.Errorf("recording id %q is not usable", id)
	}
	return cfg.Recordings + "/" + string(id) + ".wav", nil
}

func encodeFileExists(path string) order { return api("file_exists", "file_exists", path) }

// supervising is the application that does it.
const supervising = "eavesdrop"

// encodeEavesdrop has a leg listen to another. The variables say what it may do
// from the beginning.
func encodeEavesdrop(channel, target string, mode orchestrator.Supervision) ([]order, error) {
	// The a-leg's sound is what the target says: who is mixed into that is
	// heard by the other.
	toTarget, toOther := "false", "false"
	switch mode {
	case orchestrator.Listen:
	case orchestrator.Whisper:
		toTarget = "true"
	case orchestrator.Barge:
		toTarget, toOther = "true", "true"
	default:
		return nil, fmt.Errorf("mode %q is unknown", clip(string(mode), maxID))
	}
	return []order{
		set("supervise", channel, "eavesdrop_whisper_aleg", toOther, "eavesdrop_whisper_bleg", toTarget, "eavesdrop_enable_dtmf", "true"),
		execute("supervise", channel, supervising, target, ""),
	}, nil
}

// modeKeys are the keys by which the application itself changes its mode.
var modeKeys = map[orchestrator.Supervision]string{orchestrator.Listen: "0", orchestrator.Whisper: "2", orchestrator.Barge: "3"}

// encodeMode changes the mode of a leg that listens, without a gap.
func encodeMode(channel string, mode orchestrator.Supervision) (order, error) {
	key := modeKeys[mode]
	if key == "" {
		return order{}, fmt.Errorf("mode %q is unknown", clip(string(mode), maxID))
	}
	return api("mode", "uuid_recv_dtmf", channel, key), nil
}

// conferenceName is the conference of a bridge with more than two legs.
func conferenceName(bridge orchestrator.BridgeID) string { return "rm-" + string(bridge) }

// encodeConfer puts a leg, or a leg and its peer, into the conference of a
// bridge. It ends when one is left, who then goes to the care context. The
// bridge is checked by bridgeMark.
func encodeConfer(cfg Config, channel string, bridge orchestrator.BridgeID, both bool) order {
	words := []string{"uuid_transfer", channel}
	if both {
		words = append(words, "-both")
	}
	return api("confer", append(words,
		"'conference:"+conferenceName(bridge)+"@"+cfg.Conference+"+flags{mintwo},transfer:"+roleCaller+" XML "+cfg.Care+"'", "inline")...)
}
