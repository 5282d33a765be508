package gosmtp_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/mailstead/mailstead/compat/gosmtp"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

func certificate(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// go-smtp's own client sends through a go-smtp backend, on our server.
func TestTheirClient(t *testing.T) {
	b := newBackend(false)
	s := configure(b)
	s.TLSConfig = certificate(t)
	c, err := smtp.DialStartTLS(runOurs(t, s), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Auth(sasl.NewPlainClient("", "ann", "right")); err != nil {
		t.Fatal(err)
	}
	if err := c.SendMail("ann@example.com", []string{"one@x.example", "two@x.example"}, strings.NewReader("Subject: x\r\n\r\ntext\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := c.Quit(); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"new localhost", "logout", "new localhost", "auth PLAIN", // RFC 3207 §4.2: all is new after STARTTLS
		`mail "ann@example.com" size=0 body=8BITMIME utf8=false ret= envid= auth=-`, `rcpt "one@x.example" notify=[] orcpt=;`,
		`rcpt "two@x.example" notify=[] orcpt=;`, `data "Subject: x\r\n\r\ntext\r\n"`, "logout",
	}
	waitCalls(t, b, want)
}

func waitCalls(t *testing.T, b *backend, want []string) {
	t.Helper()
	var got []string
	limit := time.After(10 * time.Second)
	for {
		if got = append(got, b.taken()...); slices.Equal(got, want) {
			return
		}
		select {
		case <-b.news:
		case <-limit:
			t.Fatalf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// What a backend can ask a Conn.
func TestConn(t *testing.T) {
	type facts struct {
		hostname, domain string
		remote, local    net.Addr
		lmtp, tls        bool
	}
	seen := make(chan facts, 1)
	backend := smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		p := gosmtp.PeerOf(c)
		seen <- facts{c.Hostname(), c.Server().Domain, c.Conn().RemoteAddr(), c.Conn().LocalAddr(), c.Server().LMTP, p.TLS != nil}
		return &session{b: newBackend(false)}, nil
	})
	s := smtp.NewServer(backend)
	s.Domain = "mx.example"
	addr := runOurs(t, s)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, hello)
	got := <-seen
	if got.hostname != "client.example" || got.domain != "mx.example" || got.remote.String() != c.LocalAddr().String() || got.local.String() != addr || got.lmtp || got.tls {
		t.Errorf("%+v", got)
	}
	if gosmtp.PeerOf(new(smtp.Conn)) != nil {
		t.Error("PeerOf of a Conn that is not ours")
	}
}

// A panic in the backend ends nothing but its connection or command, and the
// session is logged out.
func TestPanics(t *testing.T) {
	b := newBackend(false)
	addr := runOurs(t, configure(b))
	if got := dialogue(t, addr, []step{{send: "EHLO panic.example\r\n"}, {send: hello}}); got[0] != "451" || got[1] != "250" {
		t.Errorf("NewSession: %q", got)
	}
	waitCalls(t, b, []string{"new panic.example", "new client.example", "logout"})
	steps := []step{{send: hello}, {send: "MAIL FROM:<a@b.example>\r\n"}, {send: "RCPT TO:<one@x.example>\r\n"}, {send: "DATA\r\n"}, {send: "panic\r\n.\r\n"}}
	if got := dialogue(t, addr, steps); got[4] != "451 4.3.0" {
		t.Errorf("Data: %q", got)
	}
	waitCalls(t, b, []string{
		"new client.example",
		`mail "a@b.example" size=0 body= utf8=false ret= envid= auth=-`, `rcpt "one@x.example" notify=[] orcpt=;`, `data "panic\r\n"`, "logout",
	})
}

// A body that is cut off is an error for the backend, and nothing is accepted.
func TestTruncated(t *testing.T) {
	b := newBackend(false)
	addr := runOurs(t, configure(b))
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, hello+"MAIL FROM:<a@b.example>\r\nRCPT TO:<one@x.example>\r\nDATA\r\n")
	in := bufio.NewReader(c)
	for line := ""; !strings.HasPrefix(line, "354"); {
		if line, err = in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	io.WriteString(c, "half a mess")
	c.Close()
	waitCalls(t, b, []string{
		"new client.example", `mail "a@b.example" size=0 body= utf8=false ret= envid= auth=-`,
		`rcpt "one@x.example" notify=[] orcpt=;`, "data unexpected EOF", "logout",
	})
}

// A backend that takes a message without reading it is not believed before its
// end was seen.
func TestUnread(t *testing.T) {
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return lazy{&session{b: newBackend(false)}}, nil }))
	s.MaxMessageBytes = 1000
	addr := runOurs(t, s)
	for body, want := range map[string]string{"text\r\n.\r\n": "250 2.0.0", strings.Repeat("x", 2000) + "\r\n.\r\n": "552 5.3.4"} {
		got := dialogue(t, addr, []step{{send: hello}, {send: "MAIL FROM:<a@b.example>\r\n"}, {send: "RCPT TO:<one@x.example>\r\n"}, {send: "DATA\r\n"}, {send: body}})
		if got[4] != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

type lazy struct{ *session }

func (lazy) Data(io.Reader) error { return nil }

// What RFC 2852 and RFC 6710 have at MAIL reaches the backend too, which looks
// for it at RCPT.
func TestParametersOfMail(t *testing.T) {
	b := newBackend(false)
	got := dialogue(t, runOurs(t, configure(b)), []step{
		{send: hello},
		{send: "MAIL FROM:<a@b.example> BY=9;R\r\n"}, // below the minimum
		{send: "MAIL FROM:<a@b.example> BY=120;RT MT-PRIORITY=5\r\n"},
		{send: "RCPT TO:<a@x.example>\r\n"},
		{send: "RCPT TO:<b@x.example> BY=60;N MT-PRIORITY=-1\r\n"},
	})
	if want := []string{"250", "555 5.5.4", "250 2.1.0", "250 2.1.5", "250 2.1.5"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	calls := strings.Join(b.taken(), "\n")
	for _, want := range []string{"by={2m0s R true} priority=5", "by={1m0s N false} priority=-1"} {
		if !strings.Contains(calls, want) {
			t.Errorf("no %q in\n%s", want, calls)
		}
	}
}

func TestOptions(t *testing.T) {
	if _, err := gosmtp.NewServer(smtp.NewServer(nil)); err == nil {
		t.Error("no backend, and no error")
	}
	var debug, errorLog bytes.Buffer
	s := configure(newBackend(false))
	s.Debug, s.ReadTimeout, s.ErrorLog = &debug, time.Second, printer{&errorLog}
	cfg, err := gosmtp.Config(s)
	if err != nil {
		t.Fatal(err)
	}
	if l := cfg.Limits; l.Recipients != 5 || l.Message != 1000 || l.Line != 2000 || l.Command != time.Second || cfg.Hostname != "mx.example" || !cfg.AllowPlaintextAuth {
		t.Errorf("%+v", cfg)
	}
	dialogue(t, serve(t, smtpserver.New(cfg)), []step{{send: hello}, {send: "AUTH PLAIN AGFubgBicm9rZW4=\r\n"}})
	if d := debug.String(); !strings.Contains(d, "EHLO client.example\r\n") || !strings.Contains(d, "454 4.7.0") || strings.Contains(d, "AGFub") {
		t.Errorf("Debug has %q", d)
	}
	if !strings.Contains(errorLog.String(), "secret: no database") {
		t.Errorf("ErrorLog has %q", errorLog.String())
	}
}

type printer struct{ w io.Writer }

func (p printer) Printf(string, ...any) {}
func (p printer) Println(v ...any) {
	for _, v := range v {
		io.WriteString(p.w, v.(string)+"\n")
	}
}

// Shutdown ends sessions, and each is logged out before it returns.
func TestShutdown(t *testing.T) {
	b := newBackend(false)
	srv, err := gosmtp.NewServer(configure(b))
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(context.Background(), l) }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, hello)
	<-b.news
	if err := srv.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, smtpserver.ErrServerClosed) {
		t.Error(err)
	}
	if got := b.taken(); !slices.Equal(got, []string{"new client.example", "logout"}) {
		t.Errorf("%q", got)
	}
}
