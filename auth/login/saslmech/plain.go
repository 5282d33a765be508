package saslmech

import (
	"bytes"
	"unicode/utf8"

	"github.com/emersion/go-sasl"
)

// NewPlainServer returns a server of PLAIN (RFC 4616). check judges the names
// and the password as the client sent them; any of them may be empty. Its
// error ends the exchange.
func NewPlainServer(check func(authzid, username, password string) error) sasl.Server {
	return clientFirst(2*MaxName+MaxPassword+2, func(response []byte) ([]byte, step, error) {
		authzid, username, password, ok := parsePlain(response)
		if !ok {
			return nil, nil, ErrMalformed
		}
		return nil, nil, check(authzid, username, password)
	})
}

// parsePlain reads message = [authzid] NUL authcid NUL passwd.
func parsePlain(b []byte) (authzid, username, password string, ok bool) {
	if bytes.Count(b, []byte{0}) != 2 || !utf8.Valid(b) {
		return "", "", "", false
	}
	z, rest, _ := bytes.Cut(b, []byte{0})
	u, p, _ := bytes.Cut(rest, []byte{0})
	return string(z), string(u), string(p), true
}

// NewPlainClient returns a client of PLAIN. authzid is "" for the user himself.
// ErrMalformed from its Start: a name or the password holds a NUL.
func NewPlainClient(authzid, username, password string) sasl.Client {
	message := []byte(authzid + "\x00" + username + "\x00" + password)
	if _, _, _, ok := parsePlain(message); !ok || username == "" || password == "" {
		return oneMessage{name: Plain, err: ErrMalformed}
	}
	return oneMessage{name: Plain, message: message}
}

// oneMessage is a client that sends one message and expects no challenge.
type oneMessage struct {
	name    string
	message []byte
	err     error
}

// Start implements sasl.Client.
func (c oneMessage) Start() (mechanism string, initial []byte, err error) {
	return c.name, c.message, c.err
}

// Next implements sasl.Client.
func (c oneMessage) Next([]byte) ([]byte, error) { return nil, sasl.ErrUnexpectedServerChallenge }
