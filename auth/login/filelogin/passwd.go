package filelogin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/auth/login"
)

// What is wrong with a line of a password file. The texts never hold parts of
// the line.
var (
	errNoColon   = errors.New("no colon after the user name")
	errDuplicate = errors.New("the user has an earlier line")
)

// LineError is a line of a password file that is skipped.
type LineError struct {
	Line int   // counted from 1
	Err  error // wraps ErrUsername or ErrHash where that is the reason
}

// Error implements error.
func (e LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns e.Err.
func (e LineError) Unwrap() error { return e.Err }

// passwdLine is one user's line: user:[!]hash[:rest].
type passwdLine struct {
	user     string // canonical
	hash     string // without the mark; may be empty when disabled
	disabled bool
	rest     string // further fields with their leading colon, kept as they are
}

// disabledMark in front of the hash turns a user off, as usermod -L does. A
// hash of "*" or nothing at all does the same.
const disabledMark = "!"

// parsePasswdLine reads a line that is neither empty nor a comment.
func parsePasswdLine(line string) (p passwdLine, err error) {
	user, fields, ok := strings.Cut(line, ":")
	if !ok {
		return p, errNoColon
	}
	if p.user, err = login.Canonical(user); err != nil {
		return p, err
	}
	hash, rest, more := strings.Cut(fields, ":")
	if more {
		p.rest = ":" + rest
	}
	p.hash = strings.TrimLeft(hash, disabledMark)
	p.disabled = p.hash != hash || p.hash == "" || p.hash == "*"
	if p.hash == "*" {
		p.hash = ""
	}
	if p.hash == "" {
		return p, nil
	}
	return p, login.CheckHash(p.hash)
}

// String returns the line.
func (p passwdLine) String() string {
	mark := ""
	if p.disabled {
		mark = disabledMark
	}
	return p.user + ":" + mark + p.hash + p.rest
}

// passwdTable is a whole password file. It is not changed after parsing.
type passwdTable struct {
	lines  []string // all of them, also comments and broken ones
	users  map[string]passwdUser
	broken []LineError
	census login.Census
}

type passwdUser struct {
	passwdLine
	extra passwdExtra
	index int // into lines
}

func (u passwdUser) record() login.Record {
	account := u.user
	if u.extra.account != "" {
		account = u.extra.account
	}
	return login.Record{
		Account: account, Hash: u.hash, Secrets: u.extra.secrets, Disabled: u.disabled || u.extra.nologin,
		AppPasswordsOnly: u.extra.appsOnly, AllowNets: u.extra.nets,
	}
}

// parsePasswd reads a file. Broken lines are reported and skipped; of two
// lines for one user the first counts.
func parsePasswd(data string) *passwdTable {
	t := &passwdTable{users: make(map[string]passwdUser)}
	for line := range strings.Lines(data) {
		line = strings.TrimRight(line, "\r\n")
		t.lines = append(t.lines, line)
		if line == "" || line[0] == '#' {
			continue
		}
		p, err := parsePasswdLine(line)
		if _, twice := t.users[p.user]; err == nil && twice {
			err = errDuplicate
		}
		var extra passwdExtra
		if err == nil {
			extra, err = parseExtra(p.rest)
		}
		if err != nil {
			t.broken = append(t.broken, LineError{Line: len(t.lines), Err: err})
			continue
		}
		u := passwdUser{p, extra, len(t.lines) - 1}
		t.users[p.user] = u
		t.census.Add(u.record())
	}
	return t
}

// text returns the file with the user's line replaced by p, appended where it
// has none, or left out where p is nil. Everything else stays as it is.
func (t *passwdTable) text(user string, p *passwdLine) []byte {
	var b strings.Builder
	old, found := t.users[user]
	for i, line := range t.lines {
		switch {
		case !found || i != old.index:
			b.WriteString(line + "\n")
		case p != nil:
			b.WriteString(p.String() + "\n")
		}
	}
	if !found && p != nil {
		b.WriteString(p.String() + "\n")
	}
	return []byte(b.String())
}
