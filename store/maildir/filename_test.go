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
	for _, s := range []string{"a/b", "INBOX/x", "a.b/c", "..", "./.", "Été&-", "&AC4-", "%", "a\\b", "~", "..//"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if name, err := store.CleanName(s); err == nil && name != store.Inbox {
			dir := maildir.DirName(name)
			if strings.ContainsAny(dir, "/\x00") || dir == "." || dir == ".." || len(dir) > 255 {
				t.Errorf("%q lies in %q", name, dir)
			}
			if back, ok := maildir.MailboxName(dir); strings.HasPrefix(dir, ".") && (!ok || back != name) {
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
		if name, ok := maildir.MailboxName(s); ok && maildir.DirName(name) != s && len(s) <= 240 {
			t.Errorf("directory %q is %q, whose directory is %q", s, name, maildir.DirName(name))
		}
	})
}
