package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"ringmaster/cmd/phonebank/phone"
	"ringmaster/orchestrator"
)

// meddler stands between ringmaster and ARI, hands everything on, and adds
// events of its own.
type meddler struct {
	t       *testing.T
	ari     *url.URL
	server  *httptest.Server
	repeats atomic.Bool                   // every real event twice
	creates atomic.Pointer[chan struct{}] // what requests for new legs wait for
	lock    sync.Mutex
	conn    *websocket.Conn
	legs    []string // the ids of channels seen
	opened  atomic.Int64
}

// meddle puts a meddler into a document.
func meddle(t *testing.T, doc document) *meddler {
	t.Helper()
	pbx := doc["switches"].([]document)[0]
	ari, err := url.Parse(pbx["url"].(string))
	if err != nil {
		t.Fatal(err)
	}
	m := &meddler{t: t, ari: ari}
	rest := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: ari.Scheme, Host: ari.Host})
	m.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/events") {
			m.relay(w, r)
			return
		}
		if still := m.creates.Load(); still != nil && strings.HasSuffix(r.URL.Path, "/channels/create") {
			<-*still
		}
		rest.ServeHTTP(w, r)
	}))
	t.Cleanup(m.server.Close)
	pbx["url"] = m.server.URL + ari.Path
	return m
}

// letIn lets those requests for new legs go on that wait now.
func (m *meddler) letIn(still chan struct{}) {
	for {
		select {
		case still <- struct{}{}:
		default:
			return
		}
	}
}

const relayLimit = 16 << 20

// relay hands one websocket on, both ways, until either side ends.
func (m *meddler) relay(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	to := *m.ari
	to.Scheme, to.Path, to.RawQuery = "ws", r.URL.Path, r.URL.RawQuery
	far, _, err := websocket.Dial(ctx, to.String(), &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": r.Header["Authorization"]}}) //nolint:bodyclose // the websocket owns it
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer far.CloseNow()
	near, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer near.CloseNow()
	far.SetReadLimit(relayLimit)
	m.opened.Add(1)
	m.lock.Lock()
	m.conn = near
	m.lock.Unlock()
	go func() {
		defer cancel()
		near.Read(ctx)
	}()
	for {
		kind, text, err := far.Read(ctx)
		if err != nil {
			return
		}
		m.note(text)
		times := 1
		if m.repeats.Load() {
			times = 2
		}
		for range times {
			if near.Write(ctx, kind, text) != nil {
				return
			}
		}
	}
}

// note remembers the channels that events tell of.
func (m *meddler) note(text []byte) {
	var event struct{ Channel struct{ ID string } }
	if json.Unmarshal(text, &event) == nil && event.Channel.ID != "" {
		m.lock.Lock()
		defer m.lock.Unlock()
		m.legs = append(m.legs, event.Channel.ID)
	}
}

// inject adds one message to what ringmaster hears.
func (m *meddler) inject(kind websocket.MessageType, text string) {
	m.t.Helper()
	m.lock.Lock()
	conn := m.conn
	m.lock.Unlock()
	ctx, cancel := context.WithTimeout(m.t.Context(), 5*time.Second)
	defer cancel()
	if err := conn.Write(ctx, kind, []byte(text)); err != nil {
		m.t.Logf("inject %.60q: %v", text, err)
	}
}

// leg is the id of a channel that is up.
func (m *meddler) leg() string {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.legs[len(m.legs)-1]
}

// nonsense is what no Asterisk says. LEG stands for a channel in a talk.
var nonsense = []string{
	`{"type":"SomethingNew","channel":{"id":"LEG"},"application":"rm"}`,
	``, `{`, `[]`, `null`, `"StasisEnd"`, `7`, `{"type":7}`, `{"type":null}`, `{"typ`, "\xff\xfe\x00", strings.Repeat("[", 100000),
	`{"type":"ChannelDestroyed"}`,
	`{"type":"ChannelDestroyed","channel":"LEG"}`,
	`{"type":"ChannelDestroyed","channel":{"id":7},"cause":"16"}`,
	`{"type":"ChannelDestroyed","cause":16,"channel":{"id":"nobodys","name":"PJSIP/x-1"}}`,
	`{"type":"ChannelHangupRequest","channel":{"id":"nobodys","channelvars":5},"soft":"yes"}`,
	`{"type":"StasisStart"}`,
	`{"type":"StasisStart","args":"v1,in,501","channel":{"id":"nobodys"}}`,
	`{"type":"StasisStart","args":["v9","what"],"channel":{"id":"nobodys","name":"PJSIP/x-1","state":"Up"}}`,
	`{"type":"StasisStart","args":["v1","out"],"channel":{"id":"nobodys2","name":"PJSIP/x-2","state":"Up"}}`,
	`{"type":"StasisEnd","channel":{"id":"nobodys"}}`,
	`{"type":"ChannelDtmfReceived","digit":"1111","channel":{"id":"LEG"}}`,
	`{"type":"ChannelDtmfReceived","digit":"💣","channel":{"id":"LEG"}}`,
	`{"type":"ChannelDtmfReceived","digit":{"a":1},"channel":{"id":"LEG"}}`,
	`{"type":"ChannelEnteredBridge","channel":{"id":"LEG"}}`,
	`{"type":"ChannelEnteredBridge","bridge":null,"channel":{"id":"nobodys"}}`,
	`{"type":"ChannelLeftBridge","bridge":{"id":"another"},"channel":{"id":"LEG"}}`,
	`{"type":"ChannelUnhold","channel":{"id":"LEG"}}`,
	`{"type":"ChannelStateChange","channel":{"id":"LEG","state":"Exploded"}}`,
	`{"type":"Dial","dialstatus":"RINGING","peer":{"id":"LEG"}}`,
	`{"type":"Dial","dialstatus":"RINGING","peer":{}}`,
	`{"type":"PlaybackFinished","playback":{"id":"nobodys","state":"done"}}`,
	`{"type":"PlaybackFinished"}`,
	`{"type":"DeviceStateChanged","device_state":{"name":"PJSIP/9999","state":"UNAVAILABLE"}}`,
	`{"type":"DeviceStateChanged","device_state":[]}`,
	`{"type":"ChannelTransfer","referred_by":{"source_channel":{"id":7}}}`,
	`{"type":"ChannelTransfer"}`,
	`{"type":"SomethingLong","text":"` + strings.Repeat("x", 1<<20) + `"}`,
	`{"type":"StasisEnd","channel":{"id":"` + strings.Repeat("y", 1<<20) + `"}}`,
	`{"type":"` + strings.Repeat("z", 1<<20) + `"}`,
}

// TestHostileEvents: messages nobody knows, messages that are broken, and every
// real one twice. Who talks hears nothing of it, and calls come and go.
func TestHostileEvents(t *testing.T) {
	var m *meddler
	c, talk := witnessed(t, 2, func(doc document) { m = meddle(t, doc) })
	leg := m.leg()
	for i, text := range nonsense {
		kind := websocket.MessageText
		if i%2 == 1 {
			kind = websocket.MessageBinary
		}
		m.inject(kind, strings.ReplaceAll(text, "LEG", leg))
	}
	t.Run("nonsense", func(t *testing.T) { c.talkOnce(t, "+49860") })
	t.Run("repeated", func(t *testing.T) {
		m.repeats.Store(true)
		for i := range 3 {
			c.talkOnce(t, "+4986"+string(rune('1'+i)))
		}
		m.repeats.Store(false)
	})
	t.Run("too long", func(t *testing.T) {
		before := m.opened.Load()
		m.inject(websocket.MessageText, `{"type":"SomethingLong","text":"`+strings.Repeat("x", 5<<20)+`"}`)
		c.eventually("the connection is made anew", 15*time.Second, func() bool { return m.opened.Load() > before && c.live().Switches[0].Attached })
		c.talkOnce(t, "+49865")
	})
	t.Run("flood", func(t *testing.T) {
		for range 20000 {
			m.inject(websocket.MessageText, `{"type":"SomethingNew","channel":{"id":"nobodys"}}`)
		}
		c.talkOnce(t, "+49866")
	})
	if n := c.figure(t, "ringmaster_switch_unknown_events_total"); n < 20000 {
		t.Errorf("only %.0f unknown events reached ringmaster", n)
	}
	talk.testified(t)
}

// talkOnce is one call to agent 2 from beginning to end.
func (c *centre) talkOnce(t *testing.T, number string) {
	t.Helper()
	c.eventually("the agent is ready", 10*time.Second, func() bool { return c.agent(1).State == orchestrator.AgentReady })
	rings := incomingCalls(c.agents[1])
	call := c.dial(c.caller(1), "501", number)
	c.hears(call, agentHz+100, time.Time{})
	c.hangsUp(t, call, number, orchestrator.ReasonTalked)
	if n := incomingCalls(c.agents[1]) - rings; n != 1 {
		t.Errorf("the phone rang %d times for one call", n)
	}
}

// incomingCalls counts how often a phone was called.
func incomingCalls(p *phone.Phone) (n int) {
	for _, call := range p.Calls() {
		if call.Direction() == phone.Incoming {
			n++
		}
	}
	return n
}
