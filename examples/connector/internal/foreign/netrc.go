package foreign

import (
	"slices"
	"strings"
)

// Netrc are the passwords of a .netrc.
type Netrc []netrcEntry

type netrcEntry struct {
	machine         string // "" = default
	login, password string
}

// ParseNetrc reads a .netrc: machine, default, login, password and account in
// any lines, and macros, which end with an empty line. What it does not know it
// passes over.
func ParseNetrc(text string) Netrc {
	var n Netrc
	r := netrcReader(text)
	for word, ok := r.word(); ok; word, ok = r.word() {
		switch {
		case word == "machine":
			name, _ := r.word()
			n = append(n, netrcEntry{machine: strings.ToLower(name)})
		case word == "default":
			n = append(n, netrcEntry{})
		case word == "macdef":
			r.skip("\n\n")
		case strings.HasPrefix(word, "#"):
			r.skip("\n")
		default:
			r.setting(n, word)
		}
	}
	return n
}

// setting reads what belongs to the latest machine.
func (r *netrcReader) setting(n Netrc, name string) {
	var e netrcEntry
	last := &e
	if len(n) > 0 {
		last = &n[len(n)-1]
	}
	switch name {
	case "login", "user":
		last.login, _ = r.word()
	case "password", "passwd":
		last.password, _ = r.word()
	case "account":
		r.word()
	}
}

// netrcReader is what is left of a file.
type netrcReader string

// skip passes everything up to end, and that.
func (r *netrcReader) skip(end string) {
	_, rest, _ := strings.Cut(string(*r), end)
	*r = netrcReader(rest)
}

// word reads the next word; false: there is none. A line that ends stays, for
// skip.
func (r *netrcReader) word() (string, bool) {
	text := strings.TrimLeft(string(*r), " \t\r\n,")
	if text == "" {
		*r = ""
		return "", false
	}
	if text[0] == '"' {
		word := quotedWord(&text)
		*r = netrcReader(text)
		return word, true
	}
	end := strings.IndexAny(text, " \t\r\n,")
	if end < 0 {
		end = len(text)
	}
	*r = netrcReader(text[end:])
	return text[:end], true
}

// quotedWord reads a word in quotes, in which a backslash takes what follows it
// as it is.
func quotedWord(text *string) string {
	var b strings.Builder
	s := *text
	i := 1
	for ; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	*text = s[min(i+1, len(s)):]
	return b.String()
}

// Find returns the login and password for the first of the hosts that the file
// has. login "" takes any; otherwise it has to be that of the entry, where that
// has one.
func (n Netrc) Find(login string, hosts ...string) (user, password string, ok bool) {
	for _, host := range append(hosts, "") {
		host = strings.ToLower(host)
		for _, e := range n {
			if e.machine == host && e.password != "" && (login == "" || e.login == "" || e.login == login) {
				return e.login, e.password, true
			}
		}
	}
	return "", "", false
}

// Last returns the login and password of the last entry for the host, else of the
// last default, which is how Python reads the file.
func (n Netrc) Last(host string) (user, password string, ok bool) {
	for _, machine := range []string{strings.ToLower(host), ""} {
		for _, e := range slices.Backward(n) {
			if e.machine == machine {
				return e.login, e.password, true
			}
		}
	}
	return "", "", false
}
