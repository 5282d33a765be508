package itest

import (
	"fmt"
	"strings"
	"testing"
)

// TestLMTP asserts one final reply per accepted recipient, in the order of
// RCPT (RFC 2033 §4.2), and that each of them has the message.
func TestLMTP(t *testing.T) {
	s := newServer(t)
	sc, err := s.dialSMTP("lmtp")
	if err != nil {
		t.Fatal(err)
	}
	defer sc.c.Close()
	sc.mustCmd(t, "5", "EHLO client.example")
	sc.mustCmd(t, "250", "LHLO client.example")
	sc.mustCmd(t, "250", "MAIL FROM:<sender@remote.example>")
	sc.mustCmd(t, "250", "RCPT TO:<"+alice+">")
	sc.mustCmd(t, "550 5.1.1", "RCPT TO:<nobody@example.org>")
	sc.mustCmd(t, "250", "RCPT TO:<"+bob+">")
	sc.mustCmd(t, "354", "DATA")
	sent := message(5)
	if err := sc.send(dotStuff(sent) + ".\r\n"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := sc.want("250"); err != nil {
			t.Fatal(err)
		}
	}
	sc.mustCmd(t, "221", "QUIT")
	for _, user := range []string{alice, bob} {
		checkDelivered(t, []byte(s.login(t, user, "INBOX").waitFor(1)[0]), sent, "sender@remote.example")
	}
}

// TestIdle asserts that a client in IDLE hears of a delivery (RFC 2177).
func TestIdle(t *testing.T) {
	s := newServer(t)
	ic := s.login(t, alice, "INBOX")
	fmt.Fprintf(ic.c, "idle IDLE\r\n")
	if line, _ := ic.line(); !strings.HasPrefix(line, "+") {
		t.Fatalf("IDLE: %q", line)
	}
	if err := s.mx(t).deliver("sender@remote.example", alice, message(1), false); err != nil {
		t.Fatal(err)
	}
	for {
		line, _ := ic.line() // fails after 30 s
		if line == "* 1 EXISTS" {
			break
		}
	}
	fmt.Fprintf(ic.c, "DONE\r\n")
	for {
		if line, _ := ic.line(); strings.HasPrefix(line, "idle ") {
			if !strings.HasPrefix(line, "idle OK") {
				t.Errorf("IDLE: %q", line)
			}
			break
		}
	}
}
