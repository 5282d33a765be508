package pop3client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/pop3"
	"github.com/mailstead/mailstead/pop3/pop3client"
	"github.com/mailstead/mailstead/pop3/pop3test"
)

// connect logs in to a server.
func connect(t testing.TB, srv *pop3test.Server, d *pop3client.Dialer) *pop3client.Client {
	t.Helper()
	d.Net = srv
	c, err := d.Dial(t.Context(), "tcp", "pop.example:110")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.UserPass(t.Context(), "ann", "secret"); err != nil {
		t.Fatal(err)
	}
	return c
}

func texts(n int) (texts []string) {
	for i := range n {
		texts = append(texts, fmt.Sprintf("Subject: %d\r\n\r\n.%s\r\n", i+1, strings.Repeat("x", i*7)))
	}
	return texts
}

// TestSession: a whole session, with and without pipelining.
func TestSession(t *testing.T) {
	for name, capabilities := range map[string][]string{"pipelining": nil, "one by one": {"TOP", "UIDL", "USER"}, "no CAPA": {}} {
		t.Run(name, func(t *testing.T) {
			srv := pop3test.NewServer(t, pop3test.Options{Messages: pop3test.Texts(texts(100)...), Capabilities: capabilities})
			c := connect(t, srv, &pop3client.Dialer{})
			ctx := t.Context()
			if n, octets, err := c.Stat(ctx); n != 100 || octets == 0 || err != nil {
				t.Errorf("STAT: %d, %d, %v", n, octets, err)
			}
			drop, err := c.Maildrop(ctx)
			if err != nil || len(drop.Messages) != 100 || drop.Missing+drop.Skipped != 0 || drop.NoUIDL {
				t.Fatalf("%+v, %v", drop, err)
			}
			numbers := make([]int, 0, 100)
			for i, m := range drop.Messages {
				if m.Number != i+1 || m.UniqueID != fmt.Sprintf("id%d", i+1) || m.Size != int64(len(texts(100)[i])) || m.Fault != 0 {
					t.Errorf("%+v", m)
				}
				numbers = append(numbers, m.Number)
			}
			for b, err := range c.RetrEach(ctx, numbers) {
				all, readErr := io.ReadAll(b)
				if err != nil || readErr != nil || string(all) != texts(100)[b.Number-1] {
					t.Fatalf("%d: %q, %v, %v", b.Number, all, err, readErr)
				}
			}
			for b, err := range c.TopEach(ctx, numbers[:3], 0) {
				all, readErr := io.ReadAll(b)
				if want := fmt.Sprintf("Subject: %d\r\n\r\n", b.Number); err != nil || readErr != nil || string(all) != want {
					t.Fatalf("%d: %q, %v, %v", b.Number, all, err, readErr)
				}
			}
			for n, err := range c.DeleEach(ctx, append(numbers[10:], 10, 4711)) {
				if refused := err != nil; refused != (n == 4711) {
					t.Errorf("DELE %d: %v", n, err)
				}
			}
			if err := c.Quit(ctx); err != nil {
				t.Error(err)
			}
			if left := srv.Messages(); len(left) != 9 {
				t.Errorf("%d messages are left", len(left))
			}
		})
	}
}

// TestPipelining: commands leave ahead of their replies, at most as many as are
// allowed, and only where the server says that it can.
func TestPipelining(t *testing.T) {
	var numbers []int
	var first strings.Builder
	for i := range 40 {
		numbers = append(numbers, i+1)
		if i < 32 {
			fmt.Fprintf(&first, "C: RETR %d\n", i+1)
		}
	}
	var bodies strings.Builder
	for range 16 {
		bodies.WriteString("S: +OK\nS: text\nS: .\n")
	}
	text := pipelines + first.String() + bodies.String()
	for i := 33; i <= 40; i++ {
		text += fmt.Sprintf("C: RETR %d\n", i)
	}
	text += bodies.String() + strings.Repeat("S: +OK\nS: text\nS: .\n", 8) + "HANG"
	c := dialScriptWith(t, &pop3client.Dialer{}, text)
	n := 0
	for b, err := range c.RetrEach(t.Context(), numbers) {
		if err != nil {
			t.Fatal(b.Number, err)
		}
		n++
	}
	if n != 40 || !c.Usable() {
		t.Errorf("%d bodies, usable %v", n, c.Usable())
	}
}

func TestRefusals(t *testing.T) {
	c := dialScript(t, `
		C: RETR 1
		S: -ERR [SYS/TEMP/DISK] not now
		C: RETR 2
		S: -ERR [UTF8] use it
		C: DELE 3
		S: -ERR
		C: NOOP
		S: +OK
	`)
	_, err := c.Retr(t.Context(), 1)
	refusal, ok := errors.AsType[*pop3client.Error](err)
	if !ok || !errors.Is(err, pop3.CodeSysTemp) || errors.Is(err, pop3.CodeSysPerm) || !refusal.Temporary() || refusal.Verb != "RETR" {
		t.Errorf("%#v", err)
	}
	if want := "pop3: RETR: -ERR [SYS/TEMP/DISK] not now"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	if _, err = c.Retr(t.Context(), 2); !errors.Is(err, pop3.CodeUTF8) {
		t.Error(err)
	}
	if err = c.Dele(t.Context(), 3); err == nil || !c.Usable() {
		t.Error(err)
	}
	if err := c.Noop(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestErrorKinds: what a login that was refused means.
func TestErrorKinds(t *testing.T) {
	const coded = "S: +OK ready\nC: CAPA\nS: +OK\nS: USER\nS: UIDL\nS: TOP\nS: AUTH-RESP-CODE\nS: .\n"
	for _, c := range []struct {
		head, reply            string
		credentials, temporary bool
	}{
		{noCAPA, "-ERR", true, false},
		{noCAPA, "-ERR [AUTH] no", true, false},
		{noCAPA, "-ERR [IN-USE] no", false, true},
		{noCAPA, "-ERR [LOGIN-DELAY] no", false, true},
		{noCAPA, "-ERR [SYS/TEMP] no", false, true},
		{noCAPA, "-ERR [SYS/PERM] no", false, false},
		{coded, "-ERR", false, true},
		{coded, "-ERR [AUTH] no", true, false},
	} {
		cl := dialScriptWith(t, &pop3client.Dialer{}, c.head+"C: USER ann\nS: +OK\nC: PASS x\nS: "+c.reply)
		err := cl.UserPass(t.Context(), "ann", "x")
		e, ok := errors.AsType[*pop3client.Error](err)
		if !ok || e.BadCredentials() != c.credentials || e.Temporary() != c.temporary {
			t.Errorf("%s: %+v, credentials %v, temporary %v", c.reply, err, e.BadCredentials(), e.Temporary())
		}
	}
}

func TestGreetingRefuses(t *testing.T) {
	for text, want := range map[string]error{
		"S: -ERR [SYS/TEMP] full":   pop3.CodeSysTemp,
		"S: 220 smtp.example ESMTP": pop3client.ErrBadReply,
		"S: * OK IMAP4rev1":         pop3client.ErrBadReply,
		"S: HTTP/1.1 400 Bad":       pop3client.ErrBadReply,
		"":                          io.ErrUnexpectedEOF,
		`R: "+OK no end"`:           io.ErrUnexpectedEOF,
		`R: "\n"`:                   pop3client.ErrBadReply,
		`R: "\x16\x03\x01\r\n"`:     pop3client.ErrBadReply,
	} {
		d := &pop3client.Dialer{Net: newScript(t, text)}
		if c, err := d.Dial(t.Context(), "tcp", "x:110"); c != nil || !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestQuit: what became of the deletions.
func TestQuit(t *testing.T) {
	for text, check := range map[string]func(error) bool{
		"C: QUIT\nS: +OK bye": func(err error) bool { return err == nil },
		"C: QUIT\nS: -ERR [SYS/PERM] not removed": func(err error) bool {
			return errors.Is(err, pop3.CodeSysPerm) && !errors.Is(err, pop3client.ErrUnknown)
		},
		"C: QUIT": func(err error) bool {
			return errors.Is(err, pop3client.ErrUnknown) && errors.Is(err, io.ErrUnexpectedEOF)
		},
		"C: QUIT\nR: \"+OK\"": func(err error) bool { return errors.Is(err, pop3client.ErrUnknown) },
		"C: QUIT\nS: what":    func(err error) bool { return errors.Is(err, pop3client.ErrUnknown) },
		"C: QUIT\nR: \"-ERR of before\\r\\n+OK\\r\\n\"": func(err error) bool {
			return errors.Is(err, pop3client.ErrUnknown) && errors.Is(err, pop3client.ErrUnasked)
		},
	} {
		c := dialScript(t, text)
		if err := c.Quit(t.Context()); !check(err) {
			t.Errorf("%s: %v", text, err)
		}
		if err := c.Noop(t.Context()); !errors.Is(err, pop3client.ErrClosed) {
			t.Errorf("%s: afterwards %v", text, err)
		}
	}
	c := dialScript(t, `HANG`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Quit(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, pop3client.ErrUnknown) {
		t.Errorf("QUIT did not leave: %v", err)
	}
	c = dialScript(t, "C: RETR 1\nS: +OK")
	b, err := c.Retr(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Quit(t.Context()); !errors.Is(err, pop3client.ErrBusy) {
		t.Error(err)
	}
	if _, err := io.ReadAll(b); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	if err := c.Quit(t.Context()); !errors.Is(err, pop3client.ErrClosed) || errors.Is(err, pop3client.ErrUnknown) {
		t.Errorf("the connection was lost before: %v", err)
	}
}

// TestQuitLost: without an answer to QUIT it is not known what was deleted.
func TestQuitLost(t *testing.T) {
	for how, left := range map[string]int{"lose": 0, "close": 2} {
		srv := pop3test.NewServer(t, pop3test.Options{Messages: pop3test.Texts(texts(2)...), Reply: func(_ int, command string) string {
			if command == "QUIT" {
				return how
			}
			return ""
		}})
		c := connect(t, srv, &pop3client.Dialer{})
		for _, err := range c.DeleEach(t.Context(), []int{1, 2}) {
			if err != nil {
				t.Error(err)
			}
		}
		if err := c.Quit(t.Context()); !errors.Is(err, pop3client.ErrUnknown) {
			t.Errorf("%s: %v", how, err)
		}
		srv.Close()
		if got := len(srv.Messages()); got != left {
			t.Errorf("%s: %d messages are left, want %d", how, got, left)
		}
	}
}

// TestBusy: no command goes between the parts of another.
func TestBusy(t *testing.T) {
	srv := pop3test.NewServer(t, pop3test.Options{Messages: pop3test.Texts(texts(3)...)})
	c := connect(t, srv, &pop3client.Dialer{})
	ctx := t.Context()
	check := func(where string) {
		t.Helper()
		_, retr := c.Retr(ctx, 1)
		_, drop := c.Maildrop(ctx)
		for _, err := range []error{retr, drop, c.Noop(ctx), c.Dele(ctx, 1), c.Login(ctx, nil), c.Auth(ctx, nil), c.UserPass(ctx, "a", "b"), c.APOP(ctx, "a", "b"), c.UTF8(ctx)} {
			if !errors.Is(err, pop3client.ErrBusy) {
				t.Errorf("%s: %v", where, err)
			}
		}
		for _, err := range c.List(ctx) {
			if !errors.Is(err, pop3client.ErrBusy) {
				t.Errorf("%s: %v", where, err)
			}
		}
		for _, err := range c.Lines(ctx, "X") {
			if !errors.Is(err, pop3client.ErrBusy) {
				t.Errorf("%s: %v", where, err)
			}
		}
	}
	b, err := c.Retr(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	check("body")
	b.Close()
	for range c.UIDL(ctx) {
		check("listing")
	}
	for range c.RetrEach(ctx, []int{1, 2, 3}) {
		check("RETR")
	}
	for range c.DeleEach(ctx, []int{1, 2, 3}) {
		check("DELE")
	}
	if err := c.Noop(ctx); err != nil {
		t.Error(err)
	}
	if got := srv.Commands(); len(got) != 3+2+3+3+1 {
		t.Errorf("%q", got)
	}
}

// TestLeaving: what is not wanted is skipped where it is little, and ends the
// connection where it is much.
func TestLeaving(t *testing.T) {
	small, large := "Subject: x\r\n\r\nx\r\n", strings.Repeat("0123456789abcde\n", 1<<16)
	srv := pop3test.NewServer(t, pop3test.Options{Messages: pop3test.Texts(small, large, small, small), Shared: true})
	ctx := t.Context()
	c := connect(t, srv, &pop3client.Dialer{})
	b, err := c.Retr(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil || !c.Usable() {
		t.Errorf("a small one: %v", err)
	}
	if _, err := b.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a closed one: %v", err)
	}
	for range c.RetrEach(ctx, []int{1, 3, 4}) {
		break
	}
	if err := c.Noop(ctx); err != nil {
		t.Errorf("small ones: %v", err)
	}
	for range c.List(ctx) {
		break
	}
	for range c.DeleEach(ctx, []int{3, 4}) {
		break
	}
	if err := c.Noop(ctx); err != nil {
		t.Errorf("lines: %v", err)
	}
	if b, err = c.Retr(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); !errors.Is(err, pop3client.ErrAbandoned) || c.Usable() {
		t.Errorf("a large one: %v", err)
	}
	if err := c.Quit(ctx); !errors.Is(err, pop3client.ErrAbandoned) || errors.Is(err, pop3client.ErrUnknown) {
		t.Errorf("QUIT: %v", err)
	}
	c = connect(t, srv, &pop3client.Dialer{})
	for range c.RetrEach(ctx, []int{1, 2, 3}) {
		break
	}
	if err := c.Noop(ctx); !errors.Is(err, pop3client.ErrAbandoned) {
		t.Errorf("a large one behind: %v", err)
	}
	if left := srv.Messages(); len(left) != 4 {
		t.Errorf("%d messages are left", len(left))
	}
}

func TestUTF8AndLang(t *testing.T) {
	srv := newScript(t, `
		S: +OK ready <1.2@pop.example>
		C: CAPA
		S: +OK
		S: UTF8 USER
		S: LANG
		S: UIDL
		S: TOP
		S: .
		C: UTF8
		S: +OK
		C: USER jürgen
		S: +OK
		C: PASS geheim
		S: +OK
		C: LANG *
		S: +OK de Sprache gewählt
		C: LANG
		S: +OK
		S: en English
		S: de Deutsch
		S: .
		C: LANG xx
		S: -ERR de nein
	`)
	d := &pop3client.Dialer{Net: srv, UTF8: true}
	c, err := d.Dial(t.Context(), "tcp", "x:110")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.APOP(t.Context(), "jürgen", "geheim"); !errors.Is(err, pop3client.ErrNeedsUTF8) {
		t.Errorf("APOP: %v", err)
	}
	if err := c.UserPass(t.Context(), "jürgen", "geheim"); err != nil {
		t.Fatal(err)
	}
	if tag, err := c.Lang(t.Context(), "*"); tag != "de" || err != nil {
		t.Errorf("%q, %v", tag, err)
	}
	var languages []string
	for l, err := range c.Languages(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		languages = append(languages, l)
	}
	if want := []string{"en English", "de Deutsch"}; !slices.Equal(languages, want) {
		t.Errorf("%q", languages)
	}
	if _, err := c.Lang(t.Context(), "xx"); err == nil {
		t.Error("no refusal")
	}
}

func TestCapabilities(t *testing.T) {
	c := dialScriptWith(t, &pop3client.Dialer{}, `
		S: +OK
		C: CAPA
		S: +OK list
		S: top
		S: SASL PLAIN scram-sha-256 PLAIN
		S: EXPIRE 5 USER
		S: LOGIN-DELAY 900
		S: PIPELINING
		S: IMPLEMENTATION Shlemazle-Plotz-v302 x
		S: X-ODD a  b
		S: ..dotted
		S:
		S: .
		C: USER ann
		S: +OK
		C: PASS x
		S: +OK
		C: CAPA
		S: +OK
		S: EXPIRE NEVER
		S: UIDL
		S: .
	`)
	caps := c.Capabilities()
	if p, ok := caps.Param("x-odd"); !ok || p != "a  b" || !caps.Has(".dotted") || caps.Has("UIDL") {
		t.Errorf("%q", caps.Lines)
	}
	if !caps.Known || !caps.Top || !caps.Pipelining || caps.UIDL || *caps.Expire != (pop3client.Expire{Days: 5, PerUser: true}) ||
		caps.LoginDelay.Seconds() != 900 || caps.LoginDelayPerUser || !slices.Equal(caps.Mechanisms, []string{"PLAIN", "SCRAM-SHA-256"}) ||
		caps.Implementation != "Shlemazle-Plotz-v302 x" {
		t.Errorf("%+v", caps)
	}
	if err := c.UserPass(t.Context(), "ann", "x"); !errors.Is(err, nil) {
		t.Fatal(err)
	}
	if caps = c.Capabilities(); !caps.Expire.Never || !caps.UIDL || caps.Top {
		t.Errorf("behind the login: %+v", caps)
	}
}

// TestCapabilitiesRefused: a server that has CAPA before the login only.
func TestCapabilitiesRefused(t *testing.T) {
	c := dialScriptWith(t, &pop3client.Dialer{}, `
		S: +OK
		C: CAPA
		S: +OK
		S: PIPELINING
		S: .
		C: USER ann
		S: +OK
		C: PASS x
		S: +OK
		C: CAPA
		S: -ERR
	`)
	if err := c.UserPass(t.Context(), "ann", "x"); err != nil || !c.Capabilities().Pipelining {
		t.Errorf("%v, %+v", err, c.Capabilities())
	}
}

func TestCommandIsOneLine(t *testing.T) {
	c := dialScript(t, "C: NOOP\nS: +OK")
	for _, line := range []string{"", " NOOP", "NOOP\r\nDELE 1", "NOOP\n", "NO\x00OP", "\tPASS x"} {
		if _, err := c.Command(t.Context(), line); !errors.Is(err, pop3client.ErrCommand) {
			t.Errorf("%q: %v", line, err)
		}
		for _, err := range c.Lines(t.Context(), line) {
			if !errors.Is(err, pop3client.ErrCommand) {
				t.Errorf("%q: %v", line, err)
			}
		}
	}
	if err := c.UserPass(t.Context(), "ann", "x\r\nDELE 1"); !errors.Is(err, pop3client.ErrCommand) {
		t.Error(err)
	}
	if err := c.UserPass(t.Context(), "änn", "x"); !errors.Is(err, pop3client.ErrNeedsUTF8) {
		t.Error(err)
	}
	if err := c.Noop(t.Context()); err != nil {
		t.Error(err)
	}
}
