package itest

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestDSN asserts that what the submission port announces as DSN is kept: a
// report of success comes back where it was asked for, with what was said in
// ENVID, RET and ORCPT, and none where it was not.
func TestDSN(t *testing.T) {
	needServer(t)
	s := newServer(t)
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + alice + "\x00" + password))
	sc := dialogue(t, s, "submissions", []step{
		{"EHLO client.example", "250"},
		{"AUTH PLAIN " + plain, "235"},
		{"MAIL FROM:<" + alice + "> RET=HDRS ENVID=QQ+2B314", "250"},
		{"RCPT TO:<" + bob + "> NOTIFY=NEVER", "250"},
		{"DATA", "354"},
		{"Subject: silent\r\n\r\nbody of one\r\n.", "250"},
		{"MAIL FROM:<" + alice + "> RET=HDRS ENVID=QQ+2B314", "250"},
		{"RCPT TO:<" + bob + "> NOTIFY=SUCCESS ORCPT=rfc822;Bob+2B@Example.ORG", "250"},
		{"DATA", "354"},
		{"Subject: reported\r\n\r\nbody of two\r\n.", "250"},
	})
	defer sc.c.Close()
	s.login(t, bob, "INBOX").waitFor(2)
	report := s.login(t, alice, "INBOX").waitFor(1)[0]
	for _, want := range []string{
		"Original-Envelope-Id: QQ+314\r\n", "Original-Recipient: rfc822;Bob+@Example.ORG\r\n", "Action: delivered\r\n",
		"Final-Recipient: rfc822;" + bob + "\r\n", "Subject: reported\r\n",
	} {
		if !strings.Contains(strings.ReplaceAll(report, "; ", ";"), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if strings.Contains(report, "body of") {
		t.Error("RET=HDRS brought the body")
	}
	if t.Failed() {
		t.Log(report)
	}
}

// TestHoldFor asserts that a message is held as long as its sender asked for
// (FUTURERELEASE), also over a restart.
func TestHoldFor(t *testing.T) {
	needServer(t)
	s := newServer(t)
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + alice + "\x00" + password))
	sc := dialogue(t, s, "submissions", []step{
		{"EHLO client.example", "250"},
		{"AUTH PLAIN " + plain, "235"},
		{"MAIL FROM:<" + alice + "> HOLDFOR=604801", "501"},
		{"MAIL FROM:<" + alice + "> HOLDFOR=4", "250"},
		{"RCPT TO:<" + bob + ">", "250"},
		{"DATA", "354"},
		{"Subject: later\r\n\r\nx\r\n.", "250"},
	})
	sent := time.Now()
	sc.c.Close()
	s.kill()
	s.start()
	s.login(t, bob, "INBOX").waitFor(1)
	if held := time.Since(sent); held < 3*time.Second {
		t.Errorf("delivered after %v", held)
	}
}

// TestBinary asserts that a body of any octets (BINARYMIME) comes back as it
// was sent.
func TestBinary(t *testing.T) {
	needServer(t)
	s := newServer(t)
	body := "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n" +
		"a\x00b\nc\rd\r\n.\r\n\xff\xfe\r\n..\n.\n"
	sc := s.mx(t)
	sc.mustCmd(t, "250", "MAIL FROM:<a@remote.example> BODY=BINARYMIME")
	sc.mustCmd(t, "250", "RCPT TO:<"+alice+">")
	if err := sc.send(fmt.Sprintf("BDAT %d LAST\r\n%s", len(body), body)); err != nil {
		t.Fatal(err)
	}
	if _, err := sc.want("250"); err != nil {
		t.Fatal(err)
	}
	if got := s.login(t, alice, "INBOX").waitFor(1)[0]; !strings.HasSuffix(got, body) {
		t.Errorf("came back as %q", got)
	}
}
