package pop3server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/internal/authtest"
	"github.com/mailstead/mailstead/internal/saslwire"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// dropOf is a store with an empty maildrop of alice.
func dropOf(t *testing.T) store.Store {
	t.Helper()
	s := memstore.New(nil)
	if err := s.Create(t.Context(), "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	return s
}

// RFC 5034 §4, RFC 3206: AUTH in all its forms.
func TestAuth(t *testing.T) {
	long := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 8000)))
	for name, dialogue := range map[string]string{
		"list": `
			C: AUTH
			S: +OK ...
			S: X-FIRST
			S: X-LAST
			S: X-ERROR
			S: PLAIN
			S: .
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
			S: USER
			S: SASL X-FIRST X-LAST X-ERROR PLAIN
			S: .`,
		"server first": `
			C: AUTH X-FIRST
			S: + ` + b64("your name") + `
			C: *
			S: -ERR Authentication cancelled
			C: AUTH X-FIRST ` + b64("alice") + `
			S: -ERR Malformed response
			C: AUTH X-FIRST =
			S: -ERR Malformed response
			C: AUTH X-FIRST
			S: + ` + b64("your name") + `
			C: no base64
			S: -ERR Bad base64
			C: AUTH x-first
			S: + ` + b64("your name") + `
			C: ` + b64("alice") + `
			S: +OK Maildrop has 0 messages (0 octets)
			C: AUTH X-FIRST
			S: -ERR Not in this state`,
		"data with the success": `
			C: AUTH X-LAST
			S: + 
			C: ` + b64("alice") + `
			S: + ` + b64("last word") + `
			C: *
			S: -ERR Authentication cancelled
			C: STAT
			S: -ERR Not in this state
			C: AUTH X-LAST ` + b64("alice") + `
			S: + ` + b64("last word") + `
			C: ` + b64("more") + `
			S: -ERR Malformed response
			C: AUTH X-LAST ` + b64("alice") + `
			S: + ` + b64("last word") + `
			C: 
			S: +OK Maildrop ...`,
		"plain": `
			C: AUTH PLAIN ` + b64("\x00alice\x00wrong") + `
			S: -ERR [AUTH] Authentication failed
			C: AUTH PLAIN ` + b64("bob\x00alice\x00secret") + `
			S: -ERR [AUTH] Authentication failed
			C: AUTH PLAIN ` + b64("alice") + `
			S: -ERR Malformed response
			C: AUTH PLAIN ` + b64("\x00alice\x00secret") + `
			S: +OK Maildrop ...`,
		"errors": `
			C: AUTH FOO
			S: -ERR Mechanism not offered
			C: AUTH FOO BAR BAZ
			S: -ERR Wrong number of arguments
			C: AUTH EXTERNAL =
			S: -ERR Mechanism not offered
			C: AUTH PLAIN !!!
			S: -ERR Bad base64
			C: AUTH X-ERROR ` + b64("temporary") + `
			S: -ERR [SYS/TEMP] Internal error, reference ...
			C: AUTH X-ERROR ` + b64("mechanism") + `
			S: -ERR Mechanism not offered
			C: AUTH X-ERROR ` + b64("tls") + `
			S: -ERR [AUTH] STLS is required first
			C: AUTH X-ERROR ` + b64("none") + `
			S: -ERR [SYS/TEMP] Internal error, reference ...
			C: AUTH X-ERROR ` + b64("table users is gone") + `
			S: -ERR [SYS/TEMP] Internal error, reference ...
			C: AUTH X-ERROR ` + b64("too many") + `
			S: -ERR [SYS/TEMP] Too many failed logins, try again later
			S: EOF`,
		"three tries": `
			C: AUTH X-ERROR ` + b64("rejected") + `
			S: -ERR [AUTH] ...
			C: AUTH X-ERROR ` + b64("rejected") + `
			S: -ERR [AUTH] ...
			C: AUTH X-ERROR ` + b64("rejected") + `
			S: -ERR [AUTH] ...
			S: EOF`,
		"long lines": `
			C: AUTH X-ERROR ` + long + `
			S: -ERR [SYS/TEMP] ...
			C: AUTH X-FIRST
			S: + ...
			C: ` + long + `
			S: -ERR [SYS/PERM] ...
			C: AUTH X-ERROR ` + strings.Repeat("A", saslwire.MaxLine) + `
			S: -ERR Line too long
			C: AUTH X-FIRST
			S: + ...
			C: ` + strings.Repeat("A", saslwire.MaxLine+5000) + `
			S: -ERR Line too long
			C: NOOP
			S: -ERR Not in this state`,
	} {
		t.Run(name, func(t *testing.T) {
			_, addr := serve(t, dropOf(t), func(c *pop3server.Config) { c.Auth = authtest.Authenticator{} })
			c := dial(t, addr)
			c.play("S: +OK POP3 server ready")
			c.play(dialogue)
		})
	}
}

// Without TLS nothing is offered that shows a secret; a client that showed a
// certificate is offered EXTERNAL.
func TestAuthAndTLS(t *testing.T) {
	config := testTLS(t)
	config.ClientAuth = tls.RequestClientCert
	_, addr := serve(t, dropOf(t), func(c *pop3server.Config) {
		c.Auth, c.TLSConfig, c.AllowPlaintextAuth = authtest.Authenticator{}, config, false
	})
	c := dial(t, addr)
	c.play(`
		S: +OK ...
		C: USER alice
		S: -ERR STLS is required first
		C: AUTH PLAIN ` + b64("\x00alice\x00secret") + `
		S: -ERR [AUTH] STLS is required first
		C: AUTH
		S: +OK ...
		S: X-FIRST
		S: X-LAST
		S: X-ERROR
		S: .
		C: STLS
		S: +OK ...`)
	tc := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{clientCertificate(t)}})
	c.Conn = tc
	c.br.Reset(tc)
	c.play(`
		C: AUTH
		S: +OK ...
		S: X-FIRST
		S: X-LAST
		S: X-ERROR
		S: EXTERNAL
		S: PLAIN
		S: .
		C: AUTH EXTERNAL
		S: + 
		C: ` + b64("alice") + `
		S: +OK Maildrop ...`)
}

func clientCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// With RequireTLS there is no login without TLS, whatever the mechanism.
func TestAuthRequireTLS(t *testing.T) {
	_, addr := serve(t, dropOf(t), func(c *pop3server.Config) {
		c.Auth, c.TLSConfig, c.RequireTLS = authtest.Authenticator{}, testTLS(t), true
	})
	c := dial(t, addr)
	c.play(`
		S: +OK ...
		C: AUTH
		S: +OK ...
		S: .
		C: AUTH X-FIRST
		S: -ERR [AUTH] STLS is required first
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
	c.Conn = tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true})
	c.br.Reset(c.Conn)
	c.play(`
		C: USER alice
		S: +OK ...
		C: PASS secret
		S: +OK Maildrop ...`)
}

// Where PLAIN is not offered, USER is not either.
func TestUserNotOffered(t *testing.T) {
	_, addr := serve(t, dropOf(t), func(c *pop3server.Config) { c.Auth = authtest.Authenticator{NoPasswords: true} })
	dial(t, addr).play(`
		S: +OK ...
		C: USER alice
		S: -ERR USER is not offered
		C: PASS secret
		S: -ERR USER comes first`)
}
