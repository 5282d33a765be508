package itest

import (
	"strings"
	"testing"
)

// TestOddBodies asserts that any octets that BDAT can carry come out as they
// went in: neither a header, nor a final CRLF, nor a line length is required.
func TestOddBodies(t *testing.T) {
	s := newServer(t)
	for _, tc := range []struct{ name, body string }{
		{"no header", "just text\r\n"},
		{"header only", "Subject: x\r\n"},
		{"empty line only", "\r\n"},
		{"no final CRLF", "Subject: x\r\n\r\nno end"},
		{"long line", "Subject: x\r\n\r\n" + strings.Repeat("long ", 40_000) + "\r\n"},
		{"8 bit, not UTF-8", "Subject: x\r\n\r\n\xff\xfe\x80\r\n"},
		{"dots", "Subject: x\r\n\r\n.\r\n..\r\n.\r\n"},
		{"odd header", "Subject : x\r\nX-: y\r\n folded\r\n\r\nbody\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sc := s.mx(t)
			recipients(t, sc)
			if err := sc.bdat([]byte(tc.body), " LAST"); err != nil {
				t.Fatal(err)
			}
			ic := s.login(t, alice, "INBOX")
			got := ic.waitFor(1)
			checkDelivered(t, []byte(got[0]), []byte(tc.body), "sender@remote.example")
			ic.ok(`UID STORE 1:* +FLAGS.SILENT (\Deleted)`)
			ic.ok("EXPUNGE")
		})
	}
}

// TestForgedFields asserts that the MX port removes what only the final host
// may say (RFC 5321 §4.4, RFC 8601 §5), and nothing else.
func TestForgedFields(t *testing.T) {
	s := newServer(t)
	const rest = "X-Before: 1\r\nAuthentication-Results: elsewhere.example; spf=pass\r\nSubject: forged\r\n\r\nReturn-Path: in the body\r\n"
	forged := "Return-Path: <forged@remote.example>\r\nAuthentication-Results: mx.example.org;\r\n\tdkim=pass header.d=bank.example\r\n" + rest
	if err := s.mx(t).deliver("sender@remote.example", alice, []byte(forged), false); err != nil {
		t.Fatal(err)
	}
	got := s.login(t, alice, "INBOX").waitFor(1)[0]
	checkDelivered(t, []byte(got), []byte(rest), "sender@remote.example")
	if strings.Contains(got, "forged@remote.example") || strings.Contains(got, "bank.example") {
		t.Errorf("a forged field is still there: %q", got)
	}
}

// TestHiddenForgery asserts that lines which are no fields hide no forged one:
// readers go on behind them.
func TestHiddenForgery(t *testing.T) {
	s := newServer(t)
	for i, line := range []string{"not a field\r\n", " folded\r\n", "From somebody Mon Nov 2 2026\r\n", "\xff: 8 bit\r\n", "X y: blank in a name\r\n"} {
		sc := s.mx(t)
		recipients(t, sc)
		if err := sc.bdat([]byte(line+"Authentication-Results: mx.example.org; dkim=pass\r\nSubject: x\r\n\r\nbody\r\n"), " LAST"); err != nil {
			t.Fatal(err)
		}
		got := s.login(t, alice, "INBOX").waitFor(i + 1)[i]
		checkDelivered(t, []byte(got), []byte(line+"Subject: x\r\n\r\nbody\r\n"), "sender@remote.example")
	}
}

// TestNullSender asserts the Return-Path of a bounce.
func TestNullSender(t *testing.T) {
	s := newServer(t)
	sent := message(1)
	if err := s.mx(t).deliver("", alice, sent, false); err != nil {
		t.Fatal(err)
	}
	checkDelivered(t, []byte(s.login(t, alice, "INBOX").waitFor(1)[0]), sent, "")
}
