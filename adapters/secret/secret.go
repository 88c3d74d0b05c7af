// Package secret hashes and checks agents' PINs.
//
// A PIN has four to twelve digits, so no hash alone can keep it from someone
// who holds the database; a slow one makes each guess cost. Limiting tries is
// the floor's part (PINRefused). The package refuses to store anything and to
// run more than a few hashes at a time: each takes 19 MiB.
package secret

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Concurrent is how many hashes the process computes at a time; more callers
// wait for their turn, or for their context's end.
const Concurrent = 2

// The cost of a new hash: the second choice of the OWASP password storage
// cheat sheet (19 MiB, 2 passes, 1 lane), tens of milliseconds.
const (
	memoryKiB = 19 * 1024
	passes    = 2
	lanes     = 1
	saltBytes = 16
	sumBytes  = 32
)

// The most a stored hash may ask for, so that a planted row cannot exhaust
// the machine.
const (
	maxMemoryKiB = 64 * 1024
	maxPasses    = 8
	maxLanes     = 4
	maxBytes     = 64
)

// The shape of a PIN.
const (
	MinDigits = 4
	MaxDigits = 12
)

var errShape = errors.New("not an argon2id hash in PHC form")

var turns = make(chan struct{}, Concurrent)

// ValidPIN reports whether pin is MinDigits to MaxDigits digits.
func ValidPIN(pin string) bool {
	if len(pin) < MinDigits || len(pin) > MaxDigits {
		return false
	}
	return strings.Trim(pin, "0123456789") == ""
}

// HashPIN hashes with argon2id (RFC 9106) and a fresh salt. The result is in
// PHC form, "$argon2id$v=19$m=19456,t=2,p=1$salt$sum", about 97 bytes.
func HashPIN(ctx context.Context, pin string) (string, error) {
	if !ValidPIN(pin) {
		return "", fmt.Errorf("hash pin: want %d to %d digits", MinDigits, MaxDigits)
	}
	salt := make([]byte, saltBytes)
	rand.Read(salt) //nolint:errcheck // it never fails, see crypto/rand
	h := phc{memoryKiB: memoryKiB, passes: passes, lanes: lanes, salt: salt}
	var err error
	if h.sum, err = h.of(ctx, pin, sumBytes); err != nil {
		return "", fmt.Errorf("hash pin: %w", err)
	}
	return h.String(), nil
}

// CheckPIN reports whether hash, made by HashPIN, is pin's. It takes as long
// for a wrong PIN as for a right one. An error means that nothing was learned.
func CheckPIN(ctx context.Context, hash, pin string) (bool, error) {
	h, err := parse(hash)
	if err != nil {
		return false, fmt.Errorf("check pin: %w", err)
	}
	sum, err := h.of(ctx, pin, uint32(len(h.sum)))
	if err != nil {
		return false, fmt.Errorf("check pin: %w", err)
	}
	return subtle.ConstantTimeCompare(sum, h.sum) == 1, nil
}

// phc is an argon2id hash taken apart
// (github.com/P-H-C/phc-string-format).
type phc struct {
	memoryKiB uint32
	passes    uint32
	lanes     uint8
	salt, sum []byte
}

func (h phc) of(ctx context.Context, pin string, size uint32) ([]byte, error) {
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(pin), h.salt, h.passes, h.memoryKiB, h.lanes, size), nil
}

func (h phc) String() string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, h.memoryKiB, h.passes, h.lanes, b64(h.salt), b64(h.sum))
}

// parse reads only what String writes, within the limits above.
func parse(text string) (phc, error) {
	var h phc
	part := strings.Split(text, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, errShape
	}
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &h.memoryKiB, &h.passes, &h.lanes); err != nil {
		return h, errShape
	}
	var err error
	if h.salt, err = base64.RawStdEncoding.Strict().DecodeString(part[4]); err != nil {
		return h, errShape
	}
	if h.sum, err = base64.RawStdEncoding.Strict().DecodeString(part[5]); err != nil {
		return h, errShape
	}
	if !h.bounded() || h.String() != text {
		return h, errShape
	}
	return h, nil
}

func (h phc) bounded() bool {
	return h.memoryKiB >= 8 && h.memoryKiB <= maxMemoryKiB && h.passes >= 1 && h.passes <= maxPasses &&
		h.lanes >= 1 && h.lanes <= maxLanes && len(h.salt) >= 8 && len(h.salt) <= maxBytes &&
		len(h.sum) >= 16 && len(h.sum) <= maxBytes
}
