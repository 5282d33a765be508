package itest

import (
	"strings"
	"testing"
	"time"
)

// A step is one command and the beginnings that its reply may have, separated
// by "|".
type step struct{ send, want string }

// dialogue runs steps on a new connection to a listener.
func dialogue(t *testing.T, s *mailserver, listener string, steps []step) *smtpConn {
	t.Helper()
	sc, err := s.dialSMTP(listener)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sc.c.Close() })
	for _, st := range steps {
		if err := sc.send(st.send + "\r\n"); err != nil {
			t.Fatal(err)
		}
		got, err := sc.reply()
		if err != nil {
			t.Fatalf("%.60q: %v after %q", st.send, err, got)
		}
		if !hasPrefix(got, strings.Split(st.want, "|")) {
			t.Errorf("%.60q: reply %q, want %s", st.send, got, st.want)
		}
	}
	return sc
}

func hasPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// TestReplies asserts the codes of refusals on the MX port (RFC 5321 §4.2,
// RFC 1869 §4, RFC 1870 §6, RFC 6531 §3.5).
func TestReplies(t *testing.T) {
	s := newServer(t)
	ehlo := step{"EHLO client.remote.example", "250"}
	mail, rcpt := step{"MAIL FROM:<a@remote.example>", "250"}, step{"RCPT TO:<" + alice + ">", "250"}
	for _, tc := range []struct {
		name  string
		steps []step
	}{
		{"before EHLO", []step{{"MAIL FROM:<>", "503"}, {"RCPT TO:<" + alice + ">", "503"}, {"DATA", "503"}, {"BDAT 0 LAST", "503"}}},
		{"order", []step{
			ehlo,
			{"RCPT TO:<" + alice + ">", "503"},
			mail,
			{"MAIL FROM:<b@remote.example>", "503"},
			{"DATA", "503"},
			rcpt,
			{"RSET", "250"},
			{"RCPT TO:<" + alice + ">", "503"},
			{"DATA", "503"},
		}},
		{"no recipient left", []step{ehlo, mail, {"RCPT TO:<nobody@example.org>", "550 5.1.1"}, {"DATA", "503|554"}}},
		{"bad parameters", []step{
			ehlo,
			{"MAIL FROM:<a@remote.example> SIZE=1 SIZE=1", "501"},
			{"MAIL FROM:<a@remote.example> SIZE=x", "501"},
			{"MAIL FROM:<a@remote.example> BODY=9BIT", "501"},
			{"MAIL FROM:<a@remote.example> NONSENSE=1", "555"},
			mail,
			{"RCPT TO:<" + alice + "> NONSENSE", "555"},
			rcpt,
		}},
		{"bad arguments", []step{
			ehlo,
			{"MAIL", "501"},
			{"MAIL FROM:", "501"},
			{"MAIL FROM:<a", "501"},
			{"MAIL TO:<a@remote.example>", "501"},
			mail,
			{"RCPT TO:<>", "501"},
			{"RCPT TO:<alice>", "501|550"},
		}},
		{"declared size", []step{ehlo, {"MAIL FROM:<a@remote.example> SIZE=35000001", "552"}, {"MAIL FROM:<a@remote.example> SIZE=35000000", "250"}}},
		{"unknown verb", []step{ehlo, {"XYZZY", "500"}, {"NOOP", "250"}}},
		{"line too long", []step{ehlo, {"NOOP " + strings.Repeat("x", 4000), "500"}, {"NOOP", "250"}}},
		{"VRFY and EXPN", []step{ehlo, {"VRFY alice", "252|502"}, {"EXPN alice", "252|502"}}},
		{"AUTH on the MX port", []step{ehlo, {"AUTH PLAIN AAAA", "5"}}},
		{"LHLO", []step{{"LHLO client.remote.example", "5"}}},
		{"needs SMTPUTF8", []step{ehlo, {"MAIL FROM:<jürgen@remote.example>", "553"}, mail, {"RCPT TO:<jürgen@example.org>", "553"}}},
		{"SMTPUTF8", []step{ehlo, {"MAIL FROM:<jürgen@remote.example> SMTPUTF8", "250"}, {"RCPT TO:<jürgen@example.org>", "550 5.1.1"}, rcpt}},
		{"null sender, odd spellings", []step{
			ehlo,
			{"mail from:<>", "250"},
			{"rcpt to:<ALICE@Example.ORG>", "250"},
			{`RCPT TO:<"alice"@example.org>`, "250"},
			{"RCPT TO:<@a.example,@b.example:" + alice + ">", "250"},
			{"RCPT TO:<alice+tag@example.org>", "250"},
		}},
		{"postmaster", []step{
			ehlo, mail,
			{"RCPT TO:<postmaster>", "250"},
			{"RCPT TO:<POSTMASTER>", "250"},
			{"RCPT TO:<PostMaster@EXAMPLE.org>", "250"},
			{"RCPT TO:<postmaster@foreign.example>", "550 5.7.1"},
		}},
		{"foreign recipient", []step{ehlo, mail, {"RCPT TO:<x@foreign.example>", "550 5.7.1"}, {"RCPT TO:<alice@[127.0.0.1]>", "550"}}},
	} {
		t.Run(tc.name, func(t *testing.T) { dialogue(t, s, "smtp", tc.steps) })
	}
	t.Run("submission without AUTH", func(t *testing.T) {
		dialogue(t, s, "submissions", []step{ehlo, {"MAIL FROM:<" + alice + ">", "530"}, {"AUTH NONSENSE", "504"}, {"AUTH PLAIN !", "501"}})
		dialogue(t, s, "submission", []step{ehlo, {"AUTH PLAIN AAAA", "5"}, {"MAIL FROM:<" + alice + ">", "530"}})
	})
}

// TestAnnounced asserts what EHLO offers, and that a listener which needs no
// password asks for none.
func TestAnnounced(t *testing.T) {
	s := newServer(t)
	for listener, has := range map[string]string{
		"smtp":        "PIPELINING\r\n,SIZE 35000000\r\n,8BITMIME\r\n,SMTPUTF8\r\n,ENHANCEDSTATUSCODES\r\n,CHUNKING\r\n,STARTTLS\r\n,DSN\r\n,BINARYMIME\r\n,LIMITS RCPTMAX=1000\r\n,DELIVERBY\r\n,PRDR\r\n",
		"lmtp":        "PIPELINING\r\n,SIZE 35000000\r\n,8BITMIME\r\n,SMTPUTF8\r\n,CHUNKING\r\n,STARTTLS\r\n,BINARYMIME\r\n,LIMITS RCPTMAX=1000\r\n",
		"submission":  "STARTTLS\r\n,SIZE 35000000\r\n",
		"submissions": "SIZE 35000000\r\n,DSN\r\n,DELIVERBY\r\n,MT-PRIORITY\r\n,FUTURERELEASE ,REQUIRETLS\r\n,AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN\r\n",
	} {
		sc, err := s.dialSMTP(listener)
		if err != nil {
			t.Fatal(err)
		}
		hello := "EHLO client.example"
		if listener == "lmtp" {
			hello = "LHLO client.example"
		}
		ehlo := sc.mustCmd(t, "250", hello) + "\r\n"
		for _, want := range strings.Split(has, ",") {
			if !strings.Contains(ehlo, want) {
				t.Errorf("%s does not announce %q: %q", listener, want, ehlo)
			}
		}
		for _, never := range map[string][]string{
			"smtp": {"AUTH", "MT-PRIORITY", "FUTURERELEASE", "REQUIRETLS"}, // the last without TLS
			"lmtp": {"DSN", "PRDR", "DELIVERBY", "REQUIRETLS"},
		}[listener] {
			if strings.Contains(ehlo, never) {
				t.Errorf("%s offers %s: %q", listener, never, ehlo)
			}
		}
		sc.c.Close()
	}
}

// TestErrorsEnd asserts that refused commands slow a session down, that what is
// owed leaves before the deliberate wait, and that the 20th is the last.
func TestErrorsEnd(t *testing.T) {
	s := newServer(t)
	sc := s.mx(t)
	for range 10 {
		sc.mustCmd(t, "500", "XYZZY")
	}
	if err := sc.send("NOOP\r\nXYZZY\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := sc.want("250"); err != nil {
		t.Fatal(err)
	}
	held := time.Now()
	if _, err := sc.want("500"); err != nil {
		t.Fatal(err)
	}
	if wait := time.Since(held); wait < 500*time.Millisecond {
		t.Errorf("the 11th error was answered %v behind the reply before it: held back, or not delayed", wait)
	}
	for range 8 {
		sc.mustCmd(t, "500", "XYZZY")
	}
	sc.mustCmd(t, "421", "XYZZY")
	if rest, err := sc.rest(); err != nil || len(rest) > 0 {
		t.Errorf("after the 421: %q, %v", rest, err)
	}
}

// TestRefusedBody asserts one reply behind the true end of a message that is
// refused, and a session that goes on.
func TestRefusedBody(t *testing.T) {
	s := newServer(t)
	for _, tc := range []struct{ name, body, want string }{
		{"bare LF", "Subject: x\r\n\r\na\nb\r\n", "550 5.6.0"},
		{"loop", strings.Repeat("Received: x\r\n", 51) + "\r\n", "554 5.4.6"},
		{"many fields", strings.Repeat("X: y\r\n", 2001) + "\r\n", "552 5.3.4"},
		{"large header", "X: " + strings.Repeat(strings.Repeat("y", 900)+"\r\n ", 400) + "\r\n\r\n", "552 5.3.4"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sc := s.mx(t)
			for _, bdat := range []bool{false, true} {
				err := sc.deliver("sender@remote.example", alice, []byte(tc.body+"NOOP\r\n"), bdat)
				if bdat && err != nil && strings.Contains(err.Error(), tc.want) {
					sc.mustCmd(t, "250", "RSET") // the first of two chunks may be the refused one
					continue
				}
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Fatalf("bdat %v: %v, want %s", bdat, err, tc.want)
				}
				sc.mustCmd(t, "250", "RSET")
			}
		})
	}
	onlySentinel(t, s, alice, 0)
}

// TestGroups asserts that the command groups of RFC 2920 §3.1 are never taken
// for a violation.
func TestGroups(t *testing.T) {
	s := newServer(t)
	sc := s.mx(t)
	const open = "MAIL FROM:<>\r\nRCPT TO:<nobody@example.org>\r\nRCPT TO:<" + alice + ">\r\n"
	for _, flight := range []struct{ send, want string }{
		{"RSET\r\n" + open + "DATA\r\n", "250 250 550 250 354"},
		{"A: 1\r\n\r\n.\r\n" + open + "DATA\r\n", "250 250 550 250 354"},
		{"A: 2\r\n\r\n.\r\n" + open + "BDAT 4\r\nA: 3BDAT 4 LAST\r\n\r\n\r\nNOOP\r\nVRFY x\r\n", "250 250 550 250 250 250 250 252"},
		{"QUIT\r\n", "221"},
	} {
		if err := sc.send(flight.send); err != nil {
			t.Fatal(err)
		}
		for _, code := range strings.Fields(flight.want) {
			if r, err := sc.want(code); err != nil {
				t.Fatalf("%.40q: %q, %v", flight.send, r, err)
			}
		}
	}
	s.login(t, alice, "INBOX").waitFor(3)
}
