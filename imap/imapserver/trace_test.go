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

// After the login too no secret is shown: not in the lines behind a literal, not
// in a message that is put together, not in what a refused command leaves behind,
// and not in the answers.
func TestTraceSecrets(t *testing.T) {
	token := ":INTERNAL:5ec2e7"
	url := "imap://alice@h/INBOX/;UID=1;URLAUTH=anonymous"
	long := "imap://alice@h/" + strings.Repeat("%78", 400) + "/;UID=1;URLAUTH=anonymous"
	for _, in := range []string{
		"a APPEND INBOX CATENATE (URL \"" + url + token + "\")\r\n",
		"a append INBOX (\\Seen) catenate (URL \"" + url + token + "\")\r\n",
		"a APPEND {5+}\r\nINBOX CATENATE (URL \"" + url + token + "\")\r\n",
		"a APPEND INBOX CATENATE (TEXT {6+}\r\na: b\r\n URL \"" + url + token + "\")\r\n",
		"a SELECT INBOX\r\nb UID REPLACE 1 INBOX CATENATE (URL \"" + url + token + "\")\r\n",
		"a URLFETCH {3+}\r\nx:y \"" + url + token + "\"\r\n",
		"a URLFETCH {2000+}\r\n" + strings.Repeat("x", 2000) + " \"" + url + token + "\"\r\n",
		"a URLFETCH {300000}\r\n" + url + token + "\r\n",
		"a AUTHENTICATE PLAIN\r\nAGFsaWNlADVlYzJlNw==5ec2e7\r\n",
		"a LOGIN alice {6}\r\n5ec2e7\r\n",
		"a LOGIN alice {6}\r\n5ec2e7\r\na LOGIN alice {6}\r\n5ec2e7\r\n5ec2e7xxxxxxxxxxxxxxx NOOP\r\n",
		"a LOGIN alice {2000}\r\n5ec2e7" + strings.Repeat("x", 2000) + "\r\nUNAUTHENTICATE\r\n",
		"a UNAUTHENTICATE\r\nb AUTHENTICATE X-NONE\r\n5ec2e7\r\nz LOGIN alice secret\r\n",
		"a CREATE " + strings.Repeat("x", 400) + "\r\nb GENURLAUTH {" + fmt.Sprint(len(long)) + "+}\r\n" + long + " INTERNAL \"" + url + "\" INTERNAL\r\nc GENURLAUTH \"" + url + "\" INTERNAL\r\n",
	} {
		st := testStore(t)
		deliver(t, st, "alice", "INBOX", "Subject: s\r\n\r\n", 0)
		cfg := testConfig(st)
		cfg.Hostname = "h"
		book := &traceBook{}
		cfg.Trace = book.trace()
		conn := &memoryConn{in: strings.NewReader("z LOGIN alice secret\r\n" + in + "y NOOP\r\n")}
		if err := testServer(t, cfg).ServeConn(conn); err != nil {
			t.Fatal(err)
		}
		got := book.lines.String()
		if strings.Contains(got, "5ec2e7") || strings.Contains(strings.ToUpper(got), ":INTERNAL:") {
			t.Errorf("%q: the trace shows a secret:\n%s", in, got)
		}
		if !strings.Contains(got, "C: y NOOP\n") || !strings.Contains(got, "S: y OK NOOP completed\n") {
			t.Errorf("%q: what comes behind is not shown:\n%s", in, got)
		}
	}
}

// A response is shown by its name up to its end, whatever literals are in it.
func TestTraceResponses(t *testing.T) {
	for in, want := range map[string]string{
		"* GENURLAUTH {3}\r\nurl \"secret\"\r\n* OK x\r\n":            "* GENURLAUTH ***|***|* OK x|",
		"* GENURLAUTH {0}\r\n \"secret\" {1}\r\nx secret\r\na OK\r\n": "* GENURLAUTH ***|***|***|a OK|",
		"* URLFETCH {3}\r\nurl {3}\r\none\r\na OK\r\n":                "* URLFETCH ***|***|***|a OK|",
		"a NO [BADURL secret] URL cannot be used\r\na OK\r\n":         "a NO [BADURL ***|a OK|",
		"* 1 FETCH (BODY[] {3}\r\none)\r\n":                           "* 1 FETCH (BODY[] {3}|)|",
		"* 1 FETCH (BODY[] {3}\r\none BODY[1] {0}\r\n UID 1)\r\n":     "* 1 FETCH (BODY[] {3}| BODY[1] {0}| UID 1)|",
	} {
		var r responseTrace
		got := ""
		for _, b := range []byte(in) {
			r.write([]byte{b}, func(line []byte) { got += string(line) + "|" })
		}
		if got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}
