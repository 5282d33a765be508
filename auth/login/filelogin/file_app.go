package filelogin

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/login"
)

var errAppLine = errors.New("not user:name:hash:protocols:created:used")

// appLine is one app password in the file beside the password file:
// user:name:hash:protocols:created:used, the name percent-encoded, the protocols
// with commas between, the times in seconds since 1970 or empty.
type appLine struct {
	user string // canonical
	app  login.AppPassword
}

const appFields = 6

// parseAppLine reads a line that is neither empty nor a comment.
func parseAppLine(line string) (p appLine, err error) {
	fields := strings.Split(line, ":")
	if len(fields) != appFields {
		return p, errAppLine
	}
	if p.user, err = login.Canonical(fields[0]); err != nil {
		return p, err
	}
	if p.app.Name, err = url.QueryUnescape(fields[1]); err != nil {
		return p, errAppLine
	}
	p.app.Hash = fields[2]
	if fields[3] != "" {
		for word := range strings.SplitSeq(fields[3], ",") {
			p.app.Protocols = append(p.app.Protocols, login.Protocol(word))
		}
	}
	var ok1, ok2 bool
	p.app.Created, ok1 = parseSeconds(fields[4])
	p.app.LastUsed, ok2 = parseSeconds(fields[5])
	if !ok1 || !ok2 {
		return p, errAppLine
	}
	return p, nil
}

// String returns the line.
func (p appLine) String() string {
	var protocols []string
	for _, x := range p.app.Protocols {
		protocols = append(protocols, string(x))
	}
	return strings.Join([]string{
		p.user, url.QueryEscape(p.app.Name), p.app.Hash, strings.Join(protocols, ","),
		formatSeconds(p.app.Created), formatSeconds(p.app.LastUsed),
	}, ":")
}

// parseSeconds reads a time; empty is the zero Time.
func parseSeconds(text string) (time.Time, bool) {
	if text == "" {
		return time.Time{}, true
	}
	n, err := strconv.ParseInt(text, 10, 48)
	return time.Unix(n, 0).UTC(), err == nil && n >= 0
}

func formatSeconds(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.Unix(), 10)
}

// appTable is a whole file of app passwords. It is not changed after parsing.
type appTable struct {
	lines  []string // all of them, also comments and broken ones
	owners []string // of the lines; "" where it is none of an app password
	users  map[string][]login.AppPassword
	broken []LineError
}

// parseApps reads a file. Broken lines are reported and skipped.
func parseApps(data string) *appTable {
	t := &appTable{users: make(map[string][]login.AppPassword)}
	for line := range strings.Lines(data) {
		line = strings.TrimRight(line, "\r\n")
		t.lines, t.owners = append(t.lines, line), append(t.owners, "")
		if line == "" || line[0] == '#' {
			continue
		}
		p, err := parseAppLine(line)
		if err == nil {
			err = login.CheckAppPassword(p.app, t.users[p.user])
		}
		if err != nil {
			t.broken = append(t.broken, LineError{Line: len(t.lines), Err: err})
			continue
		}
		t.users[p.user] = append(t.users[p.user], p.app)
		t.owners[len(t.owners)-1] = p.user
	}
	return t
}

// text returns the file with these app passwords in the place of those that
// the users of the keys have. Lines of other users, broken ones and comments stay as they are.
func (t *appTable) text(changed map[string][]login.AppPassword) []byte {
	var b strings.Builder
	for i, line := range t.lines {
		if _, ours := changed[t.owners[i]]; !ours {
			b.WriteString(line + "\n")
		}
	}
	for _, user := range slices.Sorted(maps.Keys(changed)) {
		for _, app := range changed[user] {
			b.WriteString(appLine{user, app}.String() + "\n")
		}
	}
	return []byte(b.String())
}
