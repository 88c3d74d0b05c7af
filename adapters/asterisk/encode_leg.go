package asterisk

import (
	"errors"
	"net/http"
	"net/url"
	"unicode/utf8"

	"ringmaster/orchestrator"
)

func encodeRing(channel string) request {
	return request{name: "ring", method: http.MethodPost, path: at("channels", channel, "ring")}
}

// encodeProgress sends SIP 183; Asterisk has it since 20.16 and 22.6.
func encodeProgress(channel string) request {
	return request{name: "progress", method: http.MethodPost, path: at("channels", channel, "progress")}
}

func encodeMute(channel string, m orchestrator.Mute) (request, error) {
	if m.Direction != orchestrator.MuteIn && m.Direction != orchestrator.MuteOut {
		return request{}, errors.New("direction is neither in nor out")
	}
	r := request{
		name: "mute", method: http.MethodPost, path: at("channels", channel, "mute"),
		query: url.Values{"direction": {string(m.Direction)}},
	}
	if m.Off {
		r.name, r.method = "unmute", http.MethodDelete
	}
	return r, nil
}

// encodeFunction writes to a function of a leg that we name ourselves.
func encodeFunction(channel, function, value string) request {
	return request{
		name: "set_variable", method: http.MethodPost, path: at("channels", channel, "variable"),
		body: asJSON(map[string]string{"variable": function, "value": value}),
	}
}

// variablePrefix begins every variable that SetVariable and ReadVariable reach:
// no function of Asterisk and no variable of its own does.
const variablePrefix = stampVariable + "_"

func encodeSetVariable(channel, name, value string) (request, error) {
	if !variablePattern.MatchString(name) {
		return request{}, errors.New("variable name is not 1 to 32 letters, digits and _")
	}
	if !utf8.ValidString(value) || len(value) > maxValue || !valuePattern.MatchString(value) {
		return request{}, errors.New("variable value holds more than letters, digits, spaces and . : @ + * # / = _ -")
	}
	return encodeFunction(channel, variablePrefix+name, value), nil
}

// encodeReadVariable reads a variable or function of a leg. name is one of ours
// or validated; Asterisk would evaluate any.
func encodeReadVariable(channel, name string) request {
	return request{
		name: "read_variable", method: http.MethodGet, path: at("channels", channel, "variable"),
		query: url.Values{"variable": {name}},
	}
}

// What a phone can be told of its REFER. It becomes the NOTIFY of SIP 200 or
// 603, and ends the subscription that came with the REFER (RFC 3515 2.4.4).
const (
	transferDone    = "channel_answered"
	transferRefused = "channel_declined"
)

func encodeTransferProgress(channel, progress string) request {
	return request{
		name: "transfer_progress", method: http.MethodPost, path: at("channels", channel, "transfer_progress"),
		query: url.Values{"states": {progress}},
	}
}
