package maildir

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

const infoMark = ":2,"

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

// splitName splits a file's name into base and flag letters.
func splitName(name string) (base, letters string) {
	base, letters, _ = strings.Cut(name, infoMark)
	return base, letters
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

// flagLetters are those of the system flags, in ASCII order.
var flagLetters = [...]struct {
	letter byte
	flag   store.Flags
}{{'D', store.Draft}, {'F', store.Flagged}, {'R', store.Answered}, {'S', store.Seen}, {'T', store.Deleted}}

// lettersOf is what m's file should carry: its flags, its keywords as far as
// they have a letter, and the letters that mean nothing here.
func lettersOf(m *message, kw *keywords) string {
	var out []byte
	for _, l := range flagLetters {
		if m.Flags&l.flag != 0 {
			out = append(out, l.letter)
		}
	}
	for _, k := range m.Keywords {
		if c, ok := kw.letter(k); ok {
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
func isForeign(c byte, kw *keywords) bool {
	for _, l := range flagLetters {
		if l.letter == c {
			return false
		}
	}
	return c < 'a' || c > 'z' || kw.name(c) == ""
}

// parseLetters is the state that a file's letters stand for. Keywords of old
// that have no letter stay.
func parseLetters(letters string, old []string, kw *keywords) (f store.Flags, list []string) {
	for _, k := range old {
		if _, ok := kw.letter(k); !ok {
			list = append(list, k)
		}
	}
	for i := range len(letters) {
		for _, l := range flagLetters {
			if l.letter == letters[i] {
				f |= l.flag
			}
		}
		if name := kw.name(letters[i]); name != "" && !store.HasKeyword(list, name) {
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
	var out []byte
	for level := range strings.SplitSeq(m.Name, store.Separator) {
		out = append(out, '.')
		if level = escapeLevel(level); utf8 {
			out = append(out, level...)
		} else {
			out = imapwire.AppendUTF7(out, level)
		}
	}
	if len(out) > maxDir {
		return longPrefix + m.ID.String()
	}
	return string(out)
}

const (
	escapedDot   = `\2e`
	escapedSlash = `\5c`
)

// escapeLevel writes "." as \2e, and "\" as \5c where it would be read as one
// of the two.
func escapeLevel(level string) string {
	if !strings.ContainsAny(level, `.\`) {
		return level
	}
	var out strings.Builder
	for i := range len(level) {
		switch rest := level[i:]; {
		case rest[0] == '.':
			out.WriteString(escapedDot)
		case strings.HasPrefix(rest, escapedDot), strings.HasPrefix(rest, escapedSlash):
			out.WriteString(escapedSlash)
		default:
			out.WriteByte(rest[0])
		}
	}
	return out.String()
}

func unescapeLevel(level string) string {
	if !strings.Contains(level, `\`) {
		return level
	}
	return strings.NewReplacer(escapedDot, ".", escapedSlash, `\`).Replace(level)
}

// mailboxName is the way back, for directories that other programs made.
func mailboxName(dir string, utf8 bool) (string, bool) {
	if len(dir) < 2 || len(dir) > maxDir || dir[0] != '.' || dir == ".." {
		return "", false
	}
	var levels []string
	for level := range strings.SplitSeq(dir[1:], ".") {
		if !utf8 {
			var err error
			if level, err = imapwire.DecodeUTF7([]byte(level)); err != nil {
				return "", false
			}
		}
		levels = append(levels, unescapeLevel(level))
	}
	name := strings.Join(levels, store.Separator)
	m := store.Mailbox{Name: name}
	return name, store.ValidateName(name) == nil && name != store.Inbox && dirName(&m, utf8) == dir
}
