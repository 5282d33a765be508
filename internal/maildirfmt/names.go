package maildirfmt

import (
	"strings"

	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// InfoMark stands between the unique part of a file's name and its letters.
const InfoMark = ":2,"

// SplitName splits a file's name into base and letters.
func SplitName(name string) (base, letters string) {
	base, letters, _ = strings.Cut(name, InfoMark)
	return base, letters
}

// flagLetters are those of the system flags, in ASCII order.
var flagLetters = [...]struct {
	letter byte
	flag   store.Flags
}{{'D', store.Draft}, {'F', store.Flagged}, {'R', store.Answered}, {'S', store.Seen}, {'T', store.Deleted}}

// Flag is the system flag of a letter; zero = it stands for none.
func Flag(letter byte) store.Flags {
	for _, l := range flagLetters {
		if l.letter == letter {
			return l.flag
		}
	}
	return 0
}

// AppendFlags writes the letters of system flags, in ASCII order.
func AppendFlags(dst []byte, f store.Flags) []byte {
	for _, l := range flagLetters {
		if f&l.flag != 0 {
			dst = append(dst, l.letter)
		}
	}
	return dst
}

// DirName is the directory of a mailbox below the account's: ".A.B" as the
// Maildir++ layout of Dovecot has it, in modified UTF-7 or in UTF-8. A "." inside
// of a level is written as Dovecot's plugin listescape does. It is not that of
// INBOX, which is the account's own.
func DirName(name string, utf8 bool) string {
	var out []byte
	for level := range strings.SplitSeq(name, store.Separator) {
		out = append(out, '.')
		if level = escapeLevel(level); utf8 {
			out = append(out, level...)
		} else {
			out = imapwire.AppendUTF7(out, level)
		}
	}
	return string(out)
}

// MailboxName is the way back, for directories that any program made; false: it is
// no folder's.
func MailboxName(dir string, utf8 bool) (string, bool) {
	if len(dir) < 2 || dir[0] != '.' || dir == ".." {
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
	return strings.Join(levels, store.Separator), true
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
