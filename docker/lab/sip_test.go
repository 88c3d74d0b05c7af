package lab

import (
	"bufio"
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"math"
	"net"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// phone is the smallest SIP phone that shows the lab works: one call at a time
// over raw UDP, so that this package needs no SIP library.
type phone struct {
	t      *testing.T
	lab    *Asterisk
	ip     string
	user   string
	conn   *net.UDPConn
	rtp    *net.UDPConn
	callID string
	seq    int
}

// message is one SIP message taken apart as far as a test needs it.
type message struct {
	start  string
	header textproto.MIMEHeader
	body   string
}

func (m message) status() int {
	code, _ := strconv.Atoi(strings.TrimPrefix(m.start, "SIP/2.0 ")[:3])
	return code
}

func newPhone(t *testing.T, lab *Asterisk, ip, user string) *phone {
	t.Helper()
	listen := func() *net.UDPConn {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(ip)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	return &phone{t: t, lab: lab, ip: ip, user: user, conn: listen(), rtp: listen(), callID: secret()}
}

func (p *phone) send(text string) {
	p.t.Helper()
	server, err := net.ResolveUDPAddr("udp4", p.lab.SIPAddr)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.conn.WriteToUDP([]byte(text), server); err != nil {
		p.t.Fatal(err)
	}
}

// receive returns the next message that is not an OPTIONS, which it answers.
func (p *phone) receive(patience time.Duration) (message, bool) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	buf := make([]byte, 65536)
	for {
		if err := p.conn.SetReadDeadline(deadline); err != nil {
			p.t.Fatal(err)
		}
		n, err := p.conn.Read(buf)
		if err != nil {
			return message{}, false
		}
		head, body, _ := strings.Cut(string(buf[:n]), "\r\n\r\n")
		start, lines, _ := strings.Cut(head, "\r\n")
		header, err := textproto.NewReader(bufio.NewReader(strings.NewReader(lines + "\r\n\r\n"))).ReadMIMEHeader()
		if err != nil {
			p.t.Fatalf("SIP message %q: %v", head, err)
		}
		m := message{start: start, header: header, body: body}
		if !strings.HasPrefix(start, "OPTIONS") {
			return m, true
		}
		p.reply(m, "200 OK", "")
	}
}

// request builds one request; to is the SIP URI it goes to.
func (p *phone) request(method, to, extra, body string) string {
	p.seq++
	addr := p.conn.LocalAddr().String()
	return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\n"+
		"From: <sip:%s@%s>;tag=t%s\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:%s@%s>\r\n%s"+
		"Content-Length: %d\r\n\r\n%s", method, to, addr, secret(), p.user, p.lab.SIPAddr, p.user, to,
		p.callID, p.seq, method, p.user, addr, extra, len(body), body)
}

// final sends a request and returns the final answer.
func (p *phone) final(text string) message {
	p.t.Helper()
	p.send(text)
	for {
		m, ok := p.receive(5 * time.Second)
		if !ok {
			p.t.Fatalf("no answer to %.60q", text)
		}
		if strings.HasPrefix(m.start, "SIP/2.0") && m.status() >= 200 {
			return m
		}
	}
}

// register answers the digest challenge with the password and returns the final
// status.
func (p *phone) register(password string) int {
	p.t.Helper()
	uri := "sip:" + p.lab.SIPAddr
	from := fmt.Sprintf("sip:%s@%s", p.user, p.lab.SIPAddr)
	build := func(extra string) string {
		text := p.request("REGISTER", from, "Expires: 120\r\n"+extra, "")
		return strings.Replace(text, "REGISTER "+from, "REGISTER "+uri, 1)
	}
	challenge := p.final(build(""))
	if challenge.status() != 401 {
		return challenge.status()
	}
	field := func(name string) string {
		m := regexp.MustCompile(name + `="([^"]*)"`).FindStringSubmatch(challenge.header.Get("Www-Authenticate"))
		if m == nil {
			return ""
		}
		return m[1]
	}
	ha1 := digest(p.user + ":" + field("realm") + ":" + password)
	ha2 := digest("REGISTER:" + uri)
	response := digest(strings.Join([]string{ha1, field("nonce"), "00000001", "c", "auth", ha2}, ":"))
	return p.final(build(fmt.Sprintf("Authorization: Digest username=%q, realm=%q, nonce=%q, uri=%q, response=%q, "+
		"algorithm=MD5, opaque=%q, qop=auth, nc=00000001, cnonce=\"c\"\r\n",
		p.user, field("realm"), field("nonce"), uri, response, field("opaque")))).status()
}

func digest(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (p *phone) sdp() string {
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n",
		p.ip, p.ip, p.rtp.LocalAddr().(*net.UDPAddr).Port)
}

// call dials a number and returns the final status, acknowledged.
func (p *phone) call(number string) int {
	p.t.Helper()
	p.callID = secret()
	to := fmt.Sprintf("sip:%s@%s", number, p.lab.SIPAddr)
	answer := p.final(p.request("INVITE", to, "Content-Type: application/sdp\r\n", p.sdp()))
	p.seq--
	ack := p.request("ACK", to, "", "")
	p.send(strings.Replace(ack, "To: <"+to+">", "To: "+answer.header.Get("To"), 1))
	return answer.status()
}

func (p *phone) reply(m message, status, sdp string) {
	p.t.Helper()
	to := m.header.Get("To")
	if !strings.Contains(to, "tag=") {
		to += ";tag=r" + p.user
	}
	body := ""
	if sdp != "" {
		body = "Content-Type: application/sdp\r\n"
	}
	p.send(fmt.Sprintf("SIP/2.0 %s\r\nVia: %s\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %s\r\nContact: <sip:%s@%s>\r\n%sContent-Length: %d\r\n\r\n%s",
		status, m.header.Get("Via"), m.header.Get("From"), to, m.header.Get("Call-ID"), m.header.Get("CSeq"),
		p.user, p.conn.LocalAddr(), body, len(sdp), sdp))
}

// expect waits for a request with this method and returns it.
func (p *phone) expect(method string, patience time.Duration) message {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		m, ok := p.receive(time.Until(deadline))
		if ok && strings.HasPrefix(m.start, method+" ") {
			return m
		}
	}
	p.t.Fatalf("no %s within %v", method, patience)
	return message{}
}

// hears listens for a while and returns the share of the sound that is a tone of
// hz: near 1 for that tone, near 0 for another or for silence.
func (p *phone) hears(hz int, patience time.Duration) float64 {
	p.t.Helper()
	const want = 8000 // one second
	var samples []float64
	buf := make([]byte, 2048)
	deadline := time.Now().Add(patience)
	for len(samples) < want {
		if err := p.rtp.SetReadDeadline(deadline); err != nil {
			p.t.Fatal(err)
		}
		n, err := p.rtp.Read(buf)
		if err != nil {
			return 0
		}
		if n <= 12 || buf[1]&0x7f != 0 {
			continue
		}
		for _, b := range bytes.Clone(buf[12:n]) {
			samples = append(samples, ulaw(b))
		}
	}
	return share(samples, hz)
}

// ulaw decodes one sample of G.711 μ-law (ITU-T G.711).
func ulaw(b byte) float64 {
	b = ^b
	value := (int(b&0x0f)<<3+132)<<(b>>4&7) - 132
	if b&0x80 != 0 {
		return -float64(value)
	}
	return float64(value)
}

// share is the energy at hz over the whole energy, by correlation with a sine and
// a cosine.
func share(samples []float64, hz int) float64 {
	var re, im, all float64
	for i, s := range samples {
		sin, cos := math.Sincos(2 * math.Pi * float64(hz) * float64(i) / 8000)
		re, im, all = re+s*cos, im+s*sin, all+s*s
	}
	if all == 0 {
		return 0
	}
	return 2 * (re*re + im*im) / (all * float64(len(samples)))
}
