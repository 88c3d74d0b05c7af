package e2e

import (
	"encoding/binary"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringmaster/docker/lab"
)

// rawCaller is a caller on the trunk who writes SIP and RTP by hand: what no
// phone library would send, it sends.
type rawCaller struct {
	t        *testing.T
	sip, rtp *net.UDPConn
	pbx      *net.UDPAddr
	sound    *net.UDPAddr // where the PBX wants our RTP
	id       string
	dialled  string
	from, to string // whole headers of the dialog
	target   string // the PBX's Contact
	heard    atomic.Int64
	over     chan struct{} // closed at the PBX's BYE
}

func (c *centre) rawCaller(t *testing.T) *rawCaller {
	t.Helper()
	pbx, err := net.ResolveUDPAddr("udp", c.pbx.SIPAddr)
	if err != nil {
		t.Fatal(err)
	}
	r := &rawCaller{t: t, pbx: pbx, over: make(chan struct{})}
	for _, conn := range []**net.UDPConn{&r.sip, &r.rtp} {
		if *conn, err = net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(lab.CallerIP)}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*conn).Close() })
	}
	go func() {
		packet := make([]byte, 2048)
		for {
			if _, err := r.rtp.Read(packet); err != nil {
				return
			}
			r.heard.Add(1)
		}
	}()
	return r
}

var (
	contactForm = regexp.MustCompile(`(?mi)^Contact:\s*<([^>]+)>`)
	toForm      = regexp.MustCompile(`(?mi)^To:[^\r\n]*`)
	audioForm   = regexp.MustCompile(`m=audio (\d+)`)
)

// dial sends an INVITE with that From header, byte for byte, and returns the
// final status. After 200 the call is up.
func (r *rawCaller) dial(number, from string) int {
	r.t.Helper()
	r.id, r.dialled = fmt.Sprintf("raw-%d", time.Now().UnixNano()), number
	r.from, r.to = "From: "+from+";tag=raw", fmt.Sprintf("To: <sip:%s@%s>", number, r.pbx)
	port := r.rtp.LocalAddr().(*net.UDPAddr).Port
	sdp := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 %[1]s\r\ns=-\r\nc=IN IP4 %[1]s\r\nt=0 0\r\nm=audio %[2]d RTP/AVP 0 101\r\n"+
		"a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n", lab.CallerIP, port)
	r.send("INVITE", fmt.Sprintf("sip:%s@%s", number, r.pbx), 1, sdp)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		text, status := r.read(end)
		switch {
		case status < 200:
			continue
		case status == 200:
			r.to, r.target = toForm.FindString(text), contactForm.FindStringSubmatch(text)[1]
			to, err := strconv.Atoi(audioForm.FindStringSubmatch(text)[1])
			if err != nil {
				r.t.Fatal(err)
			}
			r.sound = &net.UDPAddr{IP: r.pbx.IP, Port: to}
			r.send("ACK", r.target, 1, "")
			go r.listen()
		default:
			r.to = toForm.FindString(text)
			r.send("ACK", fmt.Sprintf("sip:%s@%s", number, r.pbx), 1, "")
		}
		return status
	}
	return 0
}

// send writes one request.
func (r *rawCaller) send(method, target string, seq int, body string) {
	here := r.sip.LocalAddr()
	text := fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%s\r\nMax-Forwards: 70\r\n%s\r\n%s\r\n"+
		"Call-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:raw@%s>\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
		method, target, here, r.id, method, r.from, r.to, r.id, seq, method, here, len(body), body)
	if _, err := r.sip.WriteTo([]byte(text), r.pbx); err != nil {
		r.t.Error(err)
	}
}

// read waits for the next response.
func (r *rawCaller) read(until time.Time) (text string, status int) {
	packet := make([]byte, 65536)
	if err := r.sip.SetReadDeadline(until); err != nil {
		r.t.Error(err)
	}
	n, _, err := r.sip.ReadFrom(packet)
	if err != nil {
		return "", 0
	}
	text = string(packet[:n])
	if rest, ok := strings.CutPrefix(text, "SIP/2.0 "); ok {
		status, _ = strconv.Atoi(rest[:3])
	}
	return text, status
}

// listen answers the PBX's requests until it hangs up.
func (r *rawCaller) listen() {
	for {
		text, status := r.read(time.Now().Add(time.Minute))
		if text == "" {
			return
		}
		if status != 0 {
			continue
		}
		method, _, _ := strings.Cut(text, " ")
		head, _, _ := strings.Cut(text, "\r\n\r\n")
		_, headers, _ := strings.Cut(head, "\r\n")
		var back []string
		for line := range strings.SplitSeq(headers, "\r\n") {
			name, _, _ := strings.Cut(line, ":")
			if strings.Contains(" Via From To Call-ID CSeq ", " "+name+" ") {
				back = append(back, line)
			}
		}
		answer := "SIP/2.0 200 OK\r\n" + strings.Join(back, "\r\n") + "\r\nContent-Length: 0\r\n\r\n"
		if method == "ACK" {
			continue
		}
		if _, err := r.sip.WriteTo([]byte(answer), r.pbx); err != nil {
			return
		}
		if method == "BYE" {
			close(r.over)
			return
		}
	}
}

// bye hangs up.
func (r *rawCaller) bye() { r.send("BYE", r.target, 2, "") }

// storm sends digits as RFC 4733 events, one packet after the other, without
// the pauses people make.
func (r *rawCaller) storm(digits string) {
	seq, stamp := uint16(1), uint32(160)
	for _, digit := range digits {
		event := strings.IndexRune("0123456789*#ABCD", digit)
		for i, duration := range []uint16{160, 320, 480, 480, 480} {
			packet := make([]byte, 16)
			packet[0], packet[1] = 0x80, 101
			if i == 0 {
				packet[1] |= 0x80 // marker: a new event
			}
			binary.BigEndian.PutUint16(packet[2:], seq)
			binary.BigEndian.PutUint32(packet[4:], stamp)
			binary.BigEndian.PutUint32(packet[8:], 0x0badcafe)
			packet[12], packet[13] = byte(event), 10
			if i >= 2 {
				packet[13] |= 0x80 // the end, three times
			}
			binary.BigEndian.PutUint16(packet[14:], duration)
			if _, err := r.rtp.WriteTo(packet, r.sound); err != nil {
				r.t.Error(err)
			}
			seq++
		}
		stamp += 640
	}
}
