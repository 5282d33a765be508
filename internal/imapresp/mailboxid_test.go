package imapresp

import (
	"testing"

	"github.com/mailstead/mailstead/imap"
)

// A MAILBOXID of octets that are none is as one that was not said, and keeps out
// nothing else.
func TestStatusMailboxID(t *testing.T) {
	name := func(b []byte) string { return string(b) }
	for args, want := range map[string]string{
		"INBOX (MAILBOXID (F1-_a) SIZE 5)\r\n":            "F1-_a",
		"INBOX (MAILBOXID (\xfa\x11;\xcb\rV) SIZE 5)\r\n": "",
		"INBOX (MAILBOXID NIL SIZE 5 UNSEEN 1)\r\n":       "NIL",
		"INBOX (MAILBOXID () SIZE 5)\r\n":                 "",
	} {
		if want == "NIL" {
			want = ""
		}
		s, err := ParseMailboxStatus([]byte(args), name)
		if err != nil || s.MailboxID != want || s.Size != 5 || want != "" && !s.Has(imap.StatusMailboxID) {
			t.Errorf("%q: %+v, %v", args, s, err)
		}
	}
}
