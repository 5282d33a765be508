package imapserver

import (
	"bufio"
	"crypto/tls"
	"net"
	"strings"
	"testing"
)

// A listener of crypto/tls gives sessions that know that they are protected.
func TestTLSListener(t *testing.T) {
	serverTLS, clientTLS := testTLS(t)
	cfg := testConfig(testStore(t))
	cfg.AllowPlaintextAuth = false
	srv := testServer(t, cfg)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(tls.NewListener(l, serverTLS))
	nc, err := tls.Dial("tcp", l.Addr().String(), clientTLS)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	greeting, err := bufio.NewReader(nc).ReadString('\n')
	if err != nil || !strings.Contains(greeting, "AUTH=PLAIN") || strings.Contains(greeting, "LOGINDISABLED") {
		t.Errorf("greeting %q, %v", greeting, err)
	}
}

// With too many connections a client is told so.
func TestConnectionLimit(t *testing.T) {
	cfg := testConfig(testStore(t))
	cfg.Limits.MaxConnections = 1
	dial := listenAndServe(t, testServer(t, cfg))
	for i, want := range []string{"* OK", "* BYE [UNAVAILABLE]"} {
		nc, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if line, _ := bufio.NewReader(nc).ReadString('\n'); !strings.HasPrefix(line, want) {
			t.Errorf("connection %d: %q", i+1, line)
		}
	}
}

func TestValidate(t *testing.T) {
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "Store") || !strings.Contains(err.Error(), "log in") {
		t.Errorf("got %v", err)
	}
	bad := testConfig(testStore(t))
	bad.ImplicitTLS, bad.ID, bad.Auth = true, []string{"name"}, nil
	err := bad.Validate()
	for _, want := range []string{"TLSConfig", "pairs", "log in"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %s", err, want)
		}
	}
}

// What came in the flight of STARTTLS is never taken for a command, and TLS is
// not begun (RFC 3501 §6.2.1, CVE-2011-0411).
func TestStartTLSInjection(t *testing.T) {
	cfg := testConfig(testStore(t))
	cfg.TLSConfig, _ = testTLS(t)
	for _, behind := range []string{"b CAPABILITY\r\n", "b", "\r\n"} {
		conn := &memoryConn{in: strings.NewReader("a STARTTLS\r\n" + behind)}
		if err := testServer(t, cfg).ServeConn(conn); err != nil {
			t.Fatal(err)
		}
		_, out, _ := strings.Cut(conn.out.String(), "ready\r\n")
		if out != "* BYE Nothing may follow STARTTLS before TLS is up\r\na BAD Nothing may follow STARTTLS before TLS is up\r\n" {
			t.Errorf("behind STARTTLS %q: %q", behind, out)
		}
	}
}
