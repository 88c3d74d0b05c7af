package phone

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
	"github.com/google/uuid"
)

// maxProvisional bounds the provisional responses of one call, in steps of sipgo's own ten: a queue that says
// "ringing" every minute for hours is fine, a loop is not.
const maxProvisional = 100

// Header is one extra header of an outgoing INVITE.
type Header struct{ Name, Value string }

// DialOptions are the details of an outgoing call.
type DialOptions struct {
	// CallerNumber and CallerName are shown to the called side. A phone without a password (a trunk) writes
	// them in From; a phone with an account keeps its account in From, since that is how the PBX knows it, and
	// writes the number in P-Asserted-Identity, which Asterisk heeds with trust_id_inbound=yes.
	CallerNumber, CallerName string
	Headers                  []Header
	HangUpAfter              time.Duration // talking time after which the phone hangs up by itself; 0 is never
}

// Dial calls a number at the PBX and returns as soon as the call exists; see Call.WaitAnswer. The context is the
// caller's patience: when it ends before the answer, the call is cancelled. After the answer it has no meaning.
func (p *Phone) Dial(ctx context.Context, number string, o DialOptions) (*Call, error) {
	uri, err := p.uri(number)
	if err != nil {
		return nil, fmt.Errorf("phone %s: dial: %w", p.cfg.User, err)
	}
	headers, err := p.identity(o)
	if err != nil {
		return nil, fmt.Errorf("phone %s: dial %s: %w", p.cfg.User, number, err)
	}
	c := p.newCall(uuid.NewString(), Outgoing)
	c.peer = number
	d, err := p.newDialog(uri, c.id)
	if err != nil {
		p.traces.drop(c.id)
		return nil, fmt.Errorf("phone %s: dial %s: %w", p.cfg.User, number, err)
	}
	c.dialog = d
	ctx, c.giveUp = context.WithCancel(ctx)
	if _, err := p.begin(c); err != nil {
		c.giveUp()
		p.traces.drop(c.id)
		_ = d.Close()
		return nil, err
	}
	stop := context.AfterFunc(p.ctx, c.giveUp)
	c.emit(Event{Kind: Dialled})
	go func() {
		defer c.giveUp()
		defer stop()
		c.finish(c.place(ctx, d, headers, o.HangUpAfter))
	}()
	return c, nil
}

// identity builds the headers that say who calls.
func (p *Phone) identity(o DialOptions) ([]sip.Header, error) {
	host := p.ua.Hostname()
	number := p.cfg.User
	var headers []sip.Header
	if o.CallerNumber != "" {
		if !userOK(o.CallerNumber) {
			return nil, fmt.Errorf("caller number %q: 1 to 64 letters, digits or one of + - _ . * #", o.CallerNumber)
		}
		if p.cfg.Password == "" {
			number = o.CallerNumber
		} else {
			asserted := fmt.Sprintf(`"%s" <sip:%s@%s>`, escapeName(o.CallerName), escapeUser(o.CallerNumber), host)
			headers = append(headers, sip.NewHeader("P-Asserted-Identity", asserted))
		}
	}
	name := o.CallerName
	if name == "" {
		name = number
	}
	headers = append(headers, &sip.FromHeader{
		DisplayName: escapeName(name),
		Address:     sip.Uri{Scheme: "sip", User: escapeUser(number), Host: host},
		Params:      sip.NewParams(),
	})
	for _, h := range o.Headers {
		if !headerOK(h) {
			return nil, fmt.Errorf("header %q: a token as name and no line break in the value", h.Name)
		}
		headers = append(headers, sip.NewHeader(h.Name, h.Value))
	}
	return headers, nil
}

func headerOK(h Header) bool {
	token := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-.!%*_+`'~", r)
	}
	return h.Name != "" && strings.IndexFunc(h.Name, func(r rune) bool { return !token(r) }) < 0 &&
		!strings.ContainsAny(h.Value, "\r\n\x00")
}

// newDialog prepares an outgoing dialog on our own media ports and with a Call-ID we know beforehand.
//
// diago: Diago.NewDialog opens a random port pair of its own, see openMedia; otherwise this is what it does.
func (p *Phone) newDialog(to sip.Uri, id string) (*diago.DialogClientSession, error) {
	s, err := openMedia(&p.cfg)
	if err != nil {
		return nil, err
	}
	callID := sip.CallIDHeader(id)
	invite := sip.NewRequest(sip.INVITE, to)
	invite.SetTransport("UDP")
	invite.AppendHeader(&callID)
	d := &diago.DialogClientSession{DialogClientSession: &sipgo.DialogClientSession{
		UA:     &sipgo.DialogUA{Client: p.client, RewriteContact: true, ContactHDR: p.contact()},
		Dialog: sipgo.Dialog{InviteRequest: invite},
	}}
	d.Init()
	d.InitMediaSession(s, nil, nil)
	return d, nil
}

// know makes the phone find an answered dialog when a request for it arrives, until the forget it returns.
//
// diago: its own NewDialog does that after the ACK was sent, so that a BYE which follows the ACK at once is
// answered 481, and this side goes on talking to nobody.
func (p *Phone) know(d *diago.DialogClientSession) (forget func()) {
	cache := p.diago.DialogCacheClient()
	_ = cache.DialogStore(context.Background(), d.ID, d)
	return func() { _ = cache.DialogDelete(context.Background(), d.ID) }
}

func (p *Phone) contact() sip.ContactHeader {
	host, port, _ := sip.ParseAddr(p.Addr())
	return sip.ContactHeader{Address: sip.Uri{
		Scheme: "sip", User: p.ua.Name(), Host: host, Port: port, UriParams: sip.NewParams(), Headers: sip.NewParams(),
	}}
}

// place is the life of an outgoing call.
func (c *Call) place(ctx context.Context, d *diago.DialogClientSession, h []sip.Header, hangUpAfter time.Duration) End {
	if err := c.invite(ctx, d, h); err != nil {
		return c.unanswered(ctx, d, err)
	}
	defer c.phone.know(d)()
	acked, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	if err := d.Ack(acked); err != nil {
		return End{By: Network, Code: sip.StatusOK, Err: err}
	}
	c.ringOnce.Do(func() { close(c.ringing) })
	return c.up(hangUpAfter)
}

// invite sends the INVITE and waits for the answer, listening to early media meanwhile.
func (c *Call) invite(ctx context.Context, d *diago.DialogClientSession, headers []sip.Header) error {
	onResponse := func(r *sip.Response) error {
		if r.StatusCode == sip.StatusRinging {
			c.rang()
		}
		return nil
	}
	auth := sipgo.AnswerOptions{Username: c.phone.cfg.User, Password: c.phone.cfg.Password, OnResponse: onResponse}
	err := d.Invite(ctx, diago.InviteClientOptions{
		OnResponse: onResponse, Username: auth.Username, Password: auth.Password,
		Headers: headers, EarlyMediaDetect: true,
	})
	for range maxProvisional {
		switch {
		case errors.Is(err, diago.ErrClientEarlyMedia):
			if err := c.openSound(); err != nil {
				return err
			}
		case err == nil || !tooManyResponses(err):
			return err
		}
		err = d.WaitAnswer(ctx, auth)
	}
	return err
}

// tooManyResponses is sipgo's refusal to read more than ten responses of one INVITE at a time, which a caller
// who waits in a queue may well get. It has no type; the wait can simply go on.
func tooManyResponses(err error) bool {
	return strings.Contains(err.Error(), "more than 10 responses received")
}

// unanswered says why a call never came up.
func (c *Call) unanswered(ctx context.Context, d *diago.DialogClientSession, err error) End {
	if d.InviteResponse != nil && d.InviteResponse.IsSuccess() {
		// sipgo: an answer that crosses our CANCEL is not acknowledged, and the PBX keeps half a call.
		return c.refuse(d)
	}
	var status *StatusError
	if errors.As(statusOf("INVITE", err), &status) && status.Code != 0 {
		by := Remote
		if c.isLeaving() || ctx.Err() != nil {
			by = Local
		}
		return End{By: by, Code: status.Code}
	}
	if ctx.Err() != nil {
		code := 0
		if d.InviteResponse != nil && d.InviteResponse.StatusCode >= 300 {
			code = d.InviteResponse.StatusCode
		}
		return End{By: Local, Code: code}
	}
	return End{By: Network, Err: err}
}

// refuse acknowledges an answer that came too late and hangs up.
func (c *Call) refuse(d *diago.DialogClientSession) End {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	end := End{By: Local, Code: sip.StatusOK}
	var err error
	if d.ID, err = sip.DialogIDFromResponse(d.InviteResponse); err == nil {
		err = d.Ack(ctx)
	}
	if err == nil {
		err = d.Hangup(ctx)
	}
	end.Err = err
	return end
}

// strayResponse handles responses whose transaction is over. Of these an answer to an INVITE matters: it was
// not acknowledged, or the ACK was lost, and the PBX will repeat it for half a minute. RFC 3261 13.2.2.4 wants
// every 2xx acknowledged, and BYE for the ones nobody waits for any more.
func (p *Phone) strayResponse(res *sip.Response) {
	cseq, id, contact := res.CSeq(), res.CallID(), res.Contact()
	if !res.IsSuccess() || cseq == nil || cseq.MethodName != sip.INVITE || id == nil || contact == nil {
		return
	}
	request := func(method sip.RequestMethod, seq uint32) *sip.Request {
		r := sip.NewRequest(method, contact.Address)
		r.AppendHeader(sip.HeaderClone(res.From()))
		r.AppendHeader(sip.HeaderClone(res.To()))
		r.AppendHeader(sip.HeaderClone(id))
		r.AppendHeader(&sip.CSeqHeader{SeqNo: seq, MethodName: method})
		r.SetTransport("UDP")
		r.SetDestination(res.Source())
		return r
	}
	if p.ctx.Err() != nil {
		return
	}
	if err := p.client.WriteRequest(request(sip.ACK, cseq.SeqNo)); err != nil || p.call(id.Value()) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, goodbye)
	defer cancel()
	_, _ = p.client.Do(ctx, request(sip.BYE, cseq.SeqNo+1))
}
