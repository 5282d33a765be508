package maildir

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mailstead/mailstead/internal/maildirfmt"
	"github.com/mailstead/mailstead/store"
)

const infoMark = maildirfmt.InfoMark

// namer makes unique file names: time.MusecPpidQcount.host with the sizes as
// Dovecot and maildirquota write them.
type namer struct {
	host  string
	count atomic.Uint64
}

func newNamer() *namer {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	// "/" and ":" are replaced as https://cr.yp.to/proto/maildir.html says.
	return &namer{host: strings.NewReplacer("/", `\057`, ":", `\072`, ",", `\054`).Replace(host)}
}

// name is a new base name. size is that of the file, wire with each line end
// counted as two octets.
func (n *namer) name(size, wire int64) string {
	now := time.Now()
	return fmt.Sprintf("%d.M%dP%dQ%d.%s,S=%d,W=%d",
		now.Unix(), now.Nanosecond()/1000, os.Getpid(), n.count.Add(1), n.host, size, wire)
}

// fileName is the path below the mailbox's directory of a file as it was seen.
func (m *message) fileName() string { return pathOf(m.base, m.letters, m.inNew) }

// pathOf: mutt leaves flagged messages that it has not shown in new/, with
// their letters.
func pathOf(base, letters string, inNew bool) string {
	switch {
	case inNew && letters == "":
		return "new/" + base
	case inNew:
		return "new/" + base + infoMark + letters
	}
	return "cur/" + base + infoMark + letters
}

// lettersOf is what m's file should carry: its flags, its keywords as far as
// they have a letter, and the letters that mean nothing here.
func lettersOf(m *message, kw *maildirfmt.Keywords) string {
	var out []byte
	out = maildirfmt.AppendFlags(out, m.Flags)
	for _, k := range m.Keywords {
		if c, ok := kw.Letter(k); ok {
			out = append(out, c)
		}
	}
	for i := range len(m.letters) {
		if isForeign(m.letters[i], kw) {
			out = append(out, m.letters[i])
		}
	}
	slices.Sort(out)
	return string(slices.Compact(out))
}

// isForeign: a letter that neither a flag nor a keyword stands for, such as P.
func isForeign(c byte, kw *maildirfmt.Keywords) bool {
	if maildirfmt.Flag(c) != 0 {
		return false
	}
	return c < 'a' || c > 'z' || kw.Name(c) == ""
}

// parseLetters is the state that a file's letters stand for. Keywords of old
// that have no letter stay.
func parseLetters(letters string, old []string, kw *maildirfmt.Keywords) (f store.Flags, list []string) {
	for _, k := range old {
		if _, ok := kw.Letter(k); !ok {
			list = append(list, k)
		}
	}
	for i := range len(letters) {
		f |= maildirfmt.Flag(letters[i])
		if name := kw.Name(letters[i]); name != "" && !store.HasKeyword(list, name) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return f, list
}

// maxDir is the longest directory name that is used as it is; the usual limit
// of file systems is 255.
const maxDir = 240

// dirName is the directory of a mailbox below the account's: ".A.B" as the
// Maildir++ layout of Dovecot has it, in modified UTF-7 or in UTF-8; INBOX is
// the account's own. A "." inside of a level is written as Dovecot's plugin
// listescape does. A name too long for a file system gets a directory that
// other programs do not see.
func dirName(m *store.Mailbox, utf8 bool) string {
	if m.Name == store.Inbox {
		return "."
	}
	out := maildirfmt.DirName(m.Name, utf8)
	if len(out) > maxDir {
		return longPrefix + m.ID.String()
	}
	return out
}

// mailboxName is the way back, for directories that other programs made.
func mailboxName(dir string, utf8 bool) (string, bool) {
	if len(dir) > maxDir {
		return "", false
	}
	name, ok := maildirfmt.MailboxName(dir, utf8)
	m := store.Mailbox{Name: name}
	return name, ok && store.ValidateName(name) == nil && name != store.Inbox && dirName(&m, utf8) == dir
}
