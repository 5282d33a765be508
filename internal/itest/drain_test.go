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
	mailOpen, inData := s.mx(t), s.mx(t)
	recipients(t, mailOpen)
	begin(t, inData)
	inData.send("Subject: half\r\n")
	idlePOP3 := s.pop3(t, bob)
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
	idlePOP3.want("-ERR [SYS/TEMP]")
	for i, sc := range append(smtp, mailOpen, inData) {
		if r, err := sc.want("421"); err != nil {
			t.Errorf("SMTP client %d: %q, %v", i, r, err)
		}
	}
}

// TestDrainFinishes asserts that a message under way at SIGTERM may end, and
// that its 250 holds.
func TestDrainFinishes(t *testing.T) {
	s := newServer(t)
	sc := s.mx(t)
	begin(t, sc)
	sent := message(3)
	half := len(dotStuff(sent)) / 2
	sc.send(dotStuff(sent)[:half])
	s.terminate()
	eventually(t, 2*time.Second, "the server does not drain", func() bool { return !s.healthy() })
	if err := sc.send(dotStuff(sent)[half:] + ".\r\n"); err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"250", "421"} {
		if _, err := sc.want(code); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.wait(5 * time.Second); err != nil {
		t.Fatalf("after SIGTERM: %v", err)
	}
	s.start()
	checkDelivered(t, []byte(s.login(t, alice, "INBOX").waitFor(1)[0]), sent, "sender@remote.example")
}
