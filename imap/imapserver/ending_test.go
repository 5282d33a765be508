package imapserver

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailstead/mailstead/store/memstore"
)

// A connection without a session has nothing to lose: Shutdown does not wait for
// a header of the PROXY protocol, or a TLS handshake, that does not come.
func TestShutdownBeforeTheSession(t *testing.T) {
	serverTLS, _ := testTLS(t)
	for name, edit := range map[string]func(*Config) (say string){
		"nothing of a header": func(*Config) string { return "" },
		"half a header":       func(*Config) string { return "PROXY TCP4 192." },
		"implicit TLS": func(c *Config) string {
			c.Proxies, c.ImplicitTLS = nil, true
			return "\x16\x03\x01"
		},
		"implicit TLS behind a header": func(c *Config) string {
			c.ImplicitTLS = true
			return proxyHeader
		},
		"STARTTLS": func(c *Config) string {
			c.Proxies = nil
			return "a STARTTLS\r\n"
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st := memstore.New(nil)
				defer st.Close()
				cfg := proxyConfig(st)
				cfg.TLSConfig = serverTLS
				cfg.Limits.ProxyTimeout, cfg.Limits.TLSHandshakeTimeout, cfg.Limits.LoginTimeout = -1, -1, -1
				say := edit(&cfg)
				srv, err := New(cfg)
				if err != nil {
					t.Fatal(err)
				}
				a, b := net.Pipe()
				defer a.Close()
				go func() { _ = srv.ServeConn(addrConn{b}) }()
				out := make(chan string, 1)
				go func() {
					said, _ := io.ReadAll(a)
					out <- string(said)
				}()
				io.WriteString(a, say)
				synctest.Wait()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				done := make(chan error, 1)
				go func() { done <- srv.Shutdown(ctx) }()
				synctest.Wait()
				select {
				case err := <-done:
					if err != nil {
						t.Error(err)
					}
				default:
					t.Error("Shutdown waits")
					cancel()
					<-done
				}
				if said := <-out; strings.Contains(said, "BYE") {
					t.Errorf("said %q where none can be read", said)
				}
			})
		})
	}
}

// The last word reaches a client that goes on sending.
func TestLastWordIsNotLost(t *testing.T) {
	cfg := testConfig(testStore(t))
	dial := listenAndServe(t, testServer(t, cfg))
	for name, say := range map[string]string{"bad commands": strings.Repeat("x y z\r\n", 60_000), "LOGOUT": "a LOGOUT\r\n" + strings.Repeat("x", 400_000)} {
		nc, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(nc, say); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		out, err := io.ReadAll(nc)
		if err != nil || !strings.Contains(string(out), "* BYE ") {
			t.Errorf("%s: %q, %v", name, out, err)
		}
		nc.Close()
	}
}

// halfClosed counts what is read behind the last word.
type halfClosed struct {
	memoryConn
	closed bool
	behind int
}

func (h *halfClosed) CloseWrite() error {
	h.closed = true
	return nil
}

func (h *halfClosed) Read(p []byte) (int, error) {
	n, err := h.memoryConn.Read(p)
	if h.closed {
		h.behind += n
	}
	return n, err
}

// Behind the last word the server reads on, unless the client has said its own.
func TestLinger(t *testing.T) {
	for _, tt := range []struct {
		say   string
		reads bool
	}{
		{strings.Repeat("x y z\r\n", 60_000), true},
		{"a LOGOUT\r\n" + strings.Repeat("x", 400_000), true},
		{"a LOGOUT\r\n", false},
	} {
		conn := &halfClosed{memoryConn: memoryConn{in: strings.NewReader(tt.say)}}
		if err := testServer(t, testConfig(testStore(t))).ServeConn(conn); err != nil {
			t.Fatal(err)
		}
		if !conn.closed || (conn.behind > 0) != tt.reads {
			t.Errorf("%.20q: closed for writing: %v, and %d octets were read", tt.say, conn.closed, conn.behind)
		}
	}
}

// The errors of ServeConn have names.
func TestServeConnErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := memstore.New(nil)
		defer st.Close()
		cfg := testConfig(st)
		cfg.Limits.MaxConnections = 1
		srv, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		first := startPipe(t, srv)
		synctest.Wait()
		if err := srv.ServeConn(&memoryConn{in: strings.NewReader("")}); !errors.Is(err, ErrTooManyConnections) {
			t.Error(err)
		}
		first.Close()
		srv.Close()
		if err := srv.ServeConn(&memoryConn{in: strings.NewReader("")}); !errors.Is(err, ErrServerClosed) {
			t.Error(err)
		}
	})
}
