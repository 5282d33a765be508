package maildir

import (
	"time"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
)

// On puts a store on another file system.
func (o Options) On(f vfs.FS) Options {
	o.files, o.lockStale = f, time.Nanosecond
	return o
}

// The two ways between names and directories.

func DirName(name string, utf8 bool) string            { return dirName(&store.Mailbox{Name: name}, utf8) }
func MailboxName(dir string, utf8 bool) (string, bool) { return mailboxName(dir, utf8) }
func AccountDir(id store.AccountID) string             { return accountDir(id) }
func AccountOf(d string) (store.AccountID, bool)       { return accountOf(d) }

// Files puts a store on another file system.
func (o Options) Files(f vfs.FS) Options {
	o.files = f
	return o
}

// SetFS puts t on another file system.
func (t *Target) SetFS(f vfs.FS) { t.files = f }
