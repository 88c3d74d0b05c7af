package asterisk

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"ringmaster/orchestrator"
)

// Our word about a transfer must not overtake Asterisk's own handling of the
// REFER, which would end the PBX: it waits for an answer that comes after it.
func TestTransferIsAnsweredAfterItsRequest(t *testing.T) {
	for name, order := range map[string]func(*office){
		"ours":         func(o *office) { o.must(orchestrator.RejectTransfer{Leg: "pbx/1"}) },
		"by ourselves": func(*office) {},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			o := f.open(nil)
			f.on("GET /channels/1/variable", func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(100 * time.Millisecond) // Asterisk is still at the REFER.
				if n := len(f.requests("POST /channels/1/transfer_progress")); n != 0 {
					t.Error("answered before Asterisk was through with the request")
				}
				_, _ = w.Write([]byte(`{"value":"call-id"}`))
			})
			f.send(arrivalJSON("1"))
			f.send(arrivalJSON("2"))
			if name == "ours" { // Two in a bridge: it is asked for. Else it is refused at once.
				for _, id := range []string{"1", "2"} {
					f.send(eventJSON("ChannelEnteredBridge", channelJSON(id, "Up", ""), `,"bridge":{"id":"b"}`))
				}
			}
			f.send(referJSON("1", "2002"))
			if name == "ours" {
				expect[orchestrator.TransferAsked](o, 0, nil)
			}
			order(o)
			f.await("POST /channels/1/transfer_progress?states=channel_declined", 1)
			if len(f.requests("GET /channels/1/variable?variable=CHANNEL%28pjsip%2Ccall-id%29")) != 1 {
				t.Errorf("asked %q", strings.Join(f.requests(""), "\n"))
			}
		})
	}
}

func referJSON(channel, number string) string {
	return `{"type":"ChannelTransfer","timestamp":"2026-11-23T01:30:00.000+0000","application":"rm","refer_to":{"requested_destination":{"destination":"` +
		number + `"}},"referred_by":{"source_channel":` + channelJSON(channel, "Up", "") + `}}`
}
