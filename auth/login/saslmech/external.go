package saslmech

import (
	"bytes"
	"unicode/utf8"

	"github.com/emersion/go-sasl"
)

// NewExternalServer returns a server of EXTERNAL (RFC 4422 appendix A): who the
// client is was found out by other means, such as its certificate. check gets
// the authorization identity, "" where the client leaves it to the server.
func NewExternalServer(check func(authzid string) error) sasl.Server {
	return clientFirst(MaxName, func(response []byte) ([]byte, step, error) {
		if !isText(response) {
			return nil, nil, ErrMalformed
		}
		return nil, nil, check(string(response))
	})
}

// NewExternalClient returns a client of EXTERNAL.
func NewExternalClient(authzid string) sasl.Client {
	return oneMessage{name: External, message: []byte(authzid)}
}

// maxTrace: 255 characters of at most 4 octets.
const maxTrace = 1020

// NewAnonymousServer returns a server of ANONYMOUS (RFC 4505). check gets the
// trace information, which means nothing and may be empty.
func NewAnonymousServer(check func(trace string) error) sasl.Server {
	return clientFirst(maxTrace, func(response []byte) ([]byte, step, error) {
		if !isText(response) {
			return nil, nil, ErrMalformed
		}
		return nil, nil, check(string(response))
	})
}

// NewAnonymousClient returns a client of ANONYMOUS.
func NewAnonymousClient(trace string) sasl.Client {
	return oneMessage{name: Anonymous, message: []byte(trace)}
}

// isText reports whether b is UTF-8 without NUL.
func isText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }
