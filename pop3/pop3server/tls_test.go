package pop3server_test

import (
	"bufio"
	"crypto/tls"
	"net/http/httptest"
	"testing"

	"github.com/mailstead/mailstead/pop3/pop3server"
)

// testTLS is a server configuration with the standard library's own test
// certificate.
func testTLS(t testing.TB) *tls.Config {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return &tls.Config{Certificates: s.TLS.Certificates}
}

func TestPasswordsNeedTLS(t *testing.T) {
	_, addr := serve(t, maildrop(t), func(c *pop3server.Config) {
		c.AllowPlaintextAuth = false
		c.TLSConfig = testTLS(t)
	})
	c := dial(t, addr)
	c.play(`
		S: +OK ...
		C: USER alice
		S: -ERR STLS is required first
		C: CAPA
		S: +OK ...
		S: TOP
		S: UIDL
		S: RESP-CODES
		S: AUTH-RESP-CODE
		S: PIPELINING
		S: UTF8 USER
		S: LANG
		S: EXPIRE NEVER
		S: STLS
		S: .
		C: STLS
		S: +OK ...`)
	tc := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
	under := &client{t, tc, bufio.NewReader(tc)}
	under.play(`
		C: USER alice
		S: +OK ...
		C: PASS pass word
		S: +OK ...
		C: STLS
		S: -ERR ...`)
}

// Plain text in the same flight behind STLS never acts.
func TestNothingFollowsSTLS(t *testing.T) {
	_, addr := serve(t, maildrop(t), func(c *pop3server.Config) { c.TLSConfig = testTLS(t) })
	c := dial(t, addr)
	c.play(`
		S: +OK ...
		C: STLS\r\nUSER alice
		S: -ERR ...
		S: EOF`)
}
