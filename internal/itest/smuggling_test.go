package itest

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// delivery is how long a local delivery may take on a busy machine.
const delivery = 10 * time.Second

// smuggled is what an attacker hides in a message.
const smuggled = "MAIL FROM:<evil@remote.example>\r\nRCPT TO:<" + bob + ">\r\nDATA\r\nSubject: smuggled\r\n\r\nsmuggled\r\n"

// TestSmuggling sends what some server somewhere takes for the end of DATA. It
// is not: only CRLF.CRLF is (RFC 5321 §4.1.1.4). The whole text is one message,
// which a bare CR or LF gets refused with one reply; no command in it is
// obeyed.
func TestSmuggling(t *testing.T) {
	s := newServer(t)
	for _, end := range []string{
		"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\n.\r", "\r.\n",
		"\r\n.\r\r\n", "\r\r\n.\r\r\n", "\n\r\n.\n", "\r\n.\n\r\n", "\n\n.\n\n",
		"\r\n\x00.\r\n", "\r\n.\x00\r\n", "\r\n.\r\x00\n", "\r\n. \r\n", "\r\n..\r\n", "\r\n.\t\r\n",
	} {
		t.Run(fmt.Sprintf("%q", end), func(t *testing.T) {
			sc := s.mx(t)
			begin(t, sc)
			flight := "Subject: outer\r\n\r\nouter" + end + smuggled + ".\r\n"
			if err := sc.send(flight); err != nil {
				t.Fatal(err)
			}
			got, err := sc.reply()
			if err != nil {
				t.Fatalf("no reply to the message: %v", err)
			}
			bare := strings.ContainsAny(strings.ReplaceAll(end, "\r\n", ""), "\r\n")
			if bare && got[0] != '5' {
				t.Errorf("a bare CR or LF was answered with %q", got)
			}
			sc.send("QUIT\r\n")
			replies, err := sc.rest()
			if err != nil {
				t.Fatal(err)
			}
			if len(replies) > 1 || len(replies) == 1 && !strings.HasPrefix(replies[0], "221") {
				t.Errorf("after the reply %q the server went on with %q", got, replies)
			}
		})
	}
	onlySentinel(t, s, bob, 0)
	for _, body := range s.login(t, alice, "INBOX").bodies() {
		if !strings.Contains(body, "Subject: outer") {
			t.Errorf("not the outer message: %q", body)
		}
	}
}

// begin opens a transaction up to the 354.
func begin(t *testing.T, sc *smtpConn) {
	t.Helper()
	recipients(t, sc)
	sc.mustCmd(t, "354", "DATA")
}

// recipients opens a transaction up to its one recipient.
func recipients(t *testing.T, sc *smtpConn) {
	t.Helper()
	sc.mustCmd(t, "250", "MAIL FROM:<sender@remote.example>")
	sc.mustCmd(t, "250", "RCPT TO:<"+alice+">")
}

// onlySentinel delivers one message more and asserts that the mailbox then
// holds that one and n others: whatever was accepted before would be there.
func onlySentinel(t *testing.T, s *mailserver, user string, n int) (others []string) {
	t.Helper()
	sent := message(424242)
	if err := s.mx(t).deliver("sender@remote.example", user, sent, false); err != nil {
		t.Fatal(err)
	}
	ic := s.login(t, user, "INBOX")
	var bodies []string
	sentinel := func(b string) bool { return strings.HasSuffix(b, string(sent)) }
	eventually(t, delivery, "the last message is not delivered", func() bool {
		bodies = ic.bodies()
		return slices.ContainsFunc(bodies, sentinel)
	})
	others = slices.DeleteFunc(bodies, sentinel)
	if len(others) != n {
		t.Errorf("%s has %d messages, want %d: %.500q", user, len(others), n, others)
	}
	return others
}

// TestTruncated ends the connection before the message does. It is never
// acknowledged and never delivered.
func TestTruncated(t *testing.T) {
	s := newServer(t)
	long := strings.Repeat("0123456789abcdef\r\n", 20000)
	for _, tc := range []struct {
		name  string
		data  bool
		bytes string
	}{
		{"DATA, nothing", true, ""},
		{"DATA, header", true, "Subject: x\r\n"},
		{"DATA, body", true, "Subject: x\r\n\r\nbody\r\n"},
		{"DATA, dot", true, "Subject: x\r\n\r\nbody\r\n."},
		{"DATA, dot CR", true, "Subject: x\r\n\r\nbody\r\n.\r"},
		{"DATA, long", true, "Subject: x\r\n\r\n" + long},
		{"BDAT, nothing of the chunk", false, "BDAT 50 LAST\r\n"},
		{"BDAT, part of the last chunk", false, "BDAT 50 LAST\r\nSubject: x\r\n\r\nbody\r\n"},
		{"BDAT, one octet short", false, "BDAT 21 LAST\r\nSubject: x\r\n\r\nbody\r\n"},
		{"BDAT, part of a chunk", false, "BDAT 50\r\nSubject: x\r\n\r\nbody\r\n"},
		{"BDAT, chunk without LAST", false, "BDAT 20\r\nSubject: x\r\n\r\nbody\r\n"},
		{"BDAT, second chunk cut", false, "BDAT 20\r\nSubject: x\r\n\r\nbody\r\nBDAT 9 LAST\r\nxx"},
		{"BDAT, long", false, "BDAT 400000 LAST\r\n" + long},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sc := s.mx(t)
			if tc.data {
				begin(t, sc)
			} else {
				recipients(t, sc)
			}
			if err := sc.send(tc.bytes); err != nil {
				t.Fatal(err)
			}
			sc.c.(*net.TCPConn).CloseWrite()
			replies, err := sc.rest()
			if err != nil {
				t.Fatalf("the connection stays open: %v", err)
			}
			chunks := strings.Count(tc.bytes, "BDAT 20\r\n") // complete, and not the last
			for _, r := range replies {
				if r[0] == '2' {
					chunks--
				}
			}
			if chunks < 0 {
				t.Errorf("a truncated message was acknowledged: %q", replies)
			}
		})
	}
	onlySentinel(t, s, alice, 0)
}

// TestBDATIsData asserts that a chunk is never read as commands, whether the
// BDAT was welcome or not (RFC 3030 §2).
func TestBDATIsData(t *testing.T) {
	s := newServer(t)
	chunk := "Subject: chunk\r\n\r\n\r\n.\r\nRSET\r\n" + smuggled + ".\r\n"
	bdat := fmt.Sprintf("BDAT %d LAST\r\n%s", len(chunk), chunk)
	quit := func(t *testing.T, sc *smtpConn, code string) {
		t.Helper()
		if err := sc.send(bdat + "QUIT\r\n"); err != nil {
			t.Fatal(err)
		}
		replies, err := sc.rest()
		if err != nil {
			t.Fatal(err)
		}
		if len(replies) != 2 || !strings.HasPrefix(replies[0], code) || !strings.HasPrefix(replies[1], "221") {
			t.Errorf("replies %q, want %s and 221", replies, code)
		}
	}
	t.Run("welcome", func(t *testing.T) {
		sc := s.mx(t)
		recipients(t, sc)
		quit(t, sc, "250")
	})
	t.Run("without MAIL", func(t *testing.T) { quit(t, s.mx(t), "503") })
	t.Run("without a recipient", func(t *testing.T) {
		sc := s.mx(t)
		sc.mustCmd(t, "250", "MAIL FROM:<sender@remote.example>")
		quit(t, sc, "503")
	})
	t.Run("all recipients refused", func(t *testing.T) {
		sc := s.mx(t)
		sc.mustCmd(t, "250", "MAIL FROM:<sender@remote.example>")
		sc.mustCmd(t, "550", "RCPT TO:<nobody@example.org>")
		quit(t, sc, "5")
	})
	t.Run("unreadable size", func(t *testing.T) {
		sc := s.mx(t)
		recipients(t, sc)
		if err := sc.send("BDAT 1x LAST\r\n" + chunk); err != nil {
			t.Fatal(err)
		}
		replies, err := sc.rest()
		if err != nil || len(replies) != 1 || !strings.HasPrefix(replies[0], "501") {
			t.Errorf("replies %q, %v; want one 501 and the end", replies, err)
		}
	})
	onlySentinel(t, s, bob, 0)
	others := onlySentinel(t, s, alice, 1)
	if len(others) == 1 {
		if _, err := front([]byte(others[0]), []byte(chunk), "sender@remote.example"); err != nil {
			t.Error(err)
		}
	}
}

// TestInjectedCommands asserts that nothing sent in the clear behind STARTTLS
// is obeyed, nor what comes with EHLO or before the 354.
func TestInjectedCommands(t *testing.T) {
	s := newServer(t)
	for _, tc := range []struct{ name, before, flight string }{
		{"STARTTLS", "", "STARTTLS\r\nMAIL FROM:<evil@remote.example>\r\n"},
		{"EHLO", "", "EHLO client.example\r\nMAIL FROM:<evil@remote.example>\r\n"},
		{"DATA", "MAIL FROM:<sender@remote.example>\r\nRCPT TO:<" + alice + ">\r\n", "DATA\r\nSubject: early\r\n\r\nearly\r\n.\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sc := s.mx(t)
			for line := range strings.Lines(tc.before) {
				sc.mustCmd(t, "250", strings.TrimRight(line, "\r\n"))
			}
			if err := sc.send(tc.flight); err != nil {
				t.Fatal(err)
			}
			replies, err := sc.rest()
			if err != nil || len(replies) != 1 || !strings.HasPrefix(replies[0], "554") {
				t.Errorf("replies %q, %v; want one 554 and the end", replies, err)
			}
		})
	}
	onlySentinel(t, s, alice, 0)
}
