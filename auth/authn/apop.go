package authn

import (
	"context"
	"crypto/md5" //nolint:gosec // APOP's own
)

// APOPAuthenticator is an Authenticator that can judge the APOP command of
// POP3 (RFC 1939 §7). It needs the secrets of its users in clear text, and the
// digest lets who reads along guess at them: without TLS it is better than a
// password, and with TLS worse than SCRAM. RFC 1939 §13 advises against both
// APOP and a password for one user. It is the Authenticator itself: wrappers
// that want to keep it have both methods.
type APOPAuthenticator interface {
	Authenticator

	// OffersAPOP reports whether APOP is offered on this connection now. The
	// greeting has a timestamp where it is. It must not block.
	OffersAPOP(p *Peer) bool

	// APOP judges one command and returns the account. Errors are those of
	// Authenticator.
	APOP(ctx context.Context, p *Peer, login APOP) (account string, err error)
}

// APOP is what came with the command.
type APOP struct {
	// Username is what the client sent: UTF-8, unchecked otherwise.
	Username string
	// Timestamp is that of the greeting, with its angle brackets. No two
	// connections have the same.
	Timestamp string
	// Digest is the MD5 of Timestamp and secret.
	Digest [md5.Size]byte
}
