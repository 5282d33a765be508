package transfer

import (
	"errors"
	"net"
	"net/url"
	"path/filepath"
	"strings"
)

// The kinds of places.
const (
	Account  = "account"  // account:NAME, in the data directory
	SQLite   = "sqlite"   // sqlite:DIR#NAME, in another one
	Postgres = "postgres" // postgres://USER:PASSWORD@HOST/DATABASE#NAME
	Maildir  = "maildir"  // maildir:DIR
	Mbox     = "mbox"     // mbox:FILE or mbox:DIR
	Eml      = "eml"      // eml:DIR
	IMAP     = "imap"     // imap://USER:PASSWORD@HOST:PORT/, STARTTLS
	IMAPS    = "imaps"    // imaps://…, TLS from the first octet
	POP3     = "pop3"
	POP3S    = "pop3s"
)

// Forms says how places are written.
const Forms = "account:NAME, sqlite:DIR#NAME, postgres://…#NAME, maildir:DIR, mbox:PATH, eml:DIR, imap(s)://USER@HOST/ or pop3(s)://USER@HOST/"

// Place is where mail comes from or goes to.
type Place struct {
	Kind string
	Name string // of an account in a store
	Path string // of files, or the URL of a database
	URL  *url.URL

	// Of a server.
	Addr, Host, User, Password string
	NoTLS                      bool // ?tls=off
	UTF8                       bool // ?utf8: names of a Maildir++ tree
}

// Remote reports a server or a database, which needs no files here.
func (p *Place) Remote() bool { return p.URL != nil || p.Kind == Postgres }

var ports = map[string]string{IMAP: "143", IMAPS: "993", POP3: "110", POP3S: "995"}

// Parse reads a place. No error shows more than its scheme: there may be a
// password in it.
func Parse(text string) (*Place, error) {
	kind, rest, ok := strings.Cut(text, ":")
	if !ok || kind == "" {
		return nil, &UseError{"a place is " + Forms}
	}
	p := &Place{Kind: strings.ToLower(kind), Path: rest}
	var err error
	switch p.Kind {
	case Account:
		p.Name, p.Path = rest, ""
		err = p.needs(p.Name)
	case SQLite:
		p.Path, p.Name, _ = strings.Cut(rest, "#")
		err = p.needs(p.Path, p.Name)
	case Postgres, "postgresql":
		p.Kind = Postgres
		p.Path, p.Name, _ = strings.Cut(text, "#")
		if p.Name, err = url.PathUnescape(p.Name); err == nil {
			err = p.needs(p.Name)
		}
	case Maildir, Mbox, Eml:
		if p.Kind == Maildir {
			p.Path, p.UTF8 = strings.CutSuffix(rest, ":UTF-8") // as mailserver has it
		}
		err = p.needs(p.Path)
	case IMAP, IMAPS, POP3, POP3S:
		err = p.server(text)
	default:
		err = errors.New("unknown scheme")
	}
	if err != nil {
		return nil, &UseError{p.Kind + ": is no place that is known: " + err.Error() + "; a place is " + Forms}
	}
	return p, nil
}

func (p *Place) needs(parts ...string) error {
	for _, part := range parts {
		if part == "" {
			return errors.New("something is missing")
		}
	}
	return nil
}

func (p *Place) server(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User.Username() == "" {
		return errors.New("want USER@HOST, with %40 for a @ in the user")
	}
	if strings.Trim(u.Path, "/") != "" || u.Fragment != "" {
		return errors.New("nothing stands behind the host; --include names mailboxes")
	}
	for name, values := range u.Query() {
		if name != "tls" || len(values) != 1 || values[0] != "off" || p.Kind == IMAPS || p.Kind == POP3S {
			return errors.New("?tls=off, of imap: and pop3:, is all that may stand behind the host")
		}
		p.NoTLS = true
	}
	port := u.Port()
	if port == "" {
		port = ports[p.Kind]
	}
	p.URL, p.Host, p.Addr, p.Path = u, u.Hostname(), net.JoinHostPort(u.Hostname(), port), ""
	if p.NoTLS && !p.loopback() {
		return errors.New("?tls=off is for this host alone: anybody could read the password")
	}
	p.User = u.User.Username()
	p.Password, _ = u.User.Password()
	return nil
}

// Absolute is the place with its path from the root of the file system, as another
// process needs it.
func Absolute(text string) (string, error) {
	p, err := Parse(text)
	if err != nil {
		return "", err
	}
	switch p.Kind {
	case SQLite, Maildir, Mbox, Eml:
	default:
		return text, nil
	}
	kind, rest, _ := strings.Cut(text, ":")
	path, tail := p.Path, strings.TrimPrefix(rest, p.Path)
	if path, err = filepath.Abs(path); err != nil {
		return "", err
	}
	return kind + ":" + path + tail, nil
}
