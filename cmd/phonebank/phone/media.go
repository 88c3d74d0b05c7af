package phone

import (
	"fmt"
	"net"
	"sync/atomic"

	"github.com/emiago/diago/media"
	"github.com/emiago/diago/media/sdp"
)

const (
	payloadUlaw = 0   // RFC 3551
	payloadAlaw = 8   // RFC 3551
	payloadDTMF = 101 // telephone-event (RFC 4733), the dynamic type this phone offers

	// portTries bounds the search for a free pair of media ports.
	portTries = 500
)

// nextPort walks through the port range for all phones of the process, so that a port just given back is not
// taken at once by another call, which would hear the last packets of the one before.
var nextPort atomic.Uint32

// openMedia makes a media session on an even RTP port and the RTCP port above it.
//
// diago: its own search (media.RTPPortStart) is global to the process, does not wrap round at the end of the
// range and then fails for good; and without a range a random port may be odd, so that its RTCP lands on the
// RTP port of another call.
func openMedia(cfg *Config) (*media.MediaSession, error) {
	ip := net.ParseIP(cfg.ListenHost)
	low := (cfg.RTPPortMin + 1) / 2 * 2
	pairs := (cfg.RTPPortMax - low) / 2
	var last error
	for range min(portTries, pairs) {
		port := low + 2*(int(nextPort.Add(1))%pairs)
		rtp, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: port})
		if err != nil {
			last = err
			continue
		}
		rtcp, err := net.ListenUDP("udp", &net.UDPAddr{IP: ip, Port: port + 1})
		if err != nil {
			last = err
			_ = rtp.Close()
			continue
		}
		return newSession(rtp, rtcp), nil
	}
	return nil, fmt.Errorf("open media port %d to %d: %w", cfg.RTPPortMin, cfg.RTPPortMax, last)
}

func newSession(rtp, rtcp *net.UDPConn) *media.MediaSession {
	s := &media.MediaSession{
		Codecs: []media.Codec{media.CodecAudioUlaw, media.CodecAudioAlaw, media.CodecTelephoneEvent8000},
		Mode:   sdp.ModeSendrecv,
	}
	s.InitWithListeners(rtp, rtcp, &net.UDPAddr{})
	// diago: InitWithListeners announces the RTCP port as the port for sound.
	s.Laddr = *rtp.LocalAddr().(*net.UDPAddr)
	return s
}
