package imapserver

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/internal/authtest"
	"github.com/mailstead/mailstead/store"
)

// traceBook writes down all that Trace tells.
type traceBook struct {
	mu    sync.Mutex
	lines strings.Builder
	total Traffic
}

func (b *traceBook) trace() Trace {
	say := func(format string, args ...any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		fmt.Fprintf(&b.lines, format+"\n", args...)
	}
	return Trace{
		Connected: func(Peer) { say("connected") },
		LoggedIn:  func(_ Peer, id store.AccountID) { say("login %s", id) },
		Command:   func(_ Peer, verb, status string, _ time.Duration) { say("%s %s", verb, status) },
		Line: func(_ Peer, client bool, text []byte) {
			say("%s: %s", map[bool]string{true: "C", false: "S"}[client], text)
		},
		Closed: func(_ Peer, t Traffic) { b.total = t },
	}
}

// The trace shows what was said, and no secret in any of its forms.
func TestTrace(t *testing.T) {
	st := testStore(t)
	deliver(t, st, "alice", "INBOX", "Subject: secret\r\n\r\nsecret\r\n", 0)
	cfg := testConfig(st)
	cfg.Auth, cfg.Limits.MaxBadBeforeLogin, cfg.Limits.MaxAuthFailures = authtest.Authenticator{}, -1, -1
	book := &traceBook{}
	cfg.Trace = book.trace()
	in := "a LOGIN alice \"secret\r\n" +
		"b LOGIN {5+}\r\nalice {6+}\r\nsecret\r\n" +
		"c UNAUTHENTICATE\r\nd AUTHENTICATE PLAIN c2VjcmV0\r\ne authenticate X-FIRST\r\nc2VjcmV0\r\n" +
		"f LOGIN alice {6+}\r\nsecretsecret\r\ng secret\r\n" +
		"h LOGIN alice secret\r\ni LOGIN alice secret\r\nj SELECT INBOX\r\nk FETCH 1 BODY.PEEK[]\r\nl CREATE {6+}\r\nsecret\r\nm LOGOUT\r\n"
	conn := &memoryConn{in: strings.NewReader(in)}
	if err := testServer(t, cfg).ServeConn(conn); err != nil {
		t.Fatal(err)
	}
	got := book.lines.String()
	for _, want := range []string{
		"connected\n", "C: b LOGIN ***\n", "C: ***\n", "C: d AUTHENTICATE ***\n", "S: + ***\n", "LOGIN OK\n", "login alice\n",
		"C: i LOGIN ***\n", "C: k FETCH 1 BODY.PEEK[]\n", "S: * 1 FETCH (BODY[] {27}\nS: )\nS: k OK FETCH completed\n", "C: l CREATE {6+}\n",
		"LOGOUT OK\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the trace lacks %q", want)
		}
	}
	if strings.Contains(got, "secret") || strings.Contains(got, "c2Vj") {
		t.Error("the trace shows a secret")
	}
	if t.Failed() {
		t.Log(got)
	}
	if book.total.In != int64(len(in)) || book.total.Out != int64(conn.out.Len()) || book.total.Commands != 13 {
		t.Errorf("%+v, want %d and %d octets", book.total, len(in), conn.out.Len())
	}
}

// Nothing of a user survives UNAUTHENTICATE, whatever a session comes to hold:
// a field that may be kept has to be named here.
func TestForgetUser(t *testing.T) {
	kept := map[string]bool{
		"conn": true, "srv": true, "dec": true, "enc": true, "ctx": true, "state": true,
		"clientID": true, "authFailures": true, "bad": true,
	}
	srv := testServer(t, testConfig(testStore(t)))
	s := newSession(newConn(srv, &memoryConn{in: strings.NewReader("")}))
	v := reflect.ValueOf(s).Elem()
	s.features, s.entries, s.id = 0xff, true, "alice"
	s.forgetUser()
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; !kept[name] && !v.Field(i).IsZero() {
			t.Errorf("%s is kept", name)
		}
	}
}

// Before the login only a command that exists is shown, by tag and name.
func TestRedacted(t *testing.T) {
	for line, want := range map[string]string{
		"a1 NOOP": "a1 NOOP", "a1 login x y": "a1 login ***", "a1 passw0rd": "***", "passw0rd": "***", "": "***",
		"averyveryverylongpassword NOOP": "***", "c2VjcmV0": "***",
	} {
		if got := redacted([]byte(line), true); string(got) != want {
			t.Errorf("%q is shown as %q, want %q", line, got, want)
		}
	}
	if got := redacted([]byte("a1 NOOP"), false); string(got) != "***" {
		t.Errorf("the line behind a literal is shown as %q", got)
	}
}
