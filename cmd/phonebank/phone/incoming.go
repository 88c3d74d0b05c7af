package phone

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/diago/media"
	"github.com/emiago/sipgo/sip"
)

// serve is the life of an incoming call. diago runs it on a goroutine of its own.
func (p *Phone) serve(d *diago.DialogServerSession) {
	c := p.newCall(d.InviteRequest.CallID().Value(), Incoming)
	c.dialog = d
	c.header = headersOf(d.InviteRequest)
	c.dialled = unescapeUser(d.InviteRequest.Recipient.User)
	if from := d.InviteRequest.From(); from != nil {
		c.peer = unescapeUser(from.Address.User)
		c.name = unescapeName(from.DisplayName)
	}
	b, err := p.begin(c)
	if err != nil {
		_ = d.Respond(sip.StatusTemporarilyUnavailable, phraseOf(480), nil)
		p.traces.drop(c.id)
		return
	}
	select {
	case p.incoming <- c:
	default: // nobody fetches calls; Calls has them all
	}
	c.finish(c.receive(d, b))
	if d.LoadState() == sip.DialogStateConfirmed {
		// diago: when this function returns, it says BYE again to a far end that did not answer ours, for ten
		// seconds and past the end of the phone, on a socket that stays open. It does not for a failed INVITE.
		d.InviteResponse = sip.NewResponseFromRequest(d.InviteRequest, sip.StatusRequestTerminated, phraseOf(487), nil)
	}
}

// receive rings and does what the behaviour or somebody at the phone decides.
func (c *Call) receive(d *diago.DialogServerSession, b Behaviour) End {
	if b.Action == Early {
		if err := c.progress(d); err != nil {
			return c.lost(d, err)
		}
	} else if b.Action != Reject || b.After > 0 {
		if err := d.Ringing(); err != nil {
			return c.lost(d, err)
		}
		c.rang()
	}
	b, cancelled := c.decide(d, b)
	switch {
	case cancelled:
		return End{By: Remote, Code: sip.StatusRequestTerminated}
	case b.Action == Answer:
		return c.accept(d, b)
	}
	if err := d.Respond(b.Code, phraseOf(b.Code), nil); err != nil {
		return c.lost(d, err)
	}
	return End{By: Local, Code: b.Code}
}

// decide waits for the end of the ringing and says whether it was the caller's.
func (c *Call) decide(d *diago.DialogServerSession, b Behaviour) (_ Behaviour, cancelled bool) {
	patience := b.After
	if b.Action == Ring || b.Action == Early || b.Action == Silent {
		patience, b = maxRing, Behaviour{Action: Reject, Code: sip.StatusTemporarilyUnavailable}
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-timer.C:
		return b, false
	case v := <-c.verdict:
		return v, false
	case <-c.leaving:
		return RejectWith(603), false
	case <-c.phone.ctx.Done():
		return RejectWith(sip.StatusTemporarilyUnavailable), false
	case <-d.Context().Done():
		return b, true
	}
}

// lost classifies a failed response: mostly the caller was faster.
func (c *Call) lost(d *diago.DialogServerSession, err error) End {
	if !c.Times().Answered.IsZero() && d.Context().Err() != nil {
		return End{By: Remote, Code: sip.StatusOK}
	}
	if d.Context().Err() != nil || errors.Is(err, sip.ErrTransactionCanceled) {
		return End{By: Remote, Code: sip.StatusRequestTerminated}
	}
	return End{By: Network, Err: err}
}

// accept answers and talks.
func (c *Call) accept(d *diago.DialogServerSession, b Behaviour) End {
	if err := c.offerOnce(d); err != nil {
		_ = d.Respond(sip.StatusNotAcceptableHere, phraseOf(488), nil)
		return End{By: Local, Code: sip.StatusNotAcceptableHere, Err: err}
	}
	unblock := c.boundAck(d)
	err := d.AnswerOptions(diago.AnswerOptions{})
	unblock()
	if err != nil {
		return c.lost(d, err)
	}
	return c.up(b.HangUpAfter)
}

// progress opens the sound before the answer.
func (c *Call) progress(d *diago.DialogServerSession) error {
	if err := c.offerOnce(d); err != nil {
		return err
	}
	sdp := sip.NewHeader("Content-Type", "application/sdp")
	return d.Respond(sip.StatusSessionInProgress, "Session Progress", d.Media().MediaSession().LocalSDP(), sdp)
}

// offerOnce is offerSound unless it was done before.
func (c *Call) offerOnce(d *diago.DialogServerSession) error {
	if c.offered {
		return nil
	}
	c.offered = true
	return c.offerSound(d)
}

// offerSound opens the media and agrees with the caller's offer.
func (c *Call) offerSound(d *diago.DialogServerSession) error {
	offer := d.InviteRequest.Body()
	if len(offer) == 0 {
		return errors.New("the INVITE has no SDP")
	}
	s, err := openMedia(&c.phone.cfg)
	if err != nil {
		return err
	}
	if err := s.RemoteSDP(offer); err != nil {
		_ = s.Close()
		return err
	}
	rtp := media.NewRTPSession(s)
	d.InitMediaSession(s, media.NewRTPPacketReaderSession(rtp), media.NewRTPPacketWriterSession(rtp))
	d.OnClose(rtp.Close)
	return rtp.MonitorBackground()
}

// boundAck makes the wait for the ACK end with the phone, or after the 32 s of RFC 3261 13.3.1.4.
//
// sipgo: the answer is sent again and again until an ACK comes; nothing else than an ACK stops it, neither the
// end of the user agent nor the 64*T1 it means to wait, which starts anew with each repetition. So the phone
// acknowledges in the name of a PBX that died, and then says BYE as the RFC wants.
func (c *Call) boundAck(d *diago.DialogServerSession) (stop func()) {
	acked := make(chan struct{})
	go func() {
		timer := time.NewTimer(64 * sip.T1)
		defer timer.Stop()
		select {
		case <-acked:
			return
		case <-timer.C:
		case <-c.leaving:
		case <-c.phone.ctx.Done():
		}
		ack := sip.NewRequest(sip.ACK, d.InviteRequest.Recipient)
		ack.AppendHeader(sip.HeaderClone(d.InviteRequest.CSeq()))
		_ = d.ReadAck(ack, nil)
	}()
	return func() { close(acked) }
}

// Answer picks up a ringing incoming call and returns when it is up.
func (c *Call) Answer(ctx context.Context) error {
	if err := c.decideNow(Behaviour{Action: Answer}); err != nil {
		return err
	}
	return c.WaitAnswer(ctx)
}

// Reject refuses a ringing incoming call with a final SIP status and returns when it is over.
func (c *Call) Reject(ctx context.Context, code int) error {
	b := RejectWith(code)
	if err := b.validate(); err != nil {
		return err
	}
	if err := c.decideNow(b); err != nil {
		return err
	}
	_, err := c.WaitEnd(ctx)
	return err
}

var errNotRinging = errors.New("not an incoming call that rings")

func (c *Call) decideNow(b Behaviour) error {
	if c.direction != Incoming {
		return errNotRinging
	}
	select {
	case c.verdict <- b:
		return nil
	default:
		return errNotRinging
	}
}

// headersOf reads a request's headers, which never change after it was parsed.
func headersOf(req *sip.Request) func(string) []string {
	byName := make(map[string][]string)
	for _, h := range req.Headers() {
		name := strings.ToLower(h.Name())
		byName[name] = append(byName[name], h.Value())
	}
	return func(name string) []string { return byName[strings.ToLower(name)] }
}

// unescapeName undoes the quoted-pairs of a display name (RFC 3261 25.1). sipgo: it hands them on as written.
func unescapeName(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// escapeName makes a display name safe between quotes: quoted-pairs for quote and backslash, and a space for
// every control character, which no header may hold. sipgo: it writes names as they are.
func escapeName(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < ' ' || r == 0x7f:
			b.WriteByte(' ')
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
