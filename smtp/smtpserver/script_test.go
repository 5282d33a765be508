package smtpserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mailstead/mailstead/internal/script"
	"github.com/mailstead/mailstead/smtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// actor is a Receiver that does what the local-parts say.
type actor struct {
	mu     sync.Mutex
	bodies []string
}

func (a *actor) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	switch m.ReversePath.Local {
	case "who":
		return nil, smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 7}, "%s", describe(m))
	case "per":
		return nil, smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 7}, "per=%v", m.PerRecipient)
	case "up":
		return nil, smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 7}, "up=%+v", m.Upstream)
	case "internal":
		return nil, errors.New("password of the database")
	case "panic":
		panic("begin")
	case "inject":
		return nil, smtp.Errorf(550, smtp.EnhancedCode{}, "gotcha\r\n250 no")
	}
	return &act{actor: a}, nil
}

// describe is what scripts ask for with MAIL FROM:<who@...>.
func describe(m *smtp.Mail) string {
	p := m.Peer
	return fmt.Sprintf("addr=%v local=%v name=%s hello=%s login=%s/%s", p.Addr, p.LocalAddr, p.Name, p.Hello, p.Identity, p.Mechanism)
}

type act struct {
	actor *actor
	rcpts []string
}

func (t *act) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	errs := make([]error, len(rs))
	for i, r := range rs {
		if r.ForwardPath.Local == "refused" {
			errs[i] = smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "no such user")
			continue
		}
		t.rcpts = append(t.rcpts, r.ForwardPath.Local)
	}
	return errs
}

func (t *act) Data(_ context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	st := smtp.Accepted(len(t.rcpts))
	for i, r := range t.rcpts {
		switch r {
		case "panic":
			panic("data")
		case "unread":
			return st, nil
		case "gone":
			st[i].Err = smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "gone")
		case "late":
			st[i].Err = smtp.Errorf(452, smtp.EnhancedCode{Class: 4, Subject: 2, Detail: 2}, "full")
		}
	}
	data, err := io.ReadAll(b)
	if err != nil {
		return st, nil // the server has to notice
	}
	t.actor.mu.Lock()
	defer t.actor.mu.Unlock()
	t.actor.bodies = append(t.actor.bodies, string(data))
	return st, nil
}

func (t *act) Abort() {}

func scriptConfig(options string, tlsConfig *tls.Config) Config {
	cfg := Config{Receiver: &actor{}, Hostname: "mx.example", Logger: slog.New(slog.DiscardHandler), Extensions: DefaultExtensions}
	cfg.Limits.ErrorDelay = time.Microsecond
	for word := range strings.FieldsSeq(options) {
		switch word {
		case "lmtp":
			cfg.LMTP = true
		case "utf8":
			cfg.Extensions |= SMTPUTF8
		case "starttls":
			cfg.TLSConfig = tlsConfig
		case "requiretls":
			cfg.RequireTLS = true
		case "requireauth":
			cfg.RequireAuth = true
		case "plaintext":
			cfg.AllowPlaintextAuth = true
		case "strict":
			cfg.StrictPipelining = true
		case "small":
			cfg.Limits.Message = 100
		case "auth":
			cfg.Auth = PlainAuth(func(_ context.Context, _ *smtp.Peer, _, user, password string) (string, error) {
				if user == "temp" {
					return "", errors.New("backend down")
				}
				if password != "s" {
					return "", ErrBadCredentials
				}
				return user, nil
			})
		default:
			extensionConfig(&cfg, word)
		}
	}
	return cfg
}

// extensionConfig switches on what scripts name.
func extensionConfig(cfg *Config, word string) {
	switch word {
	case "bare":
		cfg.Extensions = PIPELINING
	case "dsn":
		cfg.Extensions |= DSN
	case "binary":
		cfg.Extensions |= BINARYMIME
	case "extrequiretls":
		cfg.Extensions |= REQUIRETLS
	case "limits":
		cfg.Extensions |= LIMITS
		cfg.Limits.Mails, cfg.Limits.Recipients, cfg.Limits.Domains = 3, 2, 2
	case "priority":
		cfg.Extensions |= MTPRIORITY
		cfg.PriorityProfile = "MIXER"
	case "deliverby":
		cfg.Extensions |= DELIVERBY
		cfg.Limits.DeliverBy = time.Minute
	case "hold":
		cfg.Extensions |= FUTURERELEASE
	case "prdr":
		cfg.Extensions |= PRDR
	case "xclient":
		cfg.Extensions |= XCLIENT
	case "xforward":
		cfg.Extensions |= XFORWARD
	case "proxy":
		cfg.Extensions |= PROXY
	case "proxies":
		cfg.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("192.0.2.99/32")}
	case "strangers":
		cfg.Proxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	case "hooks":
		cfg.Keywords = func(*smtp.Peer) []string { return []string{"XMORE yes", "bad\r\nline"} }
		cfg.Parameters = []string{"xparam"}
		cfg.Commands = []Command{{Verb: "XHELLO", Keyword: "XHELLO", Run: func(_ context.Context, p *smtp.Peer, arg string) smtp.Reply {
			if arg == "panic" {
				panic("command")
			}
			return smtp.NewReply(250, smtp.EnhancedCode{Class: 2}, "hello "+p.Hello+" "+arg)
		}}}
	}
}

// start serves cfg on loopback until the test ends.
func start(tb testing.TB, cfg Config) (*Server, string) {
	tb.Helper()
	return startServer(tb, New(cfg))
}

func startServer(tb testing.TB, srv *Server) (*Server, string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(context.Background(), l) }()
	tb.Cleanup(func() {
		srv.Close()
		if err := <-done; !errors.Is(err, ErrServerClosed) {
			tb.Errorf("Serve: %v", err)
		}
	})
	return srv, l.Addr().String()
}

func dial(tb testing.TB, addr string) net.Conn {
	tb.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

func TestScripts(t *testing.T) {
	server, client := testTLS(t)
	for _, s := range script.Load(t, "testdata/*.txt") {
		modes := s.Header["modes"]
		if modes == "" {
			modes = "whole bytes pipelined tls"
		}
		for mode := range strings.FieldsSeq(modes) {
			t.Run(s.Name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				play(t, s, mode, server, client)
			})
		}
	}
}

func play(t *testing.T, s *script.Script, mode string, server, client *tls.Config) {
	cfg := scriptConfig(s.Header["config"], server)
	p := script.Player{
		EndsGroup: endsGroupLine,
		StartTLS: func(c net.Conn) (net.Conn, error) {
			tc := tls.Client(c, client)
			return tc, tc.Handshake()
		},
	}
	switch mode {
	case "bytes":
		p.Mode = script.Bytes
	case "pipelined":
		p.Mode = script.Pipelined
	case "tls":
		cfg.ImplicitTLS, cfg.TLSConfig = true, server
	}
	if mode == "bytes" { // a pipe has no segments that join octets again
		srv := New(cfg)
		p.Conn = pipe(t, func(c net.Conn) { srv.ServeConn(context.Background(), pipeEnd{c}) })
	} else {
		_, addr := start(t, cfg)
		p.Conn = dial(t, addr)
	}
	if mode == "tls" {
		p.Conn = tls.Client(p.Conn, client)
	}
	if err := p.Play(s); err != nil {
		t.Error(err)
	}
}

// endsGroupLine: RFC 2920 §3.1, and the lines behind which a script changes
// the mode of the connection.
func endsGroupLine(line string) bool {
	verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
	switch verb {
	case "MAIL", "RCPT", "RSET", "BDAT":
		return false
	}
	return true
}

// testTLS makes a certificate for localhost.
func testTLS(tb testing.TB) (server, client *tls.Config) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: roots, ServerName: "localhost"}
}
