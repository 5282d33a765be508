package saslmech

import (
	"bytes"
	"unicode/utf8"

	"github.com/emersion/go-sasl"
)

// NewExternalServer returns a server of EXTERNAL (RFC 4422 appendix A): who the
// client is was found out by other means, such as its certificate. check gets
// the authorization identity; "" leaves it to the server.
func NewExternalServer(check func(authzid string) error) sasl.Server { return oneText(MaxName, check) }

// NewExternalClient returns a client of EXTERNAL.
func NewExternalClient(authzid string) sasl.Client {
	return oneMessage{name: External, message: []byte(authzid)}
}

// maxTrace: 255 characters of at most 4 octets.
const maxTrace = 1020

// NewAnonymousServer returns a server of ANONYMOUS (RFC 4505). check gets the
// trace information, which means nothing and may be empty.
func NewAnonymousServer(check func(trace string) error) sasl.Server { return oneText(maxTrace, check) }

// NewAnonymousClient returns a client of ANONYMOUS.
func NewAnonymousClient(trace string) sasl.Client {
	return oneMessage{name: Anonymous, message: []byte(trace)}
}

// oneText is a mechanism of one message of text, which may be empty.
func oneText(limit int, check func(text string) error) sasl.Server {
	return clientFirst(limit, func(response []byte) ([]byte, step, error) {
		if !isText(response) {
			return nil, nil, ErrMalformed
		}
		return nil, nil, check(string(response))
	})
}

// isText reports whether b is UTF-8 without NUL.
func isText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }
