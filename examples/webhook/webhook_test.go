package main

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// TestMain runs the program itself where a test asks for it.
func TestMain(m *testing.M) {
	if os.Getenv("WEBHOOK_TEST_RUN") != "" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// verify is the code of README.md.
func verify(key []byte, h http.Header, payload []byte) bool {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(h.Get("Webhook-Id") + "." + h.Get("Webhook-Timestamp") + "."))
	mac.Write(payload)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	return hmac.Equal([]byte(want), []byte(h.Get("Webhook-Signature")))
}

// process is the program, running.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	addr string
}

// start runs the program and waits for the line that names its port.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, append([]string{"-smtp", "127.0.0.1:0"}, args...)...)
	cmd.Env = append(os.Environ(), "WEBHOOK_TEST_RUN=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	p.addr = strings.Fields(line)[1]
	return p
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// stop ends the program as an operator does.
func (p *process) stop() {
	p.t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the program ended with %v", err)
	}
}

// send sends one message and returns the reply codes of its recipients.
func (p *process) send(text string, to ...string) []int {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	c, err := (&smtpclient.Dialer{Hello: "client.example"}).Dial(ctx, "tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	defer c.Close()
	env := &smtp.Envelope{Mail: &smtp.Mail{ReversePath: smtp.ReversePath{Path: smtp.Path{Local: "ann", Domain: "example.com"}}}}
	for _, a := range to {
		local, domain, _ := strings.Cut(a, "@")
		env.Recipients = append(env.Recipients, &smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: smtp.Path{Local: local, Domain: domain}}})
	}
	res, err := c.Send(ctx, env, smtp.NewBody(strings.NewReader(text), int64(len(text))))
	if err != nil {
		p.t.Fatal(err)
	}
	var codes []int
	for _, r := range res.Recipients {
		codes = append(codes, r.Reply.Code)
	}
	return codes
}

// request is what the receiver got.
type request struct {
	header  http.Header
	payload string
}

// receiver answers with the statuses in turn, the last one for ever.
func receiver(t *testing.T, statuses ...int) (url string, got chan request) {
	t.Helper()
	got = make(chan request, 100)
	var mu sync.Mutex
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		payload, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		status := statuses[0]
		if len(statuses) > 1 {
			statuses = statuses[1:]
		}
		mu.Unlock()
		if r.URL.Path != "/mail" {
			t.Errorf("%s was asked: a redirection was followed", r.URL.Path)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		got <- request{r.Header, string(payload)}
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/mail?token=secret", got
}

func next(t *testing.T, got chan request) request {
	t.Helper()
	select {
	case r := <-got:
		return r
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was posted")
		return request{}
	}
}

const message = "Subject: hello\r\n\r\nThe text.\r\n"

func TestDelivers(t *testing.T) {
	url, got := receiver(t, 204)
	p := start(t, "-url", url, "-secret", "s3cret", "-data", t.TempDir(), "-domain", "example.org, other.example")
	if codes := p.send(message, "app@example.org", "x@foreign.example", "b@OTHER.example"); codes[0] != 250 || codes[1] != 550 || codes[2] != 250 {
		t.Fatal(codes)
	}
	r := next(t, got)
	if !verify([]byte("s3cret"), r.header, []byte(r.payload)) {
		t.Error("the signature does not hold")
	}
	if verify([]byte("other"), r.header, []byte(r.payload)) || verify([]byte("s3cret"), r.header, []byte(r.payload+"x")) {
		t.Error("the signature holds for what it must not")
	}
	head, rest, _ := strings.Cut(r.payload, "Received: from client.example ([127.0.0.1])")
	if head != "Return-Path: <ann@example.com>\r\nEnvelope-To: <app@example.org>,\r\n\t <b@OTHER.example>\r\n" || !strings.HasSuffix(rest, message) {
		t.Errorf("payload %q", r.payload)
	}
	if id := r.header.Get("Idempotency-Key"); id == "" || id != r.header.Get("Webhook-Id") || r.header.Get("Content-Type") != "message/rfc822" {
		t.Errorf("headers %v", r.header)
	}
	p.stop()
}

// A receiver that fails gets the message again, under the same key; a restart
// between does no harm.
func TestRetries(t *testing.T) {
	url, got := receiver(t, 500, 302, 200)
	dir := t.TempDir()
	args := []string{"-url", url, "-secret", "whsec_" + base64.StdEncoding.EncodeToString([]byte("binary\x00key")), "-data", dir, "-retry", "200ms"}
	p := start(t, args...)
	p.send(message, "app@example.org")
	first := next(t, got)
	p.kill()
	start(t, args...)
	for range 2 {
		r := next(t, got)
		if r.header.Get("Webhook-Id") != first.header.Get("Webhook-Id") || r.payload != first.payload {
			t.Errorf("another message: %+v, first %+v", r, first)
		}
		if !verify([]byte("binary\x00key"), r.header, []byte(r.payload)) {
			t.Error("the signature does not hold")
		}
	}
}

// A message that is larger than any buffer goes through whole.
func TestLarge(t *testing.T) {
	url, got := receiver(t, 200)
	p := start(t, "-url", url, "-secret", "s", "-data", t.TempDir())
	text := "Subject: big\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 200_000)
	if codes := p.send(text, "app@example.org"); codes[0] != 250 {
		t.Fatal(codes)
	}
	if r := next(t, got); !strings.HasSuffix(r.payload, text) || !verify([]byte("s"), r.header, []byte(r.payload)) {
		t.Errorf("%d octets came", len(r.payload))
	}
}

func TestOutcome(t *testing.T) {
	for status, want := range map[int]int{
		200: 0, 202: 0, 204: 0, 301: 451, 308: 451, 400: 554, 401: 451, 403: 451, 404: 451, 408: 451, 410: 554, 413: 554, 422: 554, 425: 451,
		429: 451, 500: 451, 503: 451, 100: 451, 999: 451,
	} {
		if got := smtp.ReplyOf(outcome(status)).Code; got != want {
			t.Errorf("%d: %d, want %d", status, got, want)
		}
	}
}

func TestBadUse(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"-url", "http://127.0.0.1/"},
		{"-url", "ftp://127.0.0.1/", "-secret", "s"},
		{"-url", "http://127.0.0.1/", "-secret", "whsec_%"},
		{"-url", "http://127.0.0.1/", "-secret", "s", "-retry", "soon"},
		{"-url", "http://127.0.0.1/", "-secret", "@/does/not/exist"},
		{"-url", "http://127.0.0.1/", "-secret", "s", "extra"},
	} {
		if got := run(append(args, "-data", t.TempDir())); got != 2 {
			t.Errorf("%q: exit %d", args, got)
		}
	}
}

// The verification in README.md is the one that these tests use.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("webhook_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(readme), "```go\n")
	code, _, ok := strings.Cut(code, "```")
	if !ok || !strings.Contains(string(source), code) {
		t.Errorf("README.md has other code:\n%s", code)
	}
}
