package pop3server_test

import (
	"crypto/tls"
	"net/http/httptest"
	"testing"
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
