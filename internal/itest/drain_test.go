package itest

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestDrain asserts what SIGTERM promises: idle clients are told, and the
// program exits with status 0 in less than 5 s.
func TestDrain(t *testing.T) {
	s := newServer(t)
	var idle []*imapConn
	for i := range 20 {
		ic := s.login(t, alice, "INBOX")
		if i%2 == 0 { // half of them in IDLE, half between commands
			fmt.Fprintf(ic.c, "idle IDLE\r\n")
			if line, _ := ic.line(); !strings.HasPrefix(line, "+") {
				t.Fatalf("IDLE: %q", line)
			}
		}
		idle = append(idle, ic)
	}
	var smtp []*smtpConn
	for range 5 {
		smtp = append(smtp, s.mx(t))
	}
	s.terminate()
	if err := s.wait(5 * time.Second); err != nil {
		t.Fatalf("after SIGTERM: %v", err)
	}
	for i, ic := range idle {
		ic.c.SetDeadline(time.Now().Add(5 * time.Second))
		line, err := ic.r.ReadString('\n')
		for err == nil && !strings.HasPrefix(line, "* BYE") {
			line, err = ic.r.ReadString('\n')
		}
		if err != nil {
			t.Errorf("IMAP client %d: %v, without a BYE", i, err)
		}
	}
	for i, sc := range smtp {
		if r, err := sc.want("421"); err != nil {
			t.Errorf("SMTP client %d: %q, %v", i, r, err)
		}
	}
}
