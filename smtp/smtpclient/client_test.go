package smtpclient_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-sasl"
	"go.uber.org/goleak"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func envelope(t testing.TB, from string, to ...string) *smtp.Envelope {
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

func body(s string) *smtp.Body { return smtp.NewBody(strings.NewReader(s), int64(len(s))) }

func dial(t *testing.T, d *smtpclient.Dialer, addr string) *smtpclient.Client {
	t.Helper()
	d.Hello = "client.example"
	c, err := d.Dial(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// outcomes are the results in short: "delivered failed(RCPT 550)".
func outcomes(r *smtpclient.Result) string {
	var words []string
	for _, rc := range r.Recipients {
		w := rc.Outcome.String()
		if rc.Command != "" {
			w += "(" + rc.Command + ")"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

func TestSend(t *testing.T) {
	bodies := map[string]string{
		"Subject: x\r\n\r\ntext\r\n": "Subject: x\r\n\r\ntext\r\n",
		"":                           "",
		".":                          ".\r\n",
		"..\r\n.\r\n":                "..\r\n.\r\n",
		"a\n.\nb\r.\rc":              "a\r\n.\r\nb\r\n.\r\nc\r\n",
		"a\r\n.\r\nQUIT\r\n":         "a\r\n.\r\nQUIT\r\n",
		"a\r\r\n.\r\n":               "a\r\n\r\n.\r\n",
		"\r":                         "\r\n",
	}
	for _, ext := range [][]string{nil, {"SIZE 1000"}, {}, {"CHUNKING"}, {"CHUNKING", "PIPELINING", "SIZE 1000"}} {
		srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: ext})
		c := dial(t, &smtpclient.Dialer{}, srv.Addr)
		for in, want := range bodies {
			res, err := c.Send(t.Context(), envelope(t, "a@example.org", "b@example.org", "c d@x"[:1]+"@x"), body(in))
			if err != nil || outcomes(res) != "delivered(.) delivered(.)" || res.QueueID != "smtptest" {
				t.Fatalf("%q: %s, %q, %v", in, outcomes(res), res.QueueID, err)
			}
			all := srv.Messages()
			if got := all[len(all)-1]; string(got.Data) != want || len(got.Recipients) != 2 {
				t.Errorf("%q arrived as %q", in, got.Data)
			}
		}
		if err := c.Quit(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestTraceAndParams(t *testing.T) {
	srv := smtptest.NewServer(t)
	c := dial(t, &smtpclient.Dialer{}, srv.Addr)
	env := envelope(t, "a@example.org", "b@example.org")
	env.Mail.Params = smtp.MailParams{Size: 1, Body: smtp.Body8BitMIME, Return: smtp.ReturnHeaders, EnvelopeID: "x y", Auth: "<>"}
	env.Recipients[0].Params = smtp.RcptParams{Notify: smtp.NotifyFailure, Original: smtp.OriginalRecipient{Type: "rfc822", Address: "o@x"}}
	b := smtp.NewStoredBody(strings.NewReader("text\r\n"), 6, nil, []byte("Received: x\r\n"))
	if res, err := c.Send(t.Context(), env, b); err != nil || outcomes(res) != "delivered(.)" {
		t.Fatal(outcomes(res), err)
	}
	m := srv.Messages()[0]
	if string(m.Data) != "Received: x\r\ntext\r\n" || m.Params.Size != 19 || m.Params.EnvelopeID != "x y" || m.Params.Auth != "" ||
		m.Recipients[0].Params.Original.Address != "o@x" {
		t.Errorf("%+v", m)
	}
}

// Every way in which a transaction can end: with DATA, and with the whole
// message in one flight, where a server that says nothing more may have it all.
func TestOutcomes(t *testing.T) {
	tests := []struct {
		name    string
		replies map[string]string
		want    string
		flight  string // "" = as want
		broken  bool
	}{
		{"all", nil, "delivered(.) delivered(.)", "", false},
		{"one refused", map[string]string{"RCPT TO:<one@x>": "550 5.1.1 no"}, "failed(RCPT) delivered(.)", "", false},
		{"one deferred", map[string]string{"RCPT TO:<two@x>": "452 4.2.2 full"}, "delivered(.) deferred(RCPT)", "", false},
		{"too many", map[string]string{"RCPT TO:<two@x>": "552 5.5.3 too many"}, "delivered(.) deferred(RCPT)", "", false},
		{"552 first", map[string]string{"RCPT TO:<one@x>": "552 5.2.2 full"}, "failed(RCPT) delivered(.)", "", false},
		{"all refused", map[string]string{"RCPT TO:<one@x>": "550 no", "RCPT TO:<two@x>": "450 no"}, "failed(RCPT) deferred(RCPT)", "", false},
		{"MAIL refused", map[string]string{"MAIL": "550 5.7.1 no"}, "failed(MAIL) failed(MAIL)", "", false},
		{"MAIL deferred", map[string]string{"MAIL": "451 no"}, "deferred(MAIL) deferred(MAIL)", "", false},
		{"DATA refused", map[string]string{"DATA": "554 no"}, "failed(DATA) failed(DATA)", "-", false},
		{"DATA gives 250", map[string]string{"DATA": "250 what"}, "deferred(DATA) deferred(DATA)", "-", false},
		{"body refused", map[string]string{".": "554 5.6.0 no"}, "failed(.) failed(.)", "", false},
		{"body deferred", map[string]string{".": "451 no"}, "deferred(.) deferred(.)", "", false},
		{"body gets 354", map[string]string{".": "354 what"}, "deferred(.) deferred(.)", "", false},
		{"closed at MAIL", map[string]string{"MAIL": "close"}, "deferred deferred", "unknown(.) unknown(.)", true},
		{"421 at MAIL", map[string]string{"MAIL": "421 no"}, "deferred(MAIL) deferred(MAIL)", "", true},
		{"closed at second RCPT", map[string]string{"RCPT TO:<one@x>": "550 no", "RCPT TO:<two@x>": "close"}, "failed(RCPT) deferred", "failed(RCPT) unknown(.)", true},
		{"closed at DATA", map[string]string{"DATA": "close"}, "deferred deferred", "-", true},
		{"lost behind the dot", map[string]string{".": "close"}, "unknown(.) unknown(.)", "", true},
		{"421 behind the dot", map[string]string{".": "421 4.3.2 bye"}, "deferred(.) deferred(.)", "", true},
		{"421 at RCPT", map[string]string{"RCPT TO:<two@x>": "421 4.3.2 bye"}, "deferred deferred(RCPT)", "", true},
		{"421 at first RCPT", map[string]string{"RCPT TO:<one@x>": "421 4.3.2 bye"}, "deferred(RCPT) deferred", "", true},
		{"garbage behind the dot", map[string]string{".": "hello"}, "unknown(.) unknown(.)", "", true},
		{"two replies behind the dot", map[string]string{".": "250 ok\r\n250 ok"}, "delivered(.) delivered(.)", "", false},
	}
	modes := map[string][]string{
		"pipelined": {"PIPELINING"}, "step by step": {"SIZE"},
		"chunks": {"CHUNKING"}, "one flight": {"CHUNKING", "PIPELINING"},
	}
	for _, tt := range tests {
		for name, ext := range modes {
			want := tt.want
			if name == "one flight" && tt.flight != "" {
				want = tt.flight
			}
			if tt.flight == "-" && strings.Contains(ext[0], "CHUNKING") {
				continue
			}
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: ext, Reply: func(cmd string) string {
					for prefix, reply := range tt.replies {
						if strings.HasPrefix(cmd, prefix) {
							return reply
						}
					}
					return ""
				}})
				c := dial(t, &smtpclient.Dialer{}, srv.Addr)
				res, err := c.Send(t.Context(), envelope(t, "a@x", "one@x", "two@x"), body("x\r\n"))
				if outcomes(res) != want || (err != nil) != tt.broken || tt.broken && c.Usable() {
					t.Fatalf("%s, %v, usable %v; want %s", outcomes(res), err, c.Usable(), want)
				}
				if c.Usable() == (tt.broken || strings.Contains(tt.replies["."], "\n")) {
					t.Fatalf("usable: %v", c.Usable())
				}
				if !c.Usable() {
					return
				}
				res, err = c.Send(t.Context(), envelope(t, "a@x", "three@x"), body("x\r\n"))
				if err != nil || len(res.Recipients) != 1 || len(tt.replies) == 0 && outcomes(res) != "delivered(.)" {
					t.Errorf("next message: %s, %v", outcomes(res), err)
				}
			})
		}
	}
}

func TestLMTP(t *testing.T) {
	srv := smtptest.NewServerWith(t, smtptest.Options{LMTP: true, Reply: func(cmd string) string {
		switch cmd {
		case ". <two@x>":
			return "452 4.2.2 full"
		case ". <four@x>":
			return "close"
		}
		return ""
	}})
	c := dial(t, &smtpclient.Dialer{LMTP: true}, srv.Addr)
	res, err := c.Send(t.Context(), envelope(t, "a@x", "one@x", "two@x", "three@x"), body("x\r\n"))
	if err != nil || outcomes(res) != "delivered(.) deferred(.) delivered(.)" {
		t.Fatal(outcomes(res), err)
	}
	res, err = c.Send(t.Context(), envelope(t, "a@x", "one@x", "four@x", "five@x"), body("x\r\n"))
	if err == nil || outcomes(res) != "delivered(.) unknown(.) unknown(.)" {
		t.Fatal(outcomes(res), err)
	}
}

// A body that breaks off never becomes a message. Before the first block is
// full nothing was sent; behind a chunk the transaction is given up.
func TestBrokenSource(t *testing.T) {
	for _, tt := range []struct {
		ext    []string
		size   int
		usable bool
	}{
		{[]string{"8BITMIME", "PIPELINING"}, 4, true},
		{[]string{"8BITMIME", "PIPELINING"}, 100_000, false},
		{[]string{"8BITMIME", "PIPELINING", "CHUNKING"}, 4, true},
		{[]string{"8BITMIME", "PIPELINING", "CHUNKING"}, 1_000_000, true},
		{[]string{"8BITMIME", "CHUNKING"}, 100_000, true},
	} {
		srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: tt.ext})
		c := dial(t, &smtpclient.Dialer{}, srv.Addr)
		b := smtp.NewBody(io.MultiReader(strings.NewReader(strings.Repeat("x", tt.size)), brokenReader{}), -1)
		res, err := c.Send(t.Context(), envelope(t, "a@x", "b@x"), b)
		if !errors.Is(err, smtp.ErrTruncated) || outcomes(res) != "deferred" || c.Usable() != tt.usable {
			t.Fatal(tt, outcomes(res), err, c.Usable())
		}
		if len(srv.Messages()) != 0 {
			t.Error("half a message was delivered")
		}
		if tt.usable {
			if res, err := c.Send(t.Context(), envelope(t, "a@x", "b@x"), body("x")); err != nil || outcomes(res) != "delivered(.)" {
				t.Error(tt, outcomes(res), err)
			}
		}
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, smtp.ErrTruncated }

func TestUnsupported(t *testing.T) {
	srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: []string{"SIZE 10"}})
	c := dial(t, &smtpclient.Dialer{}, srv.Addr)
	for name, env := range map[string]*smtp.Envelope{"utf8": envelope(t, "a@x", "é@x"), "big": envelope(t, "a@x", "b@x")} {
		text := "x"
		if name == "big" {
			text = strings.Repeat("x", 11)
		}
		res, err := c.Send(t.Context(), env, body(text))
		if err != nil || outcomes(res) != "failed" || res.Recipients[0].Err == nil || !c.Usable() {
			t.Errorf("%s: %s, %v, %v", name, outcomes(res), res.Recipients[0].Err, err)
		}
	}
	env := envelope(t, "a@x", "b@x")
	env.Mail.Params.RequireTLS = true
	if res, _ := c.Send(t.Context(), env, body("x")); !errors.Is(res.Recipients[0].Err, smtpclient.ErrUnsupported) {
		t.Error(res.Recipients[0].Err)
	}
}

func TestPeers(t *testing.T) {
	tests := []struct {
		name, script string
		d            smtpclient.Dialer
		want         error
	}{
		{"refused", "S: 554 go away", smtpclient.Dialer{}, &smtp.Error{}},
		{"no STARTTLS", "S: 220\nC: EHLO client.example\nS: 250 x", smtpclient.Dialer{TLS: smtpclient.TLSRequired}, smtpclient.ErrTLSRequired},
		{"injected", "S: 220\nC: EHLO\nR: \"250-x\\r\\n250 STARTTLS\\r\\n\"\nC: STARTTLS\nR: \"220 go\\r\\n250 injected\\r\\n\"", smtpclient.Dialer{}, smtpclient.ErrInjected},
		{"garbage", "S: hello", smtpclient.Dialer{}, smtpclient.ErrBadReply},
		{"endless line", "R: \"" + strings.Repeat("2", 3000) + "\"", smtpclient.Dialer{}, smtpclient.ErrReplyTooLong},
		{"endless reply", "R: \"" + strings.Repeat(`220-x\r\n`, 300) + "\"", smtpclient.Dialer{}, smtpclient.ErrReplyTooLong},
		{"other code", "R: \"220-x\\r\\n221 x\\r\\n\"", smtpclient.Dialer{}, smtpclient.ErrBadReply},
		{"HELO", "S: 220\nC: EHLO\nS: 502 no\nC: HELO client.example\nS: 250 x", smtpclient.Dialer{}, nil},
		{"closed", "X:", smtpclient.Dialer{}, io.ErrUnexpectedEOF},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			addr := smtptest.NewPeer(t, tt.script)
			tt.d.Hello = "client.example"
			c, err := tt.d.Dial(t.Context(), "tcp", addr)
			if c != nil {
				defer c.Close()
			}
			if _, refused := tt.want.(*smtp.Error); refused {
				if e, ok := errors.AsType[*smtp.Error](err); !ok || e.Reply.Code != 554 {
					t.Error(err)
				}
			} else if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestAuth(t *testing.T) {
	const head = "S: 220\nC: EHLO\nR: \"250-x\\r\\n250 AUTH PLAIN LOGIN\\r\\n\"\n"
	for script, want := range map[string]int{
		head + "C: AUTH PLAIN AHUAcA==\nS: 235 ok":                           0,
		head + "C: AUTH PLAIN AHUAcA==\nS: 535 no":                           535,
		head + "C: AUTH PLAIN AHUAcA==\nS: 334 eA==\nC: *\nS: 501 cancelled": -1,
	} {
		c := dial(t, &smtpclient.Dialer{}, smtptest.NewPeer(t, script))
		err := c.Auth(t.Context(), sasl.NewPlainClient("", "u", "p"))
		e, _ := errors.AsType[*smtp.Error](err)
		if want == 0 && err != nil || want > 0 && (e == nil || e.Reply.Code != want) || want < 0 && !errors.Is(err, sasl.ErrUnexpectedServerChallenge) {
			t.Errorf("%q: %v", script, err)
		}
		c.Close()
	}
	c := dial(t, &smtpclient.Dialer{}, smtptest.NewServer(t).Addr)
	if err := c.Auth(t.Context(), sasl.NewPlainClient("", "u", "p")); !errors.Is(err, smtpclient.ErrNoAuth) {
		t.Error(err)
	}
}

// doubtful is a client that does not believe the server.
type doubtful struct{ sasl.Client }

var errDoubt = errors.New("the server did not prove itself")

func (doubtful) Outcome() error { return errDoubt }

func TestAuthOutcome(t *testing.T) {
	script := "S: 220\nC: EHLO\nR: \"250-x\\r\\n250 AUTH PLAIN\\r\\n\"\nC: AUTH PLAIN AHUAcA==\nS: 235 ok"
	c := dial(t, &smtpclient.Dialer{}, smtptest.NewPeer(t, script))
	defer c.Close()
	if err := c.Auth(t.Context(), doubtful{sasl.NewPlainClient("", "u", "p")}); !errors.Is(err, errDoubt) {
		t.Errorf("a server that did not prove itself is believed: %v", err)
	}
}

// pipeDialer gives one end of a pipe to the client.
type pipeDialer struct{ net.Conn }

func (d pipeDialer) DialContext(context.Context, string, string) (net.Conn, error) {
	return d.Conn, nil
}

// A reply is bounded in time as a whole, not line by line.
func TestSlowReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer b.Close()
		go func() {
			for range 3 {
				io.WriteString(b, "220-x\r\n")
				time.Sleep(90 * time.Second)
			}
		}()
		begin := time.Now()
		_, err := (&smtpclient.Dialer{Hello: "x"}).NewClient(t.Context(), a, "x")
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != 5*time.Minute {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		begin := time.Now()
		_, err := (&smtpclient.Dialer{Net: pipeDialer{a}}).Dial(t.Context(), "tcp", "x:25")
		if err == nil || time.Since(begin) != 5*time.Minute {
			t.Errorf("greeting: %v after %v", err, time.Since(begin))
		}
		b.Close()
		a, b = net.Pipe()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin = time.Now()
		_, err = (&smtpclient.Dialer{Net: pipeDialer{a}}).Dial(ctx, "tcp", "x:25")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("context: %v after %v", err, time.Since(begin))
		}
		b.Close()
	})
}
