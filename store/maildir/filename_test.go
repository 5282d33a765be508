package maildir_test

import (
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/maildir"
)

// FuzzNames: a directory name leads back to its mailbox or account, and stays
// inside of its parent.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"a/b", "INBOX/x", "a.b/c", "..", "./.", "Été&-", "&AC4-", "%", "a\\b", `a\2eb`, `\\5c`, `.a\5c2e`, "R&D", "~", "..//"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, utf8 := range []bool{false, true} {
			name, err := store.CleanName(s)
			if err != nil || name == store.Inbox {
				break
			}
			dir := maildir.DirName(name, utf8)
			if strings.ContainsAny(dir, "/\x00") || dir == "." || dir == ".." || len(dir) > 255 {
				t.Errorf("%q lies in %q", name, dir)
			}
			if back, ok := maildir.MailboxName(dir, utf8); strings.HasPrefix(dir, ".") && (!ok || back != name) {
				t.Errorf("%q lies in %q, which is %q, %v", name, dir, back, ok)
			}
		}
		if id := store.AccountID(s); id.Check() == nil {
			dir := maildir.AccountDir(id)
			if strings.ContainsAny(dir, "/\x00") || dir[0] == '.' || len(dir) > 255 {
				t.Errorf("account %q lies in %q", id, dir)
			}
			if back, ok := maildir.AccountOf(dir); ok && back != id {
				t.Errorf("account %q lies in %q, which is %q", id, dir, back)
			}
		}
		for _, utf8 := range []bool{false, true} {
			if name, ok := maildir.MailboxName(s, utf8); ok && maildir.DirName(name, utf8) != s {
				t.Errorf("directory %q is %q, whose directory is %q", s, name, maildir.DirName(name, utf8))
			}
		}
	})
}
