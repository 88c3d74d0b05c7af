package freeswitch

import (
	"strconv"
	"strings"

	"github.com/percipia/eslgo/command"
)

// The takeover is an event that a new orchestrator sends to all others.
const (
	takeoverName = "ringmaster::takeover"
	epochHeader  = "Orchestrator-Epoch"
)

var takeoverMark = []byte("ringmaster%3A%3Atakeover")

// subscribed are the events something is done about. CUSTOM is the last word,
// because every word after it is taken for a subclass.
var subscribed = strings.Fields(`
	CHANNEL_CREATE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_ANSWER CHANNEL_PARK CHANNEL_BRIDGE CHANNEL_UNBRIDGE
	CHANNEL_HOLD CHANNEL_UNHOLD CHANNEL_EXECUTE_COMPLETE CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE
	PLAYBACK_START RECORD_START RECORD_STOP DTMF BACKGROUND_JOB HEARTBEAT
	CUSTOM sofia::register sofia::unregister sofia::expire sofia::sip_user_state
	sofia::transferor sofia::transferee sofia::replaced conference::maintenance ` + takeoverName)

// awaited are the names of the events something is done about.
var awaited = func() map[string]bool {
	names := map[string]bool{}
	for _, name := range subscribed {
		names[name] = true
	}
	return names
}()

func encodeSubscribe() order {
	c := command.Event{Format: "plain", Listen: subscribed}
	return order{name: "subscribe", text: c.BuildMessage() + "\n\n"}
}

func epochText(epoch uint64) string { return strconv.FormatUint(epoch, 10) }

func encodeTakeover(epoch string) order {
	return order{name: "takeover", text: "sendevent CUSTOM\nEvent-Subclass: " + takeoverName + "\n" + epochHeader + ": " + epoch + "\n\n"}
}

func encodePhones(profile string) order {
	return api("phones", "sofia", "xmlstatus", "profile", profile, "reg")
}

func encodeReadGlobal(name string) order { return api("read_global", "global_getvar", name) }

func encodeGlobal(name, value string) order { return api("global", "global_setvar", name+"="+value) }
