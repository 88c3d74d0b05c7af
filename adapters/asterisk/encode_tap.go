package asterisk

import (
	"errors"
	"net/http"
	"net/url"

	"ringmaster/orchestrator"
)

// tap is a snoop channel: it hears one leg and may speak into it.
type tap struct {
	on, id       string // the leg's channel and the tap's own
	spy, whisper string // "in", "out", "both" or "none", seen from the leg
}

func encodeTap(app string, t tap) (request, error) {
	if err := checkID("tap", t.id); err != nil {
		return request{}, err
	}
	return request{
		name: "tap", method: http.MethodPost, path: at("channels", t.on, "snoop", t.id),
		query: url.Values{"spy": {t.spy}, "whisper": {t.whisper}, "app": {app}, "appArgs": {argsTap}},
	}, nil
}

// encodeSender makes a channel that sends what it hears as RTP (externalMedia).
// For RTP, data is the arguments it enters our application with. Asterisk reads
// the address as "UnicastRTP/<to>/c(ulaw)", so that nothing else may be in it.
func encodeSender(app, id, to string) (request, error) {
	if err := checkID("sender", id); err != nil {
		return request{}, err
	}
	if !orchestrator.IsStreamTarget(to) {
		return request{}, errors.New("the server is not an IP address and a port")
	}
	return request{
		name: "sender", method: http.MethodPost, path: at("channels", "externalMedia"),
		query: url.Values{
			"app": {app}, "channelId": {id}, "external_host": {to}, "format": {"ulaw"},
			"encapsulation": {"rtp"}, "transport": {"udp"}, "connection_type": {"client"}, "direction": {"both"}, "data": {argsTap},
		},
	}, nil
}

// encodeRecord records a tap under its own name.
func encodeRecord(name string) request {
	return request{
		name: "record", method: http.MethodPost, path: at("channels", name, "record"),
		query: url.Values{"name": {name}, "format": {"wav"}, "ifExists": {"fail"}},
	}
}

func encodeStopRecord(name string) request {
	return request{name: "stop_record", method: http.MethodPost, path: at("recordings", "live", name, "stop")}
}

// encodeMask is not idempotent on Asterisk: see recording.
func encodeMask(name string, off bool) request {
	r := request{name: "mask", method: http.MethodPost, path: at("recordings", "live", name, "mute")}
	if off {
		r.name, r.method = "unmask", http.MethodDelete
	}
	return r
}

// encodeSpyBridge makes the bridge of a supervisor. Its name is no stamp, so it
// is nobody's talk.
func encodeSpyBridge(id string) request {
	return request{
		name: "bridge", method: http.MethodPost, path: at("bridges", id),
		query: url.Values{"type": {"mixing"}, "name": {argsTap}},
	}
}
