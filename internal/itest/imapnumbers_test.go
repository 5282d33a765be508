package itest

import (
	"strings"
	"testing"
)

// TestIMAPNumbers asserts that numbers which the grammar has not are BAD
// (RFC 9051 §9: nz-number, number of 32 bits).
func TestIMAPNumbers(t *testing.T) {
	s := newServer(t)
	ic := s.login(t, alice, "INBOX")
	for _, command := range []string{
		"FETCH 0 FLAGS", "FETCH 1:0 FLAGS", "FETCH 1,0 FLAGS", "FETCH 4294967296 FLAGS", "FETCH -1 FLAGS", "FETCH 1a FLAGS",
		"UID FETCH 0 FLAGS", "UID FETCH 1:4294967296 FLAGS", "UID FETCH 99999999999999999999 FLAGS",
		`STORE 0 FLAGS (\Seen)`, "COPY 0 INBOX", "SEARCH 0", "UID SEARCH UID 0", "UID SEARCH UID 4294967296",
		"FETCH 1 BODY[0]", "FETCH 1 BODY[]<0.0>",
	} {
		if status := ic.command(nil, "%s", command); !strings.HasPrefix(status, "BAD") {
			t.Errorf("%s: %q, want BAD", command, status)
		}
		ic.ok("NOOP")
	}
}

// TestIMAPWithoutTLS asserts that IMAP in the clear refuses passwords, and
// takes them behind STARTTLS.
func TestIMAPWithoutTLS(t *testing.T) {
	s := newServer(t)
	ic := s.dialPlainIMAP(t)
	capabilities := func() (all string) {
		ic.command(func(line string, _ []string) { all = line + " " }, "CAPABILITY")
		return all
	}
	if c := capabilities(); !strings.Contains(c, " LOGINDISABLED ") || !strings.Contains(c, " STARTTLS ") || strings.Contains(c, "AUTH=") {
		t.Errorf("capabilities without TLS: %s", c)
	}
	for _, command := range []string{"LOGIN " + alice + ` "` + password + `"`, "AUTHENTICATE PLAIN AGEAYg=="} {
		if status := ic.command(nil, "%s", command); !strings.HasPrefix(status, "NO") {
			t.Errorf("without TLS: %q, want NO", status)
		}
	}
	ic.ok("STARTTLS")
	ic.secure()
	if c := capabilities(); strings.Contains(c, " LOGINDISABLED ") || strings.Contains(c, " STARTTLS ") || !strings.Contains(c, " AUTH=PLAIN ") {
		t.Errorf("capabilities with TLS: %s", c)
	}
	ic.ok("LOGIN %s %q", alice, password)
}

// TestPlaintextAuth asserts what -plaintext-auth opens.
func TestPlaintextAuth(t *testing.T) {
	s := newServer(t, "-plaintext-auth")
	ic := s.dialPlainIMAP(t)
	ic.ok("LOGIN %s %q", alice, password)
	runPeer(t, false, "curl", "-sS", "-u", alice+":"+password, "pop3://"+s.ports["pop3"])
	dialogue(t, s, "submission", []step{{"EHLO client.example", "250"}, {"AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldDox", "235"}})
}
