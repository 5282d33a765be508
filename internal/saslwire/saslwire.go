// Package saslwire is what the SASL profiles of SMTP (RFC 4954), IMAP (RFC
// 4959, RFC 9051 §6.2.2) and POP3 (RFC 5034) have in common: how challenges
// and responses look on a line, and how an exchange runs.
package saslwire

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/authn"
)

// MaxLine is how long a line of an exchange may be with its end, in octets:
// what RFC 4954 §4 asks of SMTP.
const MaxLine = 12288

// Why an exchange ends on the line, before the mechanism sees it.
var (
	// ErrCancelled: the client sent "*".
	ErrCancelled = errors.New("saslwire: cancelled by the client")
	// ErrBase64: the line is no base64.
	ErrBase64 = errors.New("saslwire: bad base64")
	// ErrNoAccount: the mechanism ended well and named no account.
	ErrNoAccount = errors.New("saslwire: the exchange ended without an account")
)

// Initial decodes an initial response: "=" is an empty one. The result is not
// nil without an error.
func Initial(b []byte) ([]byte, error) {
	if len(b) == 1 && b[0] == '=' {
		return []byte{}, nil
	}
	if len(b) == 0 {
		return nil, ErrBase64 // an empty one is "="
	}
	return decode(b)
}

// Response decodes a line that answers a challenge, without its end. The
// result is not nil without an error.
func Response(line []byte) ([]byte, error) {
	if len(line) == 1 && line[0] == '*' {
		return nil, ErrCancelled
	}
	return decode(line)
}

func decode(b []byte) ([]byte, error) {
	if slices.Contains(b, '\r') || slices.Contains(b, '\n') {
		return nil, ErrBase64 // the decoder would skip them
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	n, err := base64.StdEncoding.Strict().Decode(out, b)
	if err != nil {
		return nil, ErrBase64
	}
	return out[:n], nil
}

// AppendChallenge adds a challenge in base64 to dst.
func AppendChallenge(dst, challenge []byte) []byte {
	return base64.StdEncoding.AppendEncode(dst, challenge)
}

// Exchange is one exchange on the server's side.
type Exchange struct {
	server  sasl.Server
	account string
	settled bool // done, and the data of the success is out
}

// Begin starts an exchange of a mechanism that is offered to p now. The errors
// are authn's: ErrTLSRequired where only TLS is missing, ErrMechanism.
func Begin(ctx context.Context, a authn.Authenticator, p *authn.Peer, mechanism string) (*Exchange, error) {
	switch {
	case slices.Contains(authn.Offered(a, p), mechanism):
	case a != nil && !p.Secure && authn.ShowsSecret(mechanism):
		return nil, authn.ErrTLSRequired
	default:
		return nil, authn.ErrMechanism
	}
	x := &Exchange{}
	server, err := a.Start(ctx, p, mechanism, func(account string) { x.account = account })
	x.server = server
	return x, err
}

// Next takes a response, nil for a missing initial one, and returns the next
// challenge, or done. Data of a success is a challenge whose response has to
// be empty: the replies that end an exchange have no room for it.
func (x *Exchange) Next(response []byte) (challenge []byte, done bool, err error) {
	if x.settled {
		if len(response) != 0 {
			return nil, false, authn.ErrMalformed
		}
		return nil, true, nil
	}
	challenge, done, err = x.server.Next(response)
	switch {
	case err != nil:
		return nil, false, err
	case !done:
		return challenge, false, nil
	case x.account == "":
		return nil, false, ErrNoAccount
	}
	x.settled = len(challenge) > 0
	return challenge, !x.settled, nil
}

// Account is who logged in, after Next has said done.
func (x *Exchange) Account() string { return x.account }
