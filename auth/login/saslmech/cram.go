package saslmech

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // the mechanism's own
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-sasl"
)

// CRAMMD5Server says how a server runs one exchange of CRAM-MD5 (RFC 2195).
type CRAMMD5Server struct {
	// Host is the server's name in the challenge. Empty means localhost.
	Host string
	// Judge decides about a response. proved checks the digest against a secret
	// of the user.
	Judge func(username string, proved func(CRAMSecret) bool) error

	challenge string // of tests; "" = random
}

// New returns the server of one exchange. It speaks first, so that there is no
// initial response.
func (c CRAMMD5Server) New() sasl.Server {
	return &server{func(initial []byte) ([]byte, step, error) {
		if initial != nil {
			return nil, nil, ErrMalformed
		}
		challenge := []byte(or(c.challenge, newChallenge(c.Host)))
		return challenge, within(MaxName+1+2*md5.Size, func(response []byte) ([]byte, step, error) {
			username, digest, ok := parseCRAM(response)
			if !ok {
				return nil, nil, ErrMalformed
			}
			return nil, nil, c.Judge(username, func(s CRAMSecret) bool {
				want, ok := s.digest(challenge)
				return ok && hmac.Equal(want, digest)
			})
		}), nil
	}}
}

// newChallenge returns a msg-id that no other exchange has.
func newChallenge(host string) string {
	return "<" + rand.Text() + "." + strconv.FormatInt(time.Now().Unix(), 10) + "@" + or(host, "localhost") + ">"
}

// parseCRAM reads username SP 32 digits in lower-case hexadecimal. The name may
// hold spaces.
func parseCRAM(b []byte) (username string, digest []byte, ok bool) {
	i := bytes.LastIndexByte(b, ' ')
	if i < 1 || len(b)-i-1 != 2*md5.Size || !utf8.Valid(b) || !bytes.Equal(bytes.ToLower(b[i+1:]), b[i+1:]) {
		return "", nil, false
	}
	digest, err := hex.DecodeString(string(b[i+1:]))
	return string(b[:i]), digest, err == nil
}

// ErrCRAMSecret: the text is no secret of CRAM-MD5.
var ErrCRAMSecret = errors.New("saslmech: unusable CRAM-MD5 secret")

// CRAMSecret is what a server of CRAM-MD5 keeps of a password: the two states
// of HMAC-MD5 after its key, as RFC 2195 §2 recommends. It is as good as the
// password for this mechanism.
type CRAMSecret struct{ outer, inner [md5.Size]byte }

// NewCRAMSecret returns the secret of a password.
func NewCRAMSecret(password string) CRAMSecret {
	var key [md5.BlockSize]byte
	if len(password) > len(key) {
		sum := md5.Sum([]byte(password)) //nolint:gosec
		copy(key[:], sum[:])
	} else {
		copy(key[:], password)
	}
	return CRAMSecret{outer: stateAfter(key, 0x5c), inner: stateAfter(key, 0x36)}
}

// ParseCRAMSecret reads the 64 hexadecimal digits that Dovecot keeps after
// "{CRAM-MD5}": the outer state and the inner one, words in little-endian
// order. ErrCRAMSecret.
func ParseCRAMSecret(text string) (s CRAMSecret, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 2*md5.Size {
		return s, ErrCRAMSecret
	}
	copy(s.outer[:], b)
	copy(s.inner[:], b[md5.Size:])
	return s, nil
}

// Reveal returns the text that ParseCRAMSecret reads.
func (s CRAMSecret) Reveal() string {
	return hex.EncodeToString(s.outer[:]) + hex.EncodeToString(s.inner[:])
}

// String returns a placeholder: the secret does not belong into a log.
func (s CRAMSecret) String() string { return "[redacted]" }

// GoString returns a placeholder.
func (s CRAMSecret) GoString() string { return "[redacted]" }

// Matches reports whether s is of this password.
func (s CRAMSecret) Matches(password string) bool {
	other := NewCRAMSecret(password)
	return hmac.Equal(s.outer[:], other.outer[:]) && hmac.Equal(s.inner[:], other.inner[:])
}

// digest returns HMAC-MD5 of the challenge.
func (s CRAMSecret) digest(challenge []byte) ([]byte, bool) {
	inner, ok := resume(s.inner)
	outer, also := resume(s.outer)
	inner.Write(challenge)
	outer.Write(inner.Sum(nil))
	return outer.Sum(nil), ok && also
}

// cramClient is a client of CRAM-MD5.
type cramClient struct {
	username string
	secret   string
	answered bool
}

// NewCRAMMD5Client returns a client of CRAM-MD5.
func NewCRAMMD5Client(username, password string) sasl.Client {
	return &cramClient{username: username, secret: password}
}

// Start implements sasl.Client.
func (c *cramClient) Start() (mechanism string, initial []byte, err error) { return CRAMMD5, nil, nil }

// Next implements sasl.Client.
func (c *cramClient) Next(challenge []byte) ([]byte, error) {
	if c.answered || len(challenge) == 0 || len(challenge) > maxChallenge {
		return nil, sasl.ErrUnexpectedServerChallenge
	}
	c.answered = true
	mac := hmac.New(md5.New, []byte(c.secret))
	mac.Write(challenge)
	return []byte(c.username + " " + hex.EncodeToString(mac.Sum(nil))), nil
}
