package smtppeers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtpserver"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

// The account that both sides use.
const (
	user     = "relay"
	password = "secret"
)

// identity is the certificate that both sides show, for 127.0.0.1 and
// localhost.
type identity struct {
	server, client *tls.Config
	cert, key      string // files
}

func newIdentity(t *testing.T, dir string) *identity {
	t.Helper()
	id := &identity{}
	id.server, id.client = smtptest.Certificate(t)
	id.save(t, dir)
	return id
}

// save writes the files.
func (id *identity) save(t *testing.T, dir string) {
	t.Helper()
	id.cert, id.key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	c := id.server.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}))
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	write(t, id.cert, cert)
	write(t, id.key, key)
	write(t, filepath.Join(dir, "both.pem"), key+cert)
	if err := os.Chmod(id.key, 0o600); err != nil {
		t.Fatal(err)
	}
}

// received is what our server took.
type received struct {
	mail  *smtp.Mail
	rcpts []*smtp.Recipient
	data  string
}

// sink is our server, which takes everything but refused@..., and late@... at
// the end of the body.
type sink struct {
	addr string

	mu       sync.Mutex
	got      []received
	dialogue strings.Builder
}

// everything is what the server can.
const everything = smtpserver.PIPELINING | smtpserver.EightBitMIME | smtpserver.ENHANCEDSTATUSCODES | smtpserver.SIZE | smtpserver.CHUNKING |
	smtpserver.BINARYMIME | smtpserver.SMTPUTF8 | smtpserver.DSN | smtpserver.REQUIRETLS | smtpserver.PRDR | smtpserver.LIMITS

// newSink starts our server.
func newSink(t *testing.T, cfg smtpserver.Config) *sink {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{addr: l.Addr().String()}
	cfg.Receiver, cfg.Extensions = receiver{s}, everything
	cfg.Hostname, cfg.Logger, cfg.Trace = "localhost", slog.New(slog.DiscardHandler), s.trace
	cfg.Auth = authn.PasswordFunc(func(_ context.Context, _ *authn.Peer, u, p string) (string, error) {
		if u != user || p != password {
			return "", authn.ErrRejected
		}
		return u, nil
	})
	srv := smtpserver.New(cfg)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(context.Background(), l) }()
	t.Cleanup(func() {
		srv.Close()
		<-done
		if t.Failed() {
			t.Logf("what our server heard and said:\n%s", tail(s.dialogue.String()))
		}
	})
	return s
}

func (s *sink) trace(_ *smtp.Peer, client bool, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mark := "S: "
	if client {
		mark = "C: "
	}
	s.dialogue.WriteString(mark + strings.TrimSpace(string(text)) + "\n")
}

// said reports whether a client sent a line that starts with text.
func (s *sink) said(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(strings.ToUpper(s.dialogue.String()), "C: "+strings.ToUpper(text))
}

// wait returns what was taken, once there are n messages.
func (s *sink) wait(t *testing.T, n int) []received {
	t.Helper()
	var got []received
	eventually(t, 30*time.Second, "messages are missing", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		got = s.got
		return len(got) >= n
	})
	return got
}

type receiver struct{ s *sink }

func (r receiver) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	return &transaction{s: r.s, got: received{mail: m}}, nil
}

type transaction struct {
	s   *sink
	got received
}

func (t *transaction) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	errs := make([]error, len(rs))
	for i, r := range rs {
		if r.ForwardPath.Local == "refused" {
			errs[i] = smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "No such user here")
		} else {
			t.got.rcpts = append(t.got.rcpts, r)
		}
	}
	return errs
}

func (t *transaction) Data(_ context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	data, err := io.ReadAll(b)
	if err != nil {
		return nil, err
	}
	t.got.data = string(data)
	status := smtp.Accepted(len(t.got.rcpts))
	for i, r := range t.got.rcpts {
		if r.ForwardPath.Local == "late" && t.got.mail.PerRecipient {
			status[i].Err = smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, "Not wanted")
		}
	}
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.s.got = append(t.s.got, t.got)
	return status, nil
}

func (t *transaction) Abort() {}

// login chooses PLAIN.
func login([]string, *tls.ConnectionState) (sasl.Client, error) {
	return sasl.NewPlainClient("", user, password), nil
}

func dial(t *testing.T, d smtpclient.Dialer, addr string) *smtpclient.Client {
	t.Helper()
	d.Hello = "localhost"
	c, err := d.Dial(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func envelope(t *testing.T, from string, to ...string) *smtp.Envelope {
	t.Helper()
	p, err := smtp.ParseReversePath("<"+from+">", true)
	if err != nil {
		t.Fatal(err)
	}
	env := &smtp.Envelope{Mail: &smtp.Mail{ID: smtp.NewID(), ReversePath: p}}
	for _, a := range to {
		p, err := smtp.ParseForwardPath("<"+a+">", true)
		if err != nil {
			t.Fatal(err)
		}
		env.Recipients = append(env.Recipients, &smtp.Recipient{ForwardPath: p})
	}
	return env
}

func outcomes(r *smtpclient.Result) string {
	var words []string
	for _, rc := range r.Recipients {
		words = append(words, rc.Outcome.String()+"("+rc.Command+")")
	}
	return strings.Join(words, " ")
}

// send sends one message and wants the outcomes.
func send(t *testing.T, c *smtpclient.Client, env *smtp.Envelope, text, want string) *smtpclient.Result {
	t.Helper()
	res, err := c.Send(t.Context(), env, smtp.NewBody(strings.NewReader(text), int64(len(text))))
	if err != nil || outcomes(res) != want {
		t.Fatalf("%s, %v, want %s\n%+v", outcomes(res), err, want, res.Recipients)
	}
	return res
}

// message is a message with a body of lines that start with dots.
func message(subject string, lines int) string {
	return "From: <from@example.org>\r\nTo: <one@example.net>\r\nSubject: " + subject + "\r\nDate: Sat, 28 Nov 2026 10:00:00 +0000\r\nMessage-ID: <" +
		strings.ReplaceAll(subject, " ", ".") + "@example.org>\r\n\r\n" + strings.Repeat(".a line with a dot\r\n..\r\n", lines)
}
