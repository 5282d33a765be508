package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx/dnsxtest"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtptest"
	"github.com/mailstead/mailstead/store/control"
)

// TestMain runs the program itself where a test asks for it.
func TestMain(m *testing.M) {
	if os.Getenv("RELAY_TEST_RUN") != "" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// process is a relay that runs.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	addrs map[string]string // by listener
}

// start runs the program on free ports of loopback.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"-submission", "127.0.0.1:0", "-submissions", "127.0.0.1:0", "-http", "127.0.0.1:0"}, args...)
	p := &process{t: t, cmd: exec.Command(exe, args...), addrs: make(map[string]string)}
	p.cmd.Env = append(os.Environ(), "RELAY_TEST_RUN=1")
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	for r := bufio.NewReader(out); len(p.addrs) < 3; {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		f := strings.Fields(line)
		p.addrs[f[1]] = f[2]
	}
	return p
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// stop ends it as an operator does.
func (p *process) stop() {
	p.t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the program ended with %v", err)
	}
}

// client is somebody who sends; user "" = without AUTH.
type client struct {
	user, password string
	from           string
}

// send sends one message and returns the reply codes of its recipients, or
// that to MAIL for all.
func (c client) send(t *testing.T, addr string, implicit bool, to ...string) []int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	d := &smtpclient.Dialer{Hello: "app.example", TLSConfig: &tls.Config{InsecureSkipVerify: true}}
	if implicit {
		d.TLS = smtpclient.TLSImplicit
	}
	conn, err := d.Dial(ctx, "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if c.user != "" {
		own := login.Client{Credentials: saslmech.Credentials{Username: c.user, Password: c.password}}
		if err := own.Login(ctx, conn.Capabilities().Mechanisms, conn.TLS(), conn.Auth); err != nil {
			return []int{smtp.ReplyOf(err).Code}
		}
	}
	from := c.from
	if from == "" {
		from = "app@sender.example"
	}
	env := &smtp.Envelope{Mail: &smtp.Mail{ReversePath: smtp.ReversePath{Path: path(from)}}}
	for _, a := range to {
		env.Recipients = append(env.Recipients, &smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: path(a)}})
	}
	text := "From: " + from + "\r\nSubject: hello\r\n\r\nThe text.\r\n"
	res, err := conn.Send(ctx, env, smtp.NewBody(strings.NewReader(text), int64(len(text))))
	if err != nil {
		t.Fatal(err)
	}
	var codes []int
	for _, r := range res.Recipients {
		codes = append(codes, r.Reply.Code)
	}
	return codes
}

func path(s string) smtp.Path {
	local, domain, _ := strings.Cut(s, "@")
	return smtp.Path{Local: local, Domain: domain}
}

// wait returns the messages of a smart host as soon as there are n.
func wait(t *testing.T, h *smtptest.Server, n int) []smtptest.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got, err := h.Wait(ctx, n)
	if err != nil {
		t.Fatalf("%d messages, want %d", len(got), n)
	}
	return got
}

func TestSmartHost(t *testing.T) {
	host := smtptest.NewServerWith(t, smtptest.Options{
		Auth: func(user, password string) bool { return user == "relay" && password == "out:side" },
		Reply: func(command string) string {
			if strings.HasPrefix(command, "RCPT TO:<nobody@") {
				return "550 5.1.1 Nobody"
			}
			return ""
		},
	})
	key := dkimKey(t)
	p := start(t, "-data", t.TempDir(), "-hostname", "relay.example", "-relay", host.Addr, "-relay-user", "relay:out:side",
		"-user", "app:secret", "-dkim", "sender.example:s1:"+key)
	app := client{user: "app", password: "secret"}
	if codes := app.send(t, p.addrs["submission"], false, "bob@dest.example", "nobody@dest.example"); codes[0] != 250 || codes[1] != 250 {
		t.Errorf("codes %v", codes)
	}
	if codes := app.send(t, p.addrs["submissions"], true, "carol@dest.example"); codes[0] != 250 {
		t.Errorf("with TLS from the first octet: %v", codes)
	}
	if codes := (client{}).send(t, p.addrs["submission"], false, "bob@dest.example"); codes[0] != 530 {
		t.Errorf("without AUTH: %v", codes)
	}
	if codes := (client{user: "app", password: "wrong"}).send(t, p.addrs["submission"], false, "bob@dest.example"); codes[0] != 535 {
		t.Errorf("a wrong password: %v", codes)
	}
	var reports, mails int
	for _, m := range wait(t, host, 3) {
		text := string(m.Data)
		switch {
		case m.User != "relay":
			t.Errorf("from %q", m.User)
		case m.ReversePath.IsNull():
			reports++
			if !strings.Contains(text, "Action: failed\r\nStatus: 5.1.1") || m.Recipients[0].ForwardPath.String() != "app@sender.example" {
				t.Errorf("a report to %v: %s", m.Recipients, text)
			}
		default:
			mails++
			if !strings.HasPrefix(text, "DKIM-Signature: ") || !strings.Contains(text, "\r\nReceived: from app.example") || !strings.Contains(text, "\r\nMessage-ID: <") {
				t.Errorf("the message: %s", text)
			}
		}
	}
	if reports != 1 || mails != 2 {
		t.Errorf("%d reports and %d messages", reports, mails)
	}
	healthy(t, p)
	p.stop()
}

func healthy(t *testing.T, p *process) {
	t.Helper()
	res, err := http.Get("http://" + p.addrs["http"] + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("/healthz: %s", res.Status)
	}
}

func dkimKey(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// What was accepted before a kill is delivered by the next process: once, for
// the smart host had said nothing yet.
func TestKilled(t *testing.T) {
	away := make(chan struct{})
	host := smtptest.NewServerWith(t, smtptest.Options{Reply: func(command string) string {
		select {
		case <-away:
			return ""
		default:
			return map[string]string{"greeting": "hang"}[command]
		}
	}})
	data := t.TempDir()
	p := start(t, "-data", data, "-relay", host.Addr)
	for range 5 {
		if codes := (client{}).send(t, p.addrs["submission"], false, "bob@dest.example"); codes[0] != 250 {
			t.Fatalf("codes %v", codes)
		}
	}
	p.kill()
	close(away)
	p = start(t, "-data", data, "-relay", host.Addr)
	wait(t, host, 5)
	p.stop()
	if got := len(host.Messages()); got != 5 {
		t.Errorf("%d messages, want 5", got)
	}
}

// Without a smart host the MX records decide; a domain that takes no mail
// (RFC 7505) is reported at once.
func TestMX(t *testing.T) {
	dns := dnsxtest.New(t, `
		nomail.example  MX  0 .
		sender.example  MX  0 .
	`)
	p := start(t, "-data", t.TempDir(), "-resolver", dns.Addr())
	if codes := (client{}).send(t, p.addrs["submission"], false, "bob@nomail.example"); codes[0] != 250 {
		t.Errorf("codes %v", codes)
	}
	for end := time.Now().Add(30 * time.Second); dns.Asked() < 2; time.Sleep(10 * time.Millisecond) { // for the recipient, then for the report
		if time.Now().After(end) {
			t.Fatalf("%d questions", dns.Asked())
		}
	}
	p.stop()
}

func TestOwnAddress(t *testing.T) {
	host := smtptest.NewServer(t)
	p := start(t, "-data", t.TempDir(), "-relay", host.Addr, "-user", "ann@sender.example:secret", "-own-address")
	ann := client{user: "ann@sender.example", password: "secret", from: "bob@sender.example"}
	if codes := ann.send(t, p.addrs["submission"], false, "x@dest.example"); codes[0] != 553 {
		t.Errorf("as somebody else: %v", codes)
	}
	ann.from = "Ann@sender.example"
	if codes := ann.send(t, p.addrs["submission"], false, "x@dest.example"); codes[0] != 250 {
		t.Errorf("as herself: %v", codes)
	}
	wait(t, host, 1)
	p.stop()
}

func TestBadUse(t *testing.T) {
	for _, args := range [][]string{
		{"extra"},
		{"-submission", "nowhere"},
		{"-submission", "off"},
		{"-submission", "127.0.0.1:99999"},
		{"-submission", "0.0.0.0:0"}, // open to everybody, with nobody who may
		{"-trust", "10.0.0.0"},
		{"-user", "app"},
		{"-relay", "smtp.example"},
		{"-relay-user", "a:b"},
		{"-relay", "h:25", "-relay-user", "a"},
		{"-tls-cert", "cert.pem"},
		{"-tls-cert", "none.pem", "-tls-key", "none.pem"},
		{"-dkim", "a:b"},
		{"-expire", "0s"},
		{"-resolver", "x"},
		{"-data", "/dev/null/x"},
	} {
		if got := run(append([]string{"-data", t.TempDir(), "-http", "off"}, args...)); got != 2 {
			t.Errorf("%q: exit %d", args, got)
		}
	}
}

func TestSources(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "user")
	if err := os.WriteFile(secret, []byte("app:pass:word\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"MAILSTEAD_RELAY": "h:25", "MAILSTEAD_HOSTNAME": "env"}
	o, err := parse([]string{"-user", "@" + secret, "--hostname", "flag"}, func(k string) string { return env[k] })
	if err != nil || o.relay != "h:25" || o.hostname != "flag" || o.users[0] != "app:pass:word" {
		t.Errorf("%+v, %v", o, err)
	}
}

// TestControl: mailctl sees, holds and releases what waits.
func TestControl(t *testing.T) {
	var ready atomic.Bool
	host := smtptest.NewServerWith(t, smtptest.Options{Reply: func(command string) string {
		if strings.HasPrefix(command, "MAIL") && !ready.Load() {
			return "451 4.3.0 Later"
		}
		return ""
	}})
	data := t.TempDir()
	p := start(t, "-data", data, "-relay", host.Addr)
	if codes := (client{}).send(t, p.addrs["submission"], false, "bob@dest.example"); codes[0] != 250 {
		t.Fatalf("codes %v", codes)
	}
	c := control.NewClient(data)
	defer c.Close()
	change := func(path string) (n answer.Changed) {
		t.Helper()
		if err := c.Do(t.Context(), "POST", "/v1/queue/"+path, answer.Selection{All: true}, &n); err != nil {
			t.Error(path, err)
		}
		return n
	}
	if n := change("hold"); n.Jobs != 1 {
		t.Errorf("%d jobs held", n.Jobs)
	}
	ready.Store(true)
	var status struct {
		PID   int
		Queue answer.QueueStats
	}
	if err := c.Do(t.Context(), "GET", "/v1/status", nil, &status); err != nil || status.PID != p.cmd.Process.Pid || status.Queue.Held != 1 {
		t.Errorf("%+v, %v", status, err)
	}
	var refused *control.Error
	if err := c.Do(t.Context(), "POST", "/v1/queue/reroute", answer.Selection{All: true, To: "example.net"}, nil); !errors.As(err, &refused) || refused.Code != control.CodeBadRequest {
		t.Errorf("rerouted beside a smart host: %v", err)
	}
	change("release")
	change("retry")
	wait(t, host, 1)
	p.stop()
}
