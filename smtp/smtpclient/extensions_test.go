package smtpclient_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtpserver"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

func TestCapabilities(t *testing.T) {
	srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: []string{
		"pipelining", "8BITMIME", "size 1000", "AUTH plain LOGIN", "AUTH=PLAIN LOGIN", "LIMITS MAILMAX=5 RCPTMAX=0 RCPTDOMAINMAX=7 X=1 RCPTMAX=1000000",
		"DSN", "SMTPUTF8", "CHUNKING", "BINARYMIME", "ENHANCEDSTATUSCODES", "REQUIRETLS", "PRDR", "XFOO a b",
	}})
	got := dial(t, &smtpclient.Dialer{}, srv.Addr).Capabilities()
	p, ok := got.Param("xfoo")
	if !got.Pipelining || !got.EightBitMIME || !got.SizeOffered || got.MaxSize != 1000 || !got.DSN || !got.SMTPUTF8 || !got.Chunking ||
		!got.BinaryMIME || !got.EnhancedCodes || !got.RequireTLS || !got.PRDR || got.StartTLS || p != "a b" || !ok ||
		fmt.Sprint(got.Mechanisms) != "[PLAIN LOGIN]" || got.Limits != (smtpclient.Limits{Mails: 5, RcptDomains: 7}) {
		t.Errorf("%+v", got)
	}
}

// LIMITS: recipients are split, MAILMAX ends the use of a connection.
func TestLimits(t *testing.T) {
	to := []string{"a@one", "b@one", "c@two", "d@two", "e@three", "f@one", "g@ONE"}
	for limits, want := range map[string]string{
		"LIMITS":                           "[7]",
		"LIMITS RCPTMAX=3":                 "[3 3 1]",
		"LIMITS RCPTDOMAINMAX=1":           "[4]",
		"LIMITS RCPTDOMAINMAX=2 RCPTMAX=3": "[3 3]",
		"LIMITS RCPTDOMAINMAX=3":           "[7]",
		"LIMITS RCPTMAX=2 MAILMAX=3":       "[2 2 2]",
	} {
		for _, text := range []string{"short\r\n", strings.Repeat("long\r\n", 100_000)} {
			srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: []string{"PIPELINING", limits}})
			c := dial(t, &smtpclient.Dialer{}, srv.Addr)
			res, err := c.Send(t.Context(), envelope(t, "a@x", to...), body(text))
			var counts []int
			for _, m := range srv.Messages() {
				counts = append(counts, len(m.Recipients))
				if string(m.Data) != text {
					t.Errorf("%s: got %d octets", limits, len(m.Data))
				}
			}
			if fmt.Sprint(counts) != want {
				t.Errorf("%s: %v, want %s", limits, counts, want)
			}
			exhausted := strings.Contains(limits, " MAILMAX")
			left := map[string]string{
				"LIMITS RCPTDOMAINMAX=1": "2 3 4", "LIMITS RCPTDOMAINMAX=2 RCPTMAX=3": "4", "LIMITS RCPTMAX=2 MAILMAX=3": "6",
			}[limits]
			for i, r := range res.Recipients {
				if kept := strings.Contains(left, fmt.Sprint(i)); (r.Outcome == smtpclient.Delivered) == kept || kept != (r.Err != nil) {
					t.Errorf("%s: recipient %d: %+v", limits, i, r)
				}
			}
			full := exhausted || strings.Contains(limits, "RCPTDOMAINMAX")
			if errors.Is(err, smtpclient.ErrMailLimit) != exhausted || c.Usable() == full {
				t.Errorf("%s: %v, usable %v", limits, err, c.Usable())
			}
		}
	}
}

func TestPRDR(t *testing.T) {
	tests := []struct{ one, two, all, want string }{
		{"250 ok", "250 ok", "250 ok", "delivered(.) delivered(.)"},
		{"250 ok", "550 no", "250 ok", "delivered(.) failed(.)"},
		{"450 no", "250 ok", "250 ok", "deferred(.) delivered(.)"},
		{"250 ok", "550 no", "451 no", "deferred(.) failed(.)"},
		{"550 no", "450 no", "550 no", "failed(.) deferred(.)"},
		{"550 no", "250 ok", "close", "failed(.) unknown(.)"},
		{"550 no", "close", "250 ok", "failed(.) unknown(.)"},
	}
	for _, tt := range tests {
		for _, ext := range [][]string{{"PIPELINING", "PRDR"}, {"PIPELINING", "PRDR", "CHUNKING"}} {
			srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: ext, Reply: func(cmd string) string {
				return map[string]string{". <one@x>": tt.one, ". <two@x>": tt.two, ".": tt.all}[cmd]
			}})
			c := dial(t, &smtpclient.Dialer{}, srv.Addr)
			res, err := c.Send(t.Context(), envelope(t, "a@x", "one@x", "two@x"), body("x\r\n"))
			if lost := strings.Contains(tt.want, "unknown"); outcomes(res) != tt.want || (err != nil) != lost || c.Usable() == lost {
				t.Errorf("%+v: %s, %v", tt, outcomes(res), err)
			}
		}
	}
	// With one recipient nothing is gained.
	srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: []string{"PRDR"}})
	c := dial(t, &smtpclient.Dialer{}, srv.Addr)
	if res, err := c.Send(t.Context(), envelope(t, "a@x", "one@x"), body("x\r\n")); err != nil || outcomes(res) != "delivered(.)" {
		t.Error(outcomes(res), err)
	}
}

// What a server without SMTPUTF8 gets.
func TestAddressesWithoutUTF8(t *testing.T) {
	srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: []string{"PIPELINING", "8BITMIME", "DSN"}})
	c := dial(t, &smtpclient.Dialer{Hello: "ignored"}, srv.Addr)
	env := envelope(t, "a@bücher.example", "b@bücher.example", "é@x.example", "c@x.example")
	env.Mail.Params.UTF8 = true
	env.Recipients[0].Params.Original = smtp.OriginalRecipient{Type: "utf-8", Address: "ö@bücher.example"}
	res, err := c.Send(t.Context(), env, body("Subject: x\r\n\r\nté\r\n"))
	if err != nil || outcomes(res) != "delivered(.) failed delivered(.)" {
		t.Fatal(outcomes(res), err)
	}
	if e, ok := errors.AsType[*smtp.Error](res.Recipients[1].Err); !ok || e.Reply.Enhanced.String() != "5.6.7" || !errors.Is(e, smtpclient.ErrUnsupported) {
		t.Error(res.Recipients[1].Err)
	}
	m := srv.Messages()[0]
	if m.Params.UTF8 || m.ReversePath.String() != "a@xn--bcher-kva.example" || m.Recipients[0].ForwardPath.String() != "b@xn--bcher-kva.example" ||
		m.Recipients[0].Params.Original.Address != "ö@bücher.example" {
		t.Errorf("%+v", m)
	}
	for name, env := range map[string]*smtp.Envelope{"5.6.7": envelope(t, "é@x", "b@x"), "5.6.9": envelope(t, "a@x", "b@x")} {
		env.Mail.Params.UTF8 = true
		res, err := c.Send(t.Context(), env, body("Subject: é\r\n\r\nx\r\n"))
		if e, ok := errors.AsType[*smtp.Error](res.Recipients[0].Err); err != nil || outcomes(res) != "failed" || !ok || e.Reply.Enhanced.String() != name || !c.Usable() {
			t.Errorf("%s: %s, %v, %v", name, outcomes(res), res.Recipients[0].Err, err)
		}
	}
}

// What a server without 8BITMIME, or without BINARYMIME, gets.
func TestBodiesWithout8Bit(t *testing.T) {
	const head = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
	const signed = "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\né\r\n--b--\r\n"
	tests := []struct {
		ext      string
		typ      smtp.BodyType
		in, want string
	}{
		{"SIZE", smtp.Body8BitMIME, head + "8bit\r\n\r\né=\r\n", head + "quoted-printable\r\n\r\n=C3=A9=3D\r\n"},
		{"SIZE", smtp.BodyDefault, head + "8bit\r\n\r\ne=\r\n", head + "8bit\r\n\r\ne=\r\n"},
		{"SIZE", smtp.BodyBinaryMIME, head + "binary\r\n\r\nx\x00", head + "base64\r\n\r\neAA=\r\n"},
		{"8BITMIME", smtp.BodyBinaryMIME, head + "binary\r\n\r\nx\x00", head + "base64\r\n\r\neAA=\r\n"},
		{"8BITMIME", smtp.BodyBinaryMIME, head + "8bit\r\n\r\né", head + "8bit\r\n\r\né\r\n"},
		{"SIZE", smtp.Body8BitMIME, signed, ""},
		{"8BITMIME", smtp.Body8BitMIME, signed, signed},
	}
	for _, tt := range tests {
		srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: []string{"PIPELINING", tt.ext}})
		c := dial(t, &smtpclient.Dialer{}, srv.Addr)
		env := envelope(t, "a@x", "b@x")
		env.Mail.Params.Body = tt.typ
		res, err := c.Send(t.Context(), env, body(tt.in))
		if err != nil || !c.Usable() {
			t.Fatal(outcomes(res), err)
		}
		if tt.want == "" {
			if e, ok := errors.AsType[*smtp.Error](res.Recipients[0].Err); !ok || e.Reply.Enhanced.String() != "5.6.2" || outcomes(res) != "failed" {
				t.Errorf("%+v", res.Recipients[0])
			}
			continue
		}
		if outcomes(res) != "delivered(.)" {
			t.Fatal(outcomes(res))
		}
		if m := srv.Messages()[0]; string(m.Data) != tt.want {
			t.Errorf("%q became %q, want %q", tt.in, m.Data, tt.want)
		}
	}
}

// Parameters arrive as they came, and unknown ones only where they are known.
func TestParams(t *testing.T) {
	srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: []string{"DSN", "SMTPUTF8", "XFOO"}, Auth: func(string, string) bool { return true }})
	c := dial(t, &smtpclient.Dialer{}, srv.Addr)
	if err := c.Auth(t.Context(), sasl.NewPlainClient("", "u", "p")); err != nil {
		t.Fatal(err)
	}
	env := envelope(t, `"a b>\""@x`, `"@"@y`)
	env.Mail.Params = smtp.MailParams{EnvelopeID: "a+b=c d", Auth: "u+é@x", Unknown: []smtp.Param{{Keyword: "XBAR"}, {Keyword: "xfoo", Value: "1", HasEq: true}}}
	env.Recipients[0].Params = smtp.RcptParams{Notify: smtp.NotifyNever, Original: smtp.OriginalRecipient{Type: "rfc822", Address: "a+b=c d"}}
	if res, err := c.Send(t.Context(), env, body("x\r\n")); err != nil || outcomes(res) != "delivered(.)" {
		t.Fatal(outcomes(res), err)
	}
	m := srv.Messages()[0]
	if m.ReversePath.Local != `a b>"` || m.Recipients[0].ForwardPath.Local != "@" || m.Params.EnvelopeID != "a+b=c d" || m.Params.Auth != "u+é@x" ||
		len(m.Params.Unknown) != 1 || m.Params.Unknown[0].Value != "1" || m.Recipients[0].Params.Original.Address != "a+b=c d" || m.User != "u" {
		t.Errorf("%+v", m)
	}
}

func TestRequireTLS(t *testing.T) {
	srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: []string{"REQUIRETLS"}, StartTLS: true})
	env := envelope(t, "a@x", "b@x")
	env.Mail.Params.RequireTLS = true
	for mode, want := range map[smtpclient.TLSMode]string{smtpclient.TLSNever: "failed", smtpclient.TLSRequired: "delivered(.)"} {
		c := dial(t, &smtpclient.Dialer{TLS: mode, TLSConfig: srv.ClientTLS()}, srv.Addr)
		if res, err := c.Send(t.Context(), env, body("x\r\n")); err != nil || outcomes(res) != want {
			t.Error(mode, outcomes(res), err)
		}
	}
	if m := srv.Messages(); len(m) != 1 || !m[0].TLS || !m[0].Params.RequireTLS {
		t.Errorf("%+v", m)
	}
	// A bounce is not lost where the next hop does not know it (§5).
	plain := smtptest.NewServer(t)
	bounce := envelope(t, "", "b@x")
	bounce.Mail.Params.RequireTLS = true
	c := dial(t, &smtpclient.Dialer{}, plain.Addr)
	if res, err := c.Send(t.Context(), bounce, body("x\r\n")); err != nil || outcomes(res) != "delivered(.)" || plain.Messages()[0].Params.RequireTLS {
		t.Error(outcomes(res), err)
	}
}

// The chooser sees what was announced, and the TLS state with its channel
// binding.
func TestAuthenticator(t *testing.T) {
	srv := smtptest.NewServerWith(t, smtptest.Options{StartTLS: true, Auth: func(u, p string) bool { return u == "u" && p == "p" }})
	d := &smtpclient.Dialer{TLSConfig: srv.ClientTLS(), Auth: func(mechanisms []string, state *tls.ConnectionState) (sasl.Client, error) {
		if fmt.Sprint(mechanisms) != "[PLAIN LOGIN]" || state == nil {
			t.Errorf("%v, %v", mechanisms, state)
		}
		if b, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32); err != nil || len(b) != 32 {
			t.Error(err)
		}
		return sasl.NewPlainClient("", "u", "p"), nil
	}}
	c := dial(t, d, srv.Addr)
	if res, err := c.Send(t.Context(), envelope(t, "a@x", "b@x"), body("x")); err != nil || srv.Messages()[0].User != "u" {
		t.Error(outcomes(res), err)
	}
	d.Auth = func([]string, *tls.ConnectionState) (sasl.Client, error) { return nil, smtpclient.ErrNoAuth }
	if _, err := d.Dial(t.Context(), "tcp", srv.Addr); !errors.Is(err, smtpclient.ErrNoAuth) {
		t.Error(err)
	}
}

// Challenges are longer than other replies may be (RFC 4954 §4).
func TestLongChallenge(t *testing.T) {
	for size, want := range map[int]error{8000: nil, 12000: smtpclient.ErrReplyTooLong} {
		challenge := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", size)))
		rest := "C: PT0=\nS: 235 ok\n"
		if want != nil {
			rest = ""
		}
		c := dial(t, &smtpclient.Dialer{}, smtptest.NewPeer(t, "S: 220\nC: EHLO\nR: \"250-x\\r\\n250 AUTH X\\r\\n\"\nC: AUTH X\nS: 334 "+challenge+"\n"+rest))
		if err := c.Auth(t.Context(), challenged{size}); !errors.Is(err, want) {
			t.Errorf("%d: %v", size, err)
		}
		c.Close()
	}
}

type challenged struct{ size int }

func (challenged) Start() (string, []byte, error) { return "X", nil, nil }

func (c challenged) Next(challenge []byte) ([]byte, error) {
	if len(challenge) != c.size {
		return nil, errors.New("challenge was cut")
	}
	return []byte("=="), nil
}

// What a server says unasked is never an answer.
func TestUnsolicited(t *testing.T) {
	c := dial(t, &smtpclient.Dialer{}, smtptest.NewPeer(t, "S: 220\nC: EHLO\nS: 250 x\nC: NOOP\nR: \"250 ok\\r\\n421 idle\\r\\n\""))
	if err := c.Noop(t.Context()); err != nil {
		t.Fatal(err)
	}
	res, err := c.Send(t.Context(), envelope(t, "a@x", "b@x"), body("x"))
	if !errors.Is(err, smtpclient.ErrUnsolicited) || outcomes(res) != "deferred" || c.Usable() {
		t.Error(outcomes(res), err)
	}
	c.Close()
}

func TestCommand(t *testing.T) {
	srv := smtptest.NewServerWith(t, smtptest.Options{Reply: func(cmd string) string {
		if cmd == "VRFY root" {
			return "252 try"
		}
		return ""
	}})
	c := dial(t, &smtpclient.Dialer{}, srv.Addr)
	if r, err := c.Command(t.Context(), "VRFY root"); err != nil || r.Code != 252 {
		t.Error(r, err)
	}
	if _, err := c.Command(t.Context(), "NOOP\r\nRSET"); !errors.Is(err, smtpclient.ErrCommand) {
		t.Error(err)
	}
}

// BY, HOLDFOR and HOLDUNTIL go with the time that is left, or not at all.
func TestTiming(t *testing.T) {
	full := []string{"DELIVERBY", "FUTURERELEASE 9999 2100-01-01T00:00:00Z", "MT-PRIORITY"}
	until := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		ext  []string
		in   smtp.MailParams
		ago  time.Duration
		want string // of the parameters, or the enhanced code of a refusal
	}{
		{full, smtp.MailParams{DeliverBy: smtp.DeliverBy{Seconds: 100, Mode: smtp.ByReturn, Trace: true}}, 0, " BY=100;RT"},
		{full, smtp.MailParams{DeliverBy: smtp.DeliverBy{Seconds: 100, Mode: smtp.ByReturn}}, 40 * time.Second, " BY=60;R"},
		{full, smtp.MailParams{DeliverBy: smtp.DeliverBy{Seconds: 100, Mode: smtp.ByReturn}}, time.Hour, "5.4.7"},
		{full, smtp.MailParams{DeliverBy: smtp.DeliverBy{Seconds: 100, Mode: smtp.ByNotify}}, 200 * time.Second, " BY=-100;N"},
		{[]string{"DELIVERBY 99"}, smtp.MailParams{DeliverBy: smtp.DeliverBy{Seconds: 100, Mode: smtp.ByReturn}}, 0, " BY=100;R"},
		{[]string{"DELIVERBY 101"}, smtp.MailParams{DeliverBy: smtp.DeliverBy{Seconds: 100, Mode: smtp.ByReturn}}, 0, "5.4.7"},
		{[]string{"DELIVERBY 101"}, smtp.MailParams{DeliverBy: smtp.DeliverBy{Seconds: 100, Mode: smtp.ByNotify}}, 0, " BY=100;N"},
		{nil, smtp.MailParams{DeliverBy: smtp.DeliverBy{Seconds: 100, Mode: smtp.ByReturn}}, 0, "5.3.3"},
		{nil, smtp.MailParams{DeliverBy: smtp.DeliverBy{Seconds: 100, Mode: smtp.ByNotify}}, 0, ""},
		{full, smtp.MailParams{FutureRelease: smtp.FutureRelease{For: 100}}, 40 * time.Second, " HOLDFOR=60"},
		{full, smtp.MailParams{FutureRelease: smtp.FutureRelease{For: 100}}, time.Hour, ""},
		{full, smtp.MailParams{FutureRelease: smtp.FutureRelease{Until: until}}, 0, " HOLDUNTIL=2100-01-01T00:00:00Z"},
		{nil, smtp.MailParams{FutureRelease: smtp.FutureRelease{Until: until}}, 0, "5.3.3"},
		{nil, smtp.MailParams{FutureRelease: smtp.FutureRelease{Until: until.AddDate(-100, 0, 0)}}, 0, ""},
		{full, smtp.MailParams{Priority: smtp.Priority{Level: -3, Given: true}}, 0, " MT-PRIORITY=-3"},
		{nil, smtp.MailParams{Priority: smtp.Priority{Level: -3, Given: true}, PRDR: true}, 0, ""},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			mail := ""
			conn, _ := unbuffered(t, "250-X\r\n250-"+strings.Join(append(tt.ext, "X"), "\r\n250-")+"\r\n250 X", func(line string) string {
				if strings.HasPrefix(line, "MAIL") {
					mail = strings.TrimSpace(line)
				}
				return "250 ok"
			})
			c, err := (&smtpclient.Dialer{Hello: "x"}).NewClient(t.Context(), conn, "x")
			if err != nil {
				t.Fatal(err)
			}
			env := envelope(t, "a@x", "b@x")
			env.Mail.Params = tt.in
			env.Mail.Received = time.Now().Add(-tt.ago)
			res, err := c.Send(t.Context(), env, body("x\r\n"))
			if err != nil {
				t.Fatal(err)
			}
			got := strings.TrimPrefix(mail, "MAIL FROM:<a@x>")
			if e, ok := errors.AsType[*smtp.Error](res.Recipients[0].Err); ok {
				got = e.Reply.Enhanced.String()
			}
			if got != tt.want {
				t.Errorf("%+v: %q, want %q", tt.in, got, tt.want)
			}
			c.Close()
		})
	}
}

// What XCLIENT and XFORWARD say arrives at the server.
func TestUpstream(t *testing.T) {
	var peer *smtp.Peer
	var upstream *smtp.Upstream
	addr := serve(t, smtpserver.Config{
		Receiver: smtp.ReceiveFunc(func(_ context.Context, env *smtp.Envelope, _ io.Reader) error {
			peer, upstream = env.Mail.Peer, env.Mail.Upstream
			return nil
		}),
		Extensions: smtpserver.XCLIENT | smtpserver.XFORWARD | smtpserver.PIPELINING,
		Proxies:    []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	c := dial(t, &smtpclient.Dialer{}, addr)
	client := &smtp.Upstream{Name: "host.example", Addr: netip.MustParseAddrPort("192.0.2.7:1025"), Protocol: "ESMTP", Hello: "helo.example"}
	if err := c.XClient(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	if res, err := c.Send(t.Context(), envelope(t, "a@x", "b@x"), body("x\r\n")); err != nil || peer.Addr != client.Addr {
		t.Errorf("%s, %v: %+v", outcomes(res), err, peer)
	}
	c = dial(t, &smtpclient.Dialer{}, addr)
	if err := c.XForward(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	if res, err := c.Send(t.Context(), envelope(t, "a@x", "b@x"), body("x\r\n")); err != nil || upstream == nil || upstream.Addr != client.Addr || upstream.Name != "host.example" {
		t.Errorf("%s, %v: %+v", outcomes(res), err, upstream)
	}
	c = dial(t, &smtpclient.Dialer{}, smtptest.NewServer(t).Addr)
	if err := c.XClient(t.Context(), client); !errors.Is(err, smtpclient.ErrUnsupported) {
		t.Error(err)
	}
}

// Verify asks for each recipient and leaves the connection ready.
func TestVerify(t *testing.T) {
	for _, ext := range [][]string{{"PIPELINING"}, {"SIZE"}} {
		mail := ""
		srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: ext, Reply: func(cmd string) string {
			switch {
			case strings.HasPrefix(cmd, "MAIL"):
				return mail
			case strings.HasPrefix(cmd, "RCPT TO:<no@"):
				return "550 5.1.1 no"
			}
			return ""
		}})
		c := dial(t, &smtpclient.Dialer{}, srv.Addr)
		to := func(addrs ...string) (paths []smtp.ForwardPath) {
			for _, r := range envelope(t, "", addrs...).Recipients {
				paths = append(paths, r.ForwardPath)
			}
			return paths
		}
		replies, err := c.Verify(t.Context(), smtp.ReversePath{}, to("a@bücher.example", "no@x", "b@x"))
		if err != nil || len(replies) != 3 || replies[0].Code != 250 || replies[1].Code != 550 || replies[2].Code != 250 {
			t.Fatal(replies, err)
		}
		mail = "451 later"
		e, ok := errors.AsType[*smtp.Error](second(c.Verify(t.Context(), smtp.ReversePath{}, to("a@x"))))
		if !ok || e.Reply.Code != 451 {
			t.Fatal(e)
		}
		mail = ""
		if _, err := c.Verify(t.Context(), smtp.ReversePath{}, to("é@x")); !errors.Is(err, smtpclient.ErrUnsupported) {
			t.Error(err)
		}
		if res, err := c.Send(t.Context(), envelope(t, "a@x", "b@x"), body("x\r\n")); err != nil || outcomes(res) != "delivered(.)" {
			t.Error(outcomes(res), err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
