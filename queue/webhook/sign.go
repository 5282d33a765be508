package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Secret is a key that both sides know, of 24 to 64 octets.
type Secret []byte

// secretPrefix marks the text of a secret.
const secretPrefix = "whsec_"

// ErrSecret: a text is no secret.
var ErrSecret = errors.New("webhook: not a secret: whsec_ and 24 to 64 octets in base64")

// NewSecret makes a secret of 32 random octets.
func NewSecret() Secret {
	s := make(Secret, 32)
	rand.Read(s)
	return s
}

// ParseSecret reads the text of a secret: "whsec_" and base64.
func ParseSecret(text string) (Secret, error) {
	rest, ok := strings.CutPrefix(text, secretPrefix)
	s, err := base64.StdEncoding.DecodeString(rest)
	if !ok || err != nil || len(s) < 24 || len(s) > 64 {
		return nil, ErrSecret
	}
	return s, nil
}

// Reveal is the text of a secret, for whoever configures the other side.
func (s Secret) Reveal() string { return secretPrefix + base64.StdEncoding.EncodeToString(s) }

// String keeps secrets out of texts.
func (s Secret) String() string { return "secret" }

// LogValue keeps secrets out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue("secret") }

// The header fields of a request.
const (
	headerID        = "Webhook-Id"
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// signature is "v1," and the base64 of the HMAC over id, time and body.
func (s Secret) signature(id string, at int64, body []byte) string {
	return "v1," + base64.StdEncoding.EncodeToString(s.mac(id, at, body))
}

func (s Secret) mac(id string, at int64, body []byte) []byte {
	m := hmac.New(sha256.New, s)
	fmt.Fprintf(m, "%s.%d.", id, at)
	m.Write(body)
	return m.Sum(nil)
}

// sign sets the header fields of a request.
func sign(h http.Header, secrets []Secret, id string, at time.Time, body []byte) {
	h.Set(headerID, id)
	h.Set(headerTimestamp, strconv.FormatInt(at.Unix(), 10))
	signatures := make([]string, len(secrets))
	for i, s := range secrets {
		signatures[i] = s.signature(id, at.Unix(), body)
	}
	if len(signatures) > 0 {
		h.Set(headerSignature, strings.Join(signatures, " "))
	}
}

// Why a request is not believed; tested with errors.Is.
var (
	ErrSignature = errors.New("webhook: no signature by a known secret")
	ErrTimestamp = errors.New("webhook: too old, or of the future")
)

// Tolerance is how far the clocks of both sides may be apart.
const Tolerance = 5 * time.Minute

// maxSignatures bounds the signatures of a request that are looked at.
const maxSignatures = 16

// Verify judges a request that was received, with the whole of its body, and
// returns its id: who has seen that id has heard of these events. ErrSignature,
// ErrTimestamp: it is not to be believed. All of the secrets are tried, in a time
// that says nothing about them.
func Verify(h http.Header, body []byte, now time.Time, secrets ...Secret) (id string, err error) {
	id = h.Get(headerID)
	at, err := strconv.ParseInt(h.Get(headerTimestamp), 10, 64)
	if err != nil || id == "" {
		return "", ErrSignature
	}
	good := false
	for i, text := range strings.Fields(h.Get(headerSignature)) {
		mac, known := strings.CutPrefix(text, "v1,")
		if i == maxSignatures {
			break
		}
		sum, err := base64.StdEncoding.DecodeString(mac)
		if !known || err != nil {
			continue
		}
		for _, s := range secrets {
			good = hmac.Equal(sum, s.mac(id, at, body)) && len(s) > 0 || good
		}
	}
	if !good {
		return "", ErrSignature
	}
	if d := now.Sub(time.Unix(at, 0)); d > Tolerance || d < -Tolerance {
		return "", ErrTimestamp
	}
	return id, nil
}
