package phone

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/diago/media"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

const (
	// maxHistory bounds the finished calls a phone remembers.
	maxHistory = 1000
	// maxWaiting bounds the incoming calls that WaitCall has not fetched.
	maxWaiting = 256
	// goodbye bounds every request that ends something: BYE, un-REGISTER.
	goodbye = 2 * time.Second
	// maxRing is when a phone that nobody answers gives up, so that a PBX that died cannot ring it for ever.
	maxRing = 10 * time.Minute
	// settle is how long a request that was read may take until sipgo has its transaction.
	settle = 10 * time.Millisecond
)

// Phone is one registered device with its own SIP socket. It is safe for concurrent use. Close ends it.
type Phone struct {
	cfg    Config
	listen listener
	ua     *sipgo.UserAgent
	client *sipgo.Client
	diago  *diago.Diago
	wire   *wire
	traces *traces

	ctx    context.Context //nolint:containedctx // ends when the phone closes
	cancel context.CancelFunc
	calls  sync.WaitGroup // one per call
	served chan struct{}  // closed when the socket is no longer read

	unplugged atomic.Bool
	dropped   atomic.Uint64 // INVITEs ignored by a silent phone

	mu        sync.Mutex
	behaviour Behaviour
	active    map[string]*Call
	history   []*Call
	incoming  chan *Call
	recorded  int
	reg       *registration
	closed    bool
}

// quietLibraries keeps diago and sipgo from writing to the program's log: what matters of what they say arrives
// as an error or an event. Both keep their logger in a package variable.
var quietLibraries = sync.OnceFunc(func() {
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler))
	media.SetDefaultLogger(slog.New(slog.DiscardHandler))
})

// New opens a phone's SIP socket. It does not register.
func New(cfg Config) (*Phone, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	quietLibraries()
	p := &Phone{
		cfg: cfg, listen: newListener(cfg.Tones), traces: newTraces(), served: make(chan struct{}),
		behaviour: cfg.Behaviour, active: make(map[string]*Call), incoming: make(chan *Call, maxWaiting),
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	var err error
	if p.wire, err = newWire(cfg.ListenHost, cfg.ListenPort, p.see); err != nil {
		return nil, fmt.Errorf("phone %s: %w", cfg.User, err)
	}
	if err := p.assemble(); err != nil {
		_ = p.wire.Close()
		return nil, fmt.Errorf("phone %s: %w", cfg.User, err)
	}
	<-p.wire.ready
	return p, nil
}

// assemble puts diago on top of our own socket and starts reading it.
func (p *Phone) assemble() error {
	host, _, err := net.SplitHostPort(p.cfg.Registrar)
	if err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	p.ua, err = sipgo.NewUA(
		sipgo.WithUserAgent(escapeUser(p.cfg.User)),
		sipgo.WithUserAgentHostname(host),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerUnhandledResponseHandler(p.strayResponse)),
	)
	if err != nil {
		return err
	}
	local := p.wire.LocalAddr().(*net.UDPAddr)
	p.client, err = sipgo.NewClient(p.ua, sipgo.WithClientNAT(), sipgo.WithClientLogger(log),
		sipgo.WithClientConnectionAddr(local.String()))
	if err != nil {
		return err
	}
	server, err := sipgo.NewServer(p.ua, sipgo.WithServerLogger(log))
	if err != nil {
		return err
	}
	p.diago = diago.NewDiago(p.ua,
		diago.WithLogger(log), diago.WithServer(server), diago.WithClient(p.client),
		// RewriteContact sends requests of a dialog to where its messages come from. Without it sipgo opens
		// another socket, past our wire, as soon as the PBX writes a second address in its Contact.
		diago.WithTransport(diago.Transport{
			Transport: "udp", BindHost: p.cfg.ListenHost, BindPort: local.Port, RewriteContact: true,
		}),
		diago.WithServerRequestMiddleware(p.guard),
	)
	p.diago.HandleFunc(p.serve)
	go func() {
		defer close(p.served)
		_ = server.ServeUDP(p.wire)
	}()
	return nil
}

// guard answers what diago would stumble over.
//
// diago: an INFO without Content-Type, a re-INVITE without Contact or a NOTIFY without Content-Type
// dereferences nil on a goroutine nobody recovers: one bad datagram ends the process.
func (p *Phone) guard(next sipgo.RequestHandler) sipgo.RequestHandler {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		defer func() {
			if recover() != nil {
				_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusBadRequest, "Bad Request", nil))
			}
		}()
		if req.Method == sip.INFO {
			_ = tx.Respond(sip.NewResponseFromRequest(req, p.info(req), "", nil))
			return
		}
		next(req, tx)
	}
}

// info reads a digit from SIP INFO (application/dtmf-relay), which some PBXs send instead of RFC 4733.
func (p *Phone) info(req *sip.Request) int {
	c := p.call(callID(req))
	if c == nil {
		return sip.StatusCallTransactionDoesNotExists
	}
	if t := req.ContentType(); t == nil || t.Value() != "application/dtmf-relay" {
		return sip.StatusUnsupportedMediaType
	}
	if d, ok := relayDigit(string(req.Body())); ok {
		c.heardDigit(time.Now(), d)
	}
	return sip.StatusOK
}

// see watches every datagram: it takes the times, and plays the phone whose cable is out.
func (p *Phone) see(at time.Time, out bool, datagram []byte) (drop bool) {
	if p.unplugged.Load() {
		return true
	}
	if p.cfg.OnDatagram != nil {
		p.cfg.OnDatagram(at, out, datagram)
	}
	m, ok := peek(datagram)
	if !ok {
		return false
	}
	if m.method == "INVITE" && !out && p.silentFor(m.callID) {
		p.dropped.Add(1)
		return true
	}
	p.traces.note(at, out, m)
	return false
}

// silentFor says whether an INVITE is to be dropped: it is when the phone is silent and knows no such call.
func (p *Phone) silentFor(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.behaviour.Action == Silent && p.active[id] == nil
}

// SetBehaviour changes what happens to the calls that arrive from now on.
func (p *Phone) SetBehaviour(b Behaviour) error {
	if err := b.validate(); err != nil {
		return fmt.Errorf("phone %s: %w", p.cfg.User, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.behaviour = b
	return nil
}

// Unplug takes the phone off the network (true) or puts it back. While it is off, datagrams are lost in both
// directions; registration and calls stay as the phone believes them to be.
func (p *Phone) Unplug(off bool) { p.unplugged.Store(off) }

// Dropped is the number of INVITE datagrams a Silent phone has ignored, retransmissions included.
func (p *Phone) Dropped() uint64 { return p.dropped.Load() }

// User is the account of the phone.
func (p *Phone) User() string { return p.cfg.User }

// Addr is the phone's SIP address as host:port.
func (p *Phone) Addr() string { return p.wire.LocalAddr().String() }

// ToneHz is what the phone says in new calls.
func (p *Phone) ToneHz() int { return p.cfg.ToneHz }

// Calls are the calls in progress and the last 1000 finished ones, by time of their INVITE.
func (p *Phone) Calls() []*Call {
	p.mu.Lock()
	out := slices.Clone(p.history)
	for _, c := range p.active {
		out = append(out, c)
	}
	p.mu.Unlock()
	slices.SortStableFunc(out, func(a, b *Call) int { return a.created.Compare(b.created) })
	return out
}

// WaitCall waits for the next incoming call that was not yet fetched. It returns when the call begins to ring
// (or is rejected), before it is answered.
func (p *Phone) WaitCall(ctx context.Context) (*Call, error) {
	select {
	case c := <-p.incoming:
		return c, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("phone %s: wait for a call: %w", p.cfg.User, ctx.Err())
	case <-p.ctx.Done():
		return nil, fmt.Errorf("phone %s: wait for a call: %w", p.cfg.User, net.ErrClosed)
	}
}

// Close hangs up, which takes at most some seconds when the PBX does not answer, and closes the socket. It
// does not unregister: a phone that lost its power does not either. See Unregister.
func (p *Phone) Close() error {
	p.mu.Lock()
	closed := p.closed
	p.closed = true
	p.mu.Unlock()
	if closed {
		return nil
	}
	p.stopRenewing()
	p.cancel()
	p.awaitCalls()
	// sipgo takes every request on a goroutine of its own, and one that finds the socket gone opens another, which
	// nobody closes: so nothing new is let in, what is in comes to its answer, and the socket goes last.
	p.wire.deaf.Store(true)
	time.Sleep(settle)
	err := errors.Join(p.ua.Close(), p.wire.Close())
	<-p.served
	if err != nil {
		return fmt.Errorf("phone %s: close: %w", p.cfg.User, err)
	}
	return nil
}

// awaitCalls returns when the last call is over. A PBX that answers nothing would hold a CANCEL for a minute and a
// half, so what is still being asked after a while is given up.
func (p *Phone) awaitCalls() {
	over := make(chan struct{})
	go func() {
		p.calls.Wait()
		close(over)
	}()
	for {
		select {
		case <-over:
			return
		case <-time.After(2 * goodbye):
			p.ua.TransactionLayer().Close()
		}
	}
}

// begin makes room for a call, unless the phone is closing, and says what is to happen to it if it came in.
func (p *Phone) begin(c *Call) (Behaviour, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return Behaviour{}, fmt.Errorf("phone %s: %w", p.cfg.User, net.ErrClosed)
	}
	b := p.behaviour
	for _, other := range p.active {
		// A call whose goodbye is on the wire no longer occupies the line, although it takes some more
		// milliseconds to clear up: the next call may follow at once.
		if !p.cfg.CallWaiting && !other.Times().over() {
			b = RejectWith(sip.StatusBusyHere)
		}
	}
	p.calls.Add(1)
	p.active[c.id] = c
	return b, nil
}

// end moves a call to the history. The caller still owes p.calls.Done.
func (p *Phone) end(c *Call) {
	p.traces.drop(c.id)
	p.mu.Lock()
	delete(p.active, c.id)
	p.history = append(p.history, c)
	if over := len(p.history) - maxHistory; over > 0 {
		p.history = slices.Delete(p.history, 0, over)
	}
	p.mu.Unlock()
}

func (p *Phone) call(id string) *Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.active[id]
}

// recording names the next file of the phone, or nothing.
func (p *Phone) recording() string {
	if p.cfg.RecordDir == "" {
		return ""
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.recorded++
	return p.cfg.RecordDir + "/" + p.cfg.User + "-" + strconv.Itoa(p.recorded) + ".wav"
}

func (p *Phone) emit(e Event) {
	if p.cfg.OnEvent == nil {
		return
	}
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.Phone = p.cfg.User
	p.cfg.OnEvent(e)
}

func callID(req *sip.Request) string {
	if h := req.CallID(); h != nil {
		return h.Value()
	}
	return ""
}
