package e2e

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// latePhone is a desk phone that writes SIP by hand, because no phone library
// lets one answer a call that was cancelled. It is registered, rings at once,
// and answers when it was told to, whatever has happened in between.
type latePhone struct {
	t        *testing.T
	conn     *net.UDPConn
	rtp      *net.UDPConn
	pbx      *net.UDPAddr
	user     string
	password string
	replies  chan string

	lock    sync.Mutex
	patient time.Duration
	rings   []*lateRing
	coming  chan *lateRing
}

// onCancel answers when the CANCEL comes, and not before.
const onCancel = time.Duration(-1)

// lateRing is one INVITE and what became of it.
type lateRing struct {
	phone  *latePhone
	invite string

	lock                                 sync.Mutex
	cancelled, answered, acked, finished time.Time
}

func (r *lateRing) get(at *time.Time) time.Time {
	r.lock.Lock()
	defer r.lock.Unlock()
	return *at
}

// set notes the first time something happens.
func (r *lateRing) set(at *time.Time) (first bool) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if first = at.IsZero(); first {
		*at = time.Now()
	}
	return first
}

func (r *lateRing) cancelledAt() time.Time { return r.get(&r.cancelled) }
func (r *lateRing) answeredAt() time.Time  { return r.get(&r.answered) }

// over is when the PBX said BYE.
func (r *lateRing) over() time.Time { return r.get(&r.finished) }

// latePhone registers in the place of an agent's phone.
func (c *centre) latePhone(t *testing.T, agent int) *latePhone {
	t.Helper()
	pbx, err := net.ResolveUDPAddr("udp", c.pbx.SIPAddr)
	if err != nil {
		t.Fatal(err)
	}
	a := c.pbx.Agents[agent]
	p := &latePhone{
		t: t, pbx: pbx, user: a.Number, password: a.Password, replies: make(chan string, 10), coming: make(chan *lateRing, 10),
	}
	for _, conn := range []**net.UDPConn{&p.conn, &p.rtp} {
		if *conn, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*conn).Close() })
	}
	go p.listen()
	p.register()
	return p
}

// answers sets how long after the INVITE the phone answers, from the next on.
func (p *latePhone) answers(after time.Duration) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.patient = after
	for len(p.coming) > 0 {
		<-p.coming // rang before, and nobody asked
	}
}

func (p *latePhone) all() []*lateRing {
	p.lock.Lock()
	defer p.lock.Unlock()
	return p.rings
}

// next waits until the phone rings.
func (p *latePhone) next(t *testing.T) *lateRing {
	t.Helper()
	select {
	case r := <-p.coming:
		return r
	case <-time.After(10 * time.Second):
		t.Fatal("the phone does not ring")
		return nil
	}
}

var digestField = regexp.MustCompile(`(\w+)="?([^",]*)"?`)

// register answers the digest challenge (RFC 2617).
func (p *latePhone) register() {
	p.t.Helper()
	uri := "sip:" + p.pbx.String()
	request := func(seq int, extra string) string {
		here := p.conn.LocalAddr()
		return fmt.Sprintf("REGISTER %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKreg%d;rport\r\nMax-Forwards: 70\r\n"+
			"From: <sip:%[4]s@%[5]s>;tag=late\r\nTo: <sip:%[4]s@%[5]s>\r\nCall-ID: late-%[2]s\r\nCSeq: %[3]d REGISTER\r\n"+
			"Contact: <sip:%[4]s@%[2]s>\r\nExpires: 600\r\n%[6]sContent-Length: 0\r\n\r\n", uri, here, seq, p.user, p.pbx, extra)
	}
	challenge := p.asks(request(1, ""))
	field := map[string]string{}
	for _, m := range digestField.FindAllStringSubmatch(header(challenge, "WWW-Authenticate"), -1) {
		field[m[1]] = m[2]
	}
	secret := hashed(hashed(p.user+":"+field["realm"]+":"+p.password) + ":" + field["nonce"] + ":00000001:c:auth:" + hashed("REGISTER:"+uri))
	extra := fmt.Sprintf("Authorization: Digest username=%q, realm=%q, nonce=%q, uri=%q, response=%q, algorithm=MD5, "+
		"qop=auth, nc=00000001, cnonce=\"c\"", p.user, field["realm"], field["nonce"], uri, secret)
	if opaque := field["opaque"]; opaque != "" {
		extra += fmt.Sprintf(", opaque=%q", opaque)
	}
	if answer := p.asks(request(2, extra+"\r\n")); !strings.HasPrefix(answer, "SIP/2.0 200") {
		p.t.Fatalf("the phone is not registered:\n%s", answer)
	}
}

func hashed(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// asks sends a request and waits for its final answer.
func (p *latePhone) asks(request string) string {
	p.t.Helper()
	p.send(request)
	for {
		select {
		case text := <-p.replies:
			if !strings.HasPrefix(text, "SIP/2.0 1") {
				return text
			}
		case <-time.After(5 * time.Second):
			p.t.Fatalf("no answer to %.80q", request)
		}
	}
}

func (p *latePhone) send(text string) {
	p.conn.WriteTo([]byte(text), p.pbx) // closed at the end of the test
}

// header is the first of that name.
func header(message, name string) string {
	head, _, _ := strings.Cut(message, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if n, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(n), name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// reply answers a request as the phone's end of the dialog.
func (p *latePhone) reply(request, status, sdp string) {
	var back strings.Builder
	head, _, _ := strings.Cut(request, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		name, _, _ := strings.Cut(line, ":")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "to":
			if !strings.Contains(line, "tag=") {
				line += ";tag=late"
			}
			fallthrough
		case "via", "from", "call-id", "cseq", "record-route":
			back.WriteString(line + "\r\n")
		}
	}
	kind := ""
	if sdp != "" {
		kind = "Content-Type: application/sdp\r\n"
	}
	p.send(fmt.Sprintf("SIP/2.0 %s\r\n%sContact: <sip:%s@%s>\r\n%sContent-Length: %d\r\n\r\n%s",
		status, back.String(), p.user, p.conn.LocalAddr(), kind, len(sdp), sdp))
}

func (p *latePhone) listen() {
	packet := make([]byte, 65536)
	for {
		n, _, err := p.conn.ReadFrom(packet)
		if err != nil {
			return
		}
		text := string(packet[:n])
		method, _, _ := strings.Cut(text, " ")
		switch method {
		case "SIP/2.0":
			p.replies <- text
		case "INVITE":
			p.invited(text)
		case "ACK":
		default:
			p.reply(text, "200 OK", "")
		}
		if r := p.ring(header(text, "Call-ID")); r != nil {
			r.hears(method)
		}
	}
}

func (p *latePhone) ring(id string) *lateRing {
	for _, r := range p.all() {
		if header(r.invite, "Call-ID") == id {
			return r
		}
	}
	return nil
}

// invited rings, once for each call.
func (p *latePhone) invited(text string) {
	if p.ring(header(text, "Call-ID")) != nil {
		return // sent again; the answers are too
	}
	r := &lateRing{phone: p, invite: text}
	p.lock.Lock()
	p.rings = append(p.rings, r)
	after := p.patient
	p.lock.Unlock()
	p.reply(text, "180 Ringing", "")
	if after != onCancel {
		time.AfterFunc(after, r.answer)
	}
	p.coming <- r
}

// hears is what the phone does about a request that belongs to a call.
func (r *lateRing) hears(method string) {
	switch method {
	case "CANCEL":
		r.set(&r.cancelled)
		r.phone.lock.Lock()
		now := r.phone.patient == onCancel
		r.phone.lock.Unlock()
		if now {
			r.answer()
		}
	case "ACK":
		r.set(&r.acked)
	case "BYE":
		r.set(&r.finished)
	}
}

// answer says 200 until somebody has heard it (RFC 3261, 13.3.1.4).
func (r *lateRing) answer() {
	if !r.set(&r.answered) {
		return
	}
	here := r.phone.rtp.LocalAddr().(*net.UDPAddr)
	sdp := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %[1]s\r\ns=-\r\nc=IN IP4 %[1]s\r\nt=0 0\r\nm=audio %[2]d RTP/AVP 0\r\n"+
		"a=rtpmap:0 PCMU/8000\r\n", here.IP, here.Port)
	go func() {
		for range 10 {
			r.phone.reply(r.invite, "200 OK", sdp)
			time.Sleep(500 * time.Millisecond)
			if !r.get(&r.acked).IsZero() {
				return
			}
		}
	}()
}
