package itest

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"time"
)

func TestUnknownRecipients(t *testing.T) {
	s := newServer(t)
	sc := s.mx(t)
	sc.mustCmd(t, "250", "MAIL FROM:<sender@remote.example>")
	sc.mustCmd(t, "550 5.1.1", "RCPT TO:<nobody@example.org>")
	sc.mustCmd(t, "550 5.7.1", "RCPT TO:<someone@foreign.example>")
	sc.mustCmd(t, "250", "RCPT TO:<"+alice+">")
	sc.mustCmd(t, "250", "RCPT TO:<PostMaster>")
	sc.mustCmd(t, "250", "RCPT TO:<postmaster@example.org>")
	sc.mustCmd(t, "221", "QUIT")
}

// TestWrongPassword asserts the codes by which a client tells a wrong password
// from other failures (RFC 4954 §6, RFC 9051 §7.1, RFC 3206 §4).
func TestWrongPassword(t *testing.T) {
	s := newServer(t)
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + alice + "\x00wrong"))
	for _, tc := range []struct {
		listener string
		greeting string
		script   [][2]string // what to send, and how the answer begins
	}{
		{"submissions", "220", [][2]string{{"EHLO client.example", "250"}, {"AUTH PLAIN " + plain, "535"}}},
		{"imaps", "* OK", [][2]string{{"a LOGIN " + alice + " wrong", "a NO [AUTHENTICATIONFAILED]"}}},
		{"pop3s", "+OK", [][2]string{{"USER " + alice, "+OK"}, {"PASS wrong", "-ERR [AUTH]"}}},
	} {
		t.Run(tc.listener, func(t *testing.T) {
			c, err := tls.Dial("tcp", s.ports[tc.listener], insecure())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(30 * time.Second))
			r := bufio.NewReader(c)
			expect(t, r, tc.greeting)
			for _, step := range tc.script {
				if _, err := io.WriteString(c, step[0]+"\r\n"); err != nil {
					t.Fatal(err)
				}
				expect(t, r, step[1])
			}
		})
	}
}

// expect reads lines, past the continued lines of an SMTP reply and untagged
// responses of IMAP, and wants the answer.
func expect(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, want) && (len(line) < 4 || line[3] != '-' || line[0] < '0' || line[0] > '9') {
			return
		}
		more := len(line) > 3 && line[3] == '-' && line[0] >= '0' && line[0] <= '9'
		if !more && !strings.HasPrefix(line, "* ") {
			t.Fatalf("answer %q, want %q", line, want)
		}
	}
}

// TestNoPasswordsInTheClear asserts that without TLS, and without
// -plaintext-auth, no listener takes a password.
func TestNoPasswordsInTheClear(t *testing.T) {
	s := newServer(t)
	sc, err := s.dialSMTP("submission")
	if err != nil {
		t.Fatal(err)
	}
	defer sc.c.Close()
	if ehlo := sc.mustCmd(t, "250", "EHLO client.example"); strings.Contains(ehlo, "AUTH") {
		t.Errorf("AUTH is announced before TLS: %q", ehlo)
	}
	right := base64.StdEncoding.EncodeToString([]byte("\x00" + alice + "\x00" + password))
	sc.mustCmd(t, "5", "AUTH PLAIN "+right)
	runPeer(t, true, "curl", "-sS", "-u", alice+":"+password, "imap://"+s.ports["imap"]+"/INBOX;MAILINDEX=1")
	runPeer(t, true, "curl", "-sS", "-u", alice+":"+password, "pop3://"+s.ports["pop3"]+"/1")
}
