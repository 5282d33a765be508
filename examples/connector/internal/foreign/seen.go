package foreign

import (
	"cmp"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Seen are the messages of one mailbox that another collector has, in the order
// of its list.
type Seen struct {
	File string
	Line int // the first

	User, Host string // fetchmail's; Host is the name behind poll
	Oldmail    string // getmail's: the name of the file without "oldmail-"

	IDs []SeenID
}

// SeenID is one message.
type SeenID struct {
	// ID is POP3's unique-id, as far as the list has it: getmail writes "-" for
	// "/". Of IMAP it is the UID.
	ID string

	// Validity is IMAP's UIDVALIDITY; "" where there is none: with POP3.
	Validity string

	// At is when the other program collected it; zero where it does not say.
	At time.Time
}

// Account names the mailbox, for people.
func (s *Seen) Account() string {
	return cmp.Or(s.Oldmail, s.User+"@"+s.Host)
}

// Fetchids reads fetchmail's list, .fetchids: lines "USER@HOST UNIQUE-ID". The
// user may have spaces in front of the first @, and further @; the host is behind
// the last one. The error is an *Error.
func Fetchids(file, text string) ([]*Seen, error) {
	var all []*Seen
	accounts := make(map[[2]string]*Seen)
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.Trim(line, " \t\r\n")
		if line == "" {
			continue
		}
		at := strings.IndexByte(line, '@')
		space := strings.IndexByte(line[max(at, 0):], ' ')
		if at < 0 || space < 0 {
			return nil, &Error{file, n, "want USER@HOST and a unique-id"}
		}
		account, id := line[:at+space], strings.TrimLeft(line[at+space:], " \t")
		if i := strings.IndexAny(id, " \t"); i >= 0 { // fetchmail reads no more of it
			id = id[:i]
		}
		last := strings.LastIndexByte(account, '@')
		user, host := account[:last], strings.TrimRight(account[last+1:], " \t")
		if user == "" || host == "" || !isSeenID(id) {
			return nil, &Error{file, n, "want USER@HOST and a unique-id"}
		}
		key := [2]string{strings.ToLower(user), strings.ToLower(host)}
		if accounts[key] == nil {
			accounts[key] = &Seen{File: file, Line: n, User: user, Host: host}
			all = append(all, accounts[key])
		}
		accounts[key].IDs = append(accounts[key].IDs, SeenID{ID: id})
	}
	return all, nil
}

// Oldmail reads a list of getmail, whose name begins with "oldmail-": lines of an
// id, a NUL and a time in seconds. An id of IMAP is UIDVALIDITY/UID, or as
// getmail 4 had it UIDVALIDITY/MAILBOX/UID. The error is an *Error.
func Oldmail(file, text string) (*Seen, error) {
	name, ok := strings.CutPrefix(filepath.Base(file), "oldmail-")
	if !ok {
		return nil, &Error{file, 1, "the name of a list of getmail begins with oldmail-, and says which mailbox it is"}
	}
	s := &Seen{File: file, Line: 1, Oldmail: name}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		id, seconds, ok := strings.Cut(line, "\x00")
		at, err := strconv.ParseInt(seconds, 10, 40)
		if !ok || err != nil || at < 0 || !isSeenID(id) {
			return nil, &Error{file, n, "want an id, a NUL and a time in seconds"}
		}
		e := SeenID{ID: id, At: time.Unix(at, 0)}
		if validity, rest, imap := strings.Cut(id, "/"); imap {
			e.Validity, e.ID = validity, rest[strings.LastIndexByte(rest, '/')+1:]
			if !isUID(e.Validity) || !isUID(e.ID) {
				return nil, &Error{file, n, "want UIDVALIDITY/UID"}
			}
		}
		s.IDs = append(s.IDs, e)
	}
	return s, nil
}

// isSeenID reports whether an id can be one.
func isSeenID(id string) bool {
	return id != "" && len(id) <= 1000 && !strings.ContainsFunc(id, func(c rune) bool { return c < ' ' || c == 0x7f })
}

func isUID(text string) bool {
	n, err := strconv.ParseUint(text, 10, 32)
	return err == nil && n > 0 && text[0] != '0'
}

// oldmailSign is what getmail leaves out of the names of its lists.
var oldmailSign = regexp.MustCompile(`[/:;<>|]+`)

// OldmailName is the name of getmail's list for a mailbox, without "oldmail-", and
// for IMAP without "-" and the folder.
func OldmailName(host string, port int, user string) string {
	return oldmailSign.ReplaceAllString(host+"-"+strconv.Itoa(port)+"-"+user, "-")
}
