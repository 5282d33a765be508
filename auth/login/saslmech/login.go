package saslmech

import (
	"unicode/utf8"

	"github.com/emersion/go-sasl"
)

// NewLoginServer returns a server of LOGIN, a mechanism without an RFC that
// old printers and scanners know as their only one: the server asks for a name
// and then for a password, and a client may send the name at once.
func NewLoginServer(check func(username, password string) error) sasl.Server {
	name := within(MaxName, func(name []byte) ([]byte, step, error) {
		if !utf8.Valid(name) {
			return nil, nil, ErrMalformed
		}
		username := string(name)
		return []byte("Password:"), within(MaxPassword, func(password []byte) ([]byte, step, error) {
			if !utf8.Valid(password) {
				return nil, nil, ErrMalformed
			}
			return nil, nil, check(username, string(password))
		}), nil
	})
	return &server{func(initial []byte) ([]byte, step, error) {
		if initial == nil {
			return []byte("Username:"), name, nil
		}
		return name(initial)
	}}
}

// loginClient is a client of LOGIN. It does not look at the text of the
// challenges, which differs from server to server.
type loginClient struct{ answers [][]byte }

// NewLoginClient returns a client of LOGIN. It has no initial response: not
// every server takes one.
func NewLoginClient(username, password string) sasl.Client {
	return &loginClient{[][]byte{[]byte(username), []byte(password)}}
}

// Start implements sasl.Client.
func (c *loginClient) Start() (mechanism string, initial []byte, err error) { return Login, nil, nil }

// Next implements sasl.Client.
func (c *loginClient) Next([]byte) ([]byte, error) {
	if len(c.answers) == 0 {
		return nil, sasl.ErrUnexpectedServerChallenge
	}
	answer := c.answers[0]
	c.answers = c.answers[1:]
	return answer, nil
}
