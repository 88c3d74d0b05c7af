package orchestrator

import (
	"encoding/hex"
	"time"
)

// Identifiers. Those of configuration are slugs the administrator chose
// (see ValidSlug); those of things that happen are UUIDv7 strings minted by the
// floor, except the legs that arrive, which are named by their switch:
// "<switch>/<the PBX's own id>".
type (
	TenantID string
	SwitchID string
	AgentID  string
	PhoneID  string
	QueueID  string
	FlowID   string
	HoursID  string
	CallID   string
	LegID    string
	BridgeID string
	OfferID  string
	PlayID   string

	RecordingID string
	StreamID    string // sound sent to a server
)

// Minter makes UUIDv7 identifiers (RFC 9562 section 5.7) from an input's place
// in line instead of from chance, so that a replay mints the same ones.
//
// Two minters with the same Space produce the same ids for the same inputs:
// Space is therefore the floor's own number (tenant and lease epoch).
type Minter struct{ Space uint64 }

// Mint returns the n-th identifier of the input seq, which happened at.
func (m Minter) Mint(at time.Time, seq, n uint64) string {
	high := mix(m.Space ^ mix(seq))
	low := mix(high ^ mix(n+0x9e3779b97f4a7c15))
	var b [16]byte
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i))
	}
	b[6], b[7] = byte(high>>8), byte(high)
	for i := range 8 {
		b[8+i] = byte(low >> (56 - 8*i))
	}
	b[6] = b[6]&0x0f | 0x70
	b[8] = b[8]&0x3f | 0x80
	var out [36]byte
	hex.Encode(out[0:8], b[0:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:36], b[10:16])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

// mix is the finaliser of splitmix64: a bijection that spreads every bit.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// ValidSlug reports whether s can name a thing of the configuration: 1 to 63
// lower-case letters, digits, '-' or '_', beginning with a letter or a digit.
func ValidSlug(s string) bool {
	if len(s) == 0 || len(s) > 63 || s[0] == '-' || s[0] == '_' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
