package phone

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo/sip"
)

var errNotUp = errors.New("the call is not up")

// SendDTMF sends digits (0-9 * # A-D) as RFC 4733 events, 180 ms each, and returns when the last one is out.
func (c *Call) SendDTMF(ctx context.Context, digits string) error {
	if err := CheckDigits(digits); err != nil {
		return fmt.Errorf("call %s: %w", c.id, err)
	}
	c.mu.Lock()
	m := c.mouth
	c.mu.Unlock()
	if m == nil {
		return fmt.Errorf("call %s: dtmf: %w", c.id, errNotUp)
	}
	sent := make(chan error, 1)
	select {
	case m.dial <- dialling{digits, sent}:
	case <-c.done:
		return fmt.Errorf("call %s: dtmf: %w", c.id, errNotUp)
	case <-ctx.Done():
		return fmt.Errorf("call %s: dtmf: %w", c.id, ctx.Err())
	}
	select {
	case err := <-sent:
		if err != nil {
			return fmt.Errorf("call %s: dtmf: %w", c.id, err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("call %s: dtmf: %w", c.id, ctx.Err())
	}
}

// Hold puts the far end on hold (re-INVITE, sendonly) and falls silent. While it lasts, the phone hears nothing.
func (c *Call) Hold(ctx context.Context) error { return c.setHold(ctx, true) }

// Unhold takes the far end back.
func (c *Call) Unhold(ctx context.Context) error { return c.setHold(ctx, false) }

func (c *Call) setHold(ctx context.Context, on bool) error {
	if !c.Up() {
		return fmt.Errorf("call %s: hold: %w", c.id, errNotUp)
	}
	change := c.dialog.Unhold
	if on {
		change = c.dialog.Hold
	}
	if err := change(ctx); err != nil {
		return fmt.Errorf("call %s: hold: %w", c.id, statusOf("INVITE", err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = on
	if c.mouth != nil {
		c.mouth.hold(on)
	}
	return nil
}

// Held says whether this phone holds the call.
func (c *Call) Held() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held
}

// Transfer is a blind transfer: REFER to a number at the PBX. It waits for the PBX to tell the outcome (NOTIFY)
// and then hangs up, as phones do. A refusal or a failed target is a *StatusError, and the call goes on.
func (c *Call) Transfer(ctx context.Context, number string) error {
	uri, err := c.phone.uri(number)
	if err != nil {
		return fmt.Errorf("call %s: transfer: %w", c.id, err)
	}
	return c.refer(ctx, "<"+uri.String()+">")
}

// TransferTo is an attended transfer: the PBX is to connect this call's far end with that of a consultation call
// of the same phone (REFER with Replaces, RFC 3891). Both calls end when it worked.
func (c *Call) TransferTo(ctx context.Context, consult *Call) error {
	d, ok := consult.dialog.(*diago.DialogClientSession)
	if !ok || !consult.Up() {
		return fmt.Errorf("call %s: transfer: the consultation must be an outgoing call that is up", c.id)
	}
	uri, err := c.phone.uri(consult.peer)
	if err != nil {
		return fmt.Errorf("call %s: transfer: %w", c.id, err)
	}
	ours, _ := d.InviteRequest.From().Params.Get("tag")
	theirs, _ := d.InviteResponse.To().Params.Get("tag")
	replaces := url.QueryEscape(fmt.Sprintf("%s;to-tag=%s;from-tag=%s", consult.id, theirs, ours))
	if err := c.refer(ctx, "<"+uri.String()+"?Replaces="+replaces+">"); err != nil {
		return err
	}
	return consult.Hangup(ctx)
}

func (c *Call) hearsOfTransfer(code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = code
}

// Transferred is what the PBX told of the last transfer, with a NOTIFY or by refusing the REFER: a final SIP status,
// 0 before it came.
func (c *Call) Transferred() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told
}

// refer sends a REFER and waits for its outcome.
func (c *Call) refer(ctx context.Context, target string) error {
	if !c.Up() {
		return fmt.Errorf("call %s: transfer: %w", c.id, errNotUp)
	}
	c.hearsOfTransfer(0)
	final := make(chan int, 1)
	notify := func(code int) {
		if code < 200 {
			return
		}
		c.hearsOfTransfer(code)
		select {
		case final <- code:
		default:
		}
	}
	if err := statusOf("REFER", c.sendRefer(ctx, target, notify)); err != nil {
		if refused, ok := errors.AsType[*StatusError](err); ok {
			c.hearsOfTransfer(refused.Code)
		}
		return fmt.Errorf("call %s: transfer: %w", c.id, err)
	}
	select {
	case code := <-final:
		if code >= 300 {
			return fmt.Errorf("call %s: transfer: %w", c.id, &StatusError{Method: "REFER", Code: code, Phrase: phraseOf(code)})
		}
		return c.Hangup(ctx)
	case <-c.done:
		// The PBX took the call over and hung up before it reported.
		return nil
	case <-ctx.Done():
		return fmt.Errorf("call %s: transfer: no outcome: %w", c.id, ctx.Err())
	}
}

func (c *Call) sendRefer(ctx context.Context, target string, notify func(int)) error {
	// diago builds Refer-To from a URI, which it would not escape as Replaces needs; a header of that name wins.
	headers := []sip.Header{sip.NewHeader("Refer-To", target)}
	// diago: it would name the far end as the one who transfers.
	if own, err := c.phone.uri(c.phone.cfg.User); err == nil {
		headers = append(headers, sip.NewHeader("Referred-By", "<"+own.String()+">"))
	}
	switch d := c.dialog.(type) {
	case *diago.DialogClientSession:
		return d.ReferOptions(ctx, sip.Uri{}, diago.ReferClientOptions{Headers: headers, OnNotify: notify})
	case *diago.DialogServerSession:
		return d.ReferOptions(ctx, sip.Uri{}, diago.ReferServerOptions{Headers: headers, OnNotify: notify})
	}
	return errNotUp
}
