package login

import (
	"context"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // APOP's own
	"io"
	"slices"
)

// APOP is the name of POP3's own challenge and response (RFC 1939 §7) in
// Service.Enable, Service.Disable and the log. It is no SASL mechanism.
const APOP = "APOP"

func (s *Service) offersAPOP() bool {
	return slices.Contains(s.Enable, APOP) && !slices.Contains(s.Disable, APOP)
}

// apop judges a digest. It costs the same for a user who is unknown.
func (s *Service) apop(ctx context.Context, a Attempt, timestamp string, digest [md5.Size]byte) (Identity, error) {
	s.once.Do(s.start)
	a.Mechanism = APOP
	if !s.offersAPOP() {
		return Identity{}, ErrMechanism
	}
	k, err := s.know(ctx, a.Username, a.Peer)
	if err != nil {
		s.log(ctx, a, "lookup", err)
		return Identity{}, err
	}
	secret := clearSecret(&k)
	x := exchange{service: s, ctx: ctx, peer: a}
	err = x.proof(k, "", func() bool {
		h := md5.New() //nolint:gosec
		_, _ = io.WriteString(h, timestamp)
		_, _ = io.WriteString(h, secret)
		return hmac.Equal(h.Sum(nil), digest[:])
	})
	return x.identity, err
}

// clearSecret returns the password that a record keeps in clear text; "" with
// the reason noted where it keeps none.
func clearSecret(k *known) string {
	if k.rec.AppPasswordsOnly && k.reason == "" {
		k.reason = "app passwords only"
	}
	for _, scheme := range [...]string{"PLAIN", "CLEARTEXT", "CLEAR"} {
		if text := k.rec.secret(scheme); text != "" {
			return text
		}
	}
	if k.reason == "" {
		k.reason = "no secret for the mechanism"
	}
	return ""
}
