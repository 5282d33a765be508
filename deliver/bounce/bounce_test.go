package bounce_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver/bounce"
	"github.com/mailstead/mailstead/deliver/verp"
	"github.com/mailstead/mailstead/smtp"
)

func path(s string) smtp.Path {
	i := strings.LastIndexByte(s, '@')
	return smtp.Path{Local: s[:i], Domain: s[i+1:]}
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".eml"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parse(t testing.TB, p *bounce.Parser, b []byte, env bounce.Envelope) *bounce.Report {
	t.Helper()
	rep, err := p.Parse(bytes.NewReader(b), int64(len(b)), env)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

const orig = "orig-7@lists.example"

// What each sample says: kind, form, Message-ID of the original, and for each
// recipient address, action, status, reply code, class and cause.
func samples() map[string]string {
	return map[string]string{
		"qmail":         "failure qmail " + orig + " | bob@example.net failed 5.1.1 550 hard bad address | carol@nowhere.example failed 5.1.2 0 hard bad domain",
		"yahoo":         "failure yahoo " + orig + " | bob@yahoo.example failed - 0 hard bad address",
		"exim":          "failure exim " + orig + " | bob@example.net failed 5.2.1 550 hard disabled | carol@example.net failed - 0 soft full",
		"exim-delay":    "delay exim - | bob@example.net delayed - 0 soft network",
		"postfix-old":   "failure postfix - | bob@example.net failed 5.2.2 552 soft full | carol@example.net failed - 0 hard bad address",
		"sendmail-old":  "failure sendmail " + orig + " | bob@example.net failed 5.1.1 550 hard bad address",
		"courier":       "failure courier - | bob@example.net failed - 550 hard bad address",
		"exchange-55":   "failure exchange - | bob@example.net failed 5.1.1 550 hard bad address | carol@example.net failed 5.1.1 0 hard bad address",
		"exchange-2007": "failure exchange - | bob@example.net failed 5.2.2 0 soft full",
		"iis":           "failure iis - | bob@example.net failed - 0 uncertain ",
		"gmail-old":     "failure gmail " + orig + " | bob@example.net failed 5.7.1 550 soft policy",
		"gmail-delay":   "delay gmail - | bob@example.net delayed - 0 soft network",
		"aol":           "failure aol - | bob@aol.example failed - 0 uncertain ",
		"domino":        "failure domino - | bob@example.net failed - 0 hard bad address",
		"groupwise":     "failure groupwise - | bob@example.net failed - 0 hard bad address",
		"mdaemon":       "failure mdaemon - | bob@example.net failed - 550 hard bad address",
		"imail":         "failure imail " + orig + " | bob@example.net failed - 0 soft full",
		"opensmtpd":     "failure opensmtpd - | bob@example.net failed 5.1.1 550 hard bad address",
		"x-failed":      "failure x-failed-recipients - | bob@example.net failed - 0 hard bad address",
		"rfc3464": "failure rfc3464 " + orig + " | Bob@example.com failed 5.1.1 550 hard bad address | carol@example.net delayed 4.4.1 0 soft network" +
			" | dave@example.net failed 5.1.1 550 uncertain bad address | erin@example.net relayed 2.0.0 0 good ",
		"rfc6533":     "failure rfc3464 " + orig + " | jörg@example.com failed 5.2.2 0 soft full",
		"autoreply":   "auto-reply - -",
		"challenge":   "challenge - -",
		"disposition": "disposition - -",
		"feedback":    "feedback arf " + orig,
		"person":      "unknown - -",
		"newsletter":  "unknown - -",
	}
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func show(rep *bounce.Report) string {
	s := fmt.Sprintf("%v %s %s", rep.Kind, dash(rep.Format), dash(rep.MessageID))
	for _, r := range rep.Recipients {
		s += fmt.Sprintf(" | %v %v %s %d %v %v", r.Sent, r.Action, dash(r.Status.String()), r.Reply, r.Class, r.Cause)
	}
	return s
}

func TestSamples(t *testing.T) {
	for name, want := range samples() {
		b := read(t, name)
		env := bounce.Envelope{}
		if name == "person" || name == "newsletter" || name == "x-failed" || name == "feedback" {
			env.From.Path = path("someone@example.com")
		}
		if got := show(parse(t, &bounce.Parser{}, b, env)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
		if got := show(parse(t, &bounce.Parser{}, bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")), env)); got != want {
			t.Errorf("%s with CRLF:\n got %s\nwant %s", name, got, want)
		}
	}
}

func TestStatusFields(t *testing.T) {
	rep := parse(t, &bounce.Parser{}, read(t, "rfc3464"), bounce.Envelope{})
	r := rep.Recipients[0]
	if rep.ReportingMTA != "mx.example.net" || rep.EnvelopeID != "QQ314159" || rep.Arrival.IsZero() || r.Original != "Bob@example.com" || r.Final != "bob@example.net" || r.RemoteMTA != "mx.example.org" ||
		r.Diagnostic != "550 5.1.1 <bob@example.net>: Recipient address rejected: User unknown in virtual mailbox table" || r.LastAttempt.Hour() != 10 || rep.Recipients[1].RetryUntil.Day() != 21 {
		t.Errorf("%+v", rep)
	}
	if !strings.HasSuffix(string(rep.Header), "Subject: The news\n") {
		t.Errorf("header %q", rep.Header)
	}
}

func TestVERP(t *testing.T) {
	s := &verp.Scheme{Prefix: "news", Domain: "lists.example", Secrets: []string{"a good secret"}}
	p := &bounce.Parser{VERP: func(to smtp.Path) (smtp.Path, bool) {
		a, err := s.Decode(to)
		return a.Path, err == nil && a.Token == ""
	}}
	to, err := s.Encode(path("old@forwarder.example"))
	if err != nil {
		t.Fatal(err)
	}
	env := bounce.Envelope{To: []smtp.Path{path("news@lists.example"), to.Path}}
	bob, err := s.Encode(path("bob@example.net"))
	if err != nil {
		t.Fatal(err)
	}
	if rep := parse(t, p, read(t, "qmail"), bounce.Envelope{To: []smtp.Path{bob.Path}}); !rep.Recipients[0].Proven || rep.Recipients[1].Proven {
		t.Errorf("one of two: %s", show(rep))
	}
	for name, want := range map[string]string{
		"qmail":        "failure qmail " + orig + " | old@forwarder.example failed 5.1.1 550 uncertain bad address | old@forwarder.example failed 5.1.2 0 uncertain bad domain",
		"sendmail-old": "failure sendmail " + orig + " | old@forwarder.example failed 5.1.1 550 hard bad address",
		"autoreply":    "auto-reply - - | old@forwarder.example  - 0 uncertain ",
		"newsletter":   "unknown - - | old@forwarder.example  - 0 uncertain ",
	} {
		rep := parse(t, p, read(t, name), env)
		if got := show(rep); got != want || !rep.Recipients[0].Proven {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
	if rep := parse(t, p, read(t, "sendmail-old"), bounce.Envelope{To: []smtp.Path{path("news+aaaaaaaa=old=forwarder.example@lists.example")}}); rep.Recipients[0].Proven {
		t.Errorf("a forged reverse-path proves %+v", rep.Recipients)
	}
}

// A status and words that do not agree leave doubt (B2).
func TestClassify(t *testing.T) {
	for _, test := range []struct{ action, status, text, want string }{
		{"failed", "5.1.1", "", "hard"},
		{"failed", "5.1.1", "550 5.1.1 unknown user, or blocked", "hard"},
		{"failed", "5.1.1", "550 5.1.1 mailbox full", "uncertain"},
		{"failed", "5.0.0", "550 mailbox unavailable", "uncertain"},
		{"failed", "5.0.0", "", "uncertain"},
		{"failed", "", "550 no such user", "hard"},
		{"failed", "", "450 no such user", "soft"},
		{"failed", "5.7.1", "550 5.7.1 no such user", "uncertain"},
		{"failed", "5.7.1", "550 5.7.1 message rejected", "soft"},
		{"failed", "5.4.1", "550 5.4.1 Recipient address rejected: Access denied", "hard"},
		{"failed", "5.2.2", "552 5.2.2 user unknown", "soft"},
		{"failed", "4.4.7", "expired", "soft"},
		{"failed", "5.2.1", "", "hard"},
		{"failed", "5.1.8", "bad sender", "soft"},
		{"failed", "2.0.0", "", "uncertain"},
		{"delayed", "4.1.1", "no such user", "soft"},
		{"delivered", "2.1.5", "no such user", "good"},
		{"", "5.1.1", "", "hard"},
		{"", "", "no such user", "uncertain"},
		{"odd", "4.2.2", "", "soft"},
	} {
		msg := "Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@b.example\nAction: " + test.action + "\nStatus: " + test.status + "\nDiagnostic-Code: smtp; " + test.text + "\n"
		rep := parse(t, &bounce.Parser{}, []byte(msg), bounce.Envelope{})
		if len(rep.Recipients) != 1 || rep.Recipients[0].Class.String() != test.want {
			t.Errorf("%+v: %s", test, show(rep))
		}
	}
}

// Ten thousand recipients are read, more are not, and a report of many octets
// ends in time.
func TestBounds(t *testing.T) {
	var b strings.Builder
	b.WriteString("Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n")
	for i := range bounce.MaxRecipients + 100 {
		fmt.Fprintf(&b, "\nFinal-Recipient: rfc822; u%d@b.example\nAction: failed\nStatus: 5.1.1\n", i)
	}
	rep := parse(t, &bounce.Parser{}, []byte(b.String()), bounce.Envelope{})
	if n := len(rep.Recipients); n != bounce.MaxRecipients || rep.Recipients[n-1].Final != fmt.Sprintf("u%d@b.example", n-1) {
		t.Errorf("%d recipients", n)
	}
	for _, body := range []string{strings.Repeat("<", 1<<20), strings.Repeat("<a@b.example>:\n", 1<<16), strings.Repeat("a@b.example\n", 1<<16), "Hi. This is the\n\n" + strings.Repeat("<a@b.example>:\n", 1<<16)} {
		for _, typ := range []string{"text/plain", "text/html", "message/delivery-status"} {
			parse(t, &bounce.Parser{}, []byte("From: mailer-daemon@x.example\nContent-Type: "+typ+"\n\n"+body), bounce.Envelope{})
		}
	}
	if _, err := (&bounce.Parser{}).Parse(broken{}, 100, bounce.Envelope{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a reader that fails: %v", err)
	}
}

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, io.ErrClosedPipe }

// Whatever the message: what comes out is bounded and of one line, Hard is only
// for those who failed, and only what a reverse-path says is proven.
// flaky fails at one of its reads.
type flaky struct {
	io.ReaderAt
	left int
}

func (f *flaky) ReadAt(p []byte, off int64) (int, error) {
	if f.left--; f.left == 0 {
		return 0, io.ErrClosedPipe
	}
	return f.ReaderAt.ReadAt(p, off)
}

// TestReadError: whichever read fails, a report is never taken for no report.
func TestReadError(t *testing.T) {
	b := read(t, "feedback")
	for n := 1; ; n++ {
		r := &flaky{bytes.NewReader(b), n}
		rep, err := new(bounce.Parser).Parse(r, int64(len(b)), bounce.Envelope{})
		if r.left > 0 {
			if err != nil || rep.Kind != bounce.Feedback || n < 4 {
				t.Errorf("%d reads: %v, %v", n-1, rep, err)
			}
			return
		}
		if err == nil {
			t.Errorf("read %d of the message fails, and nothing is said of it: %v", n, rep.Kind)
		}
	}
}

func FuzzParse(f *testing.F) {
	for name := range samples() {
		f.Add(read(f, name), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, null bool) {
		env := bounce.Envelope{}
		if !null {
			env.From.Path = path("a@b.example")
		}
		rep := parse(t, &bounce.Parser{}, b, env)
		if len(rep.Recipients) > bounce.MaxRecipients || len(rep.Header) > 64<<10 || strings.ContainsAny(rep.MessageID+rep.EnvelopeID+rep.ReportingMTA, "\r\n\x00") {
			t.Fatalf("%+v", rep)
		}
		if rep.Kind == bounce.Unknown && rep.Format == "" && len(rep.Recipients) > 0 {
			t.Fatalf("recipients of nothing: %+v", rep)
		}
		for _, r := range rep.Recipients {
			if strings.ContainsAny(r.Final+r.Original+r.Diagnostic+r.RemoteMTA, "\r\n\x00") || len(r.Diagnostic) > 1000 || r.Proven {
				t.Fatalf("%+v", r)
			}
			if r.Class == bounce.Hard && (r.Action == bounce.Delayed || r.Action == bounce.Delivered || r.Status.Class == 4) {
				t.Fatalf("hard: %+v", r)
			}
			if _, err := smtp.ParseForwardPath("<"+r.Sent.String()+">", true); !r.Sent.IsZero() && err != nil {
				t.Fatalf("sent to %v: %v", r.Sent, err)
			}
		}
	})
}
