package imapurl

import (
	"bytes"
	"strings"
	"testing"
)

func TestVerify(t *testing.T) {
	const rump = "imap://joe@h/INBOX/;UID=20;EXPIRE=2026-11-28T12:00:00Z;URLAUTH=submit+fred"
	key := NewKey()
	if bytes.Equal(key, NewKey()) {
		t.Fatal("two keys are equal")
	}
	text := Authorize(rump, key)
	u, err := Parse(text)
	if err != nil || !u.Verify(key) {
		t.Fatalf("%s: %v", text, err)
	}
	if u.Verify(NewKey()) || u.Verify(nil) || u.Verify(key[1:]) {
		t.Error("another key verifies")
	}
	for _, forged := range []string{
		strings.Replace(text, "UID=20", "UID=21", 1), strings.Replace(text, "2026", "2027", 1), strings.Replace(text, "fred", "anna", 1),
		strings.Replace(text, "submit+fred", "anonymous", 1), strings.Replace(text, ":internal:", ":external:", 1),
		text[:len(text)-2], text + "00", rump,
	} {
		u, err := Parse(forged)
		if err != nil {
			t.Errorf("%s: %v", forged, err)
		}
		if u.Verify(key) {
			t.Errorf("%s verifies", forged)
		}
	}
}
