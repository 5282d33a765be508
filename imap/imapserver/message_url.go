package imapserver

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapfetch"
	"github.com/mailstead/mailstead/internal/imapmsg"
	"github.com/mailstead/mailstead/internal/imapurl"
	"github.com/mailstead/mailstead/store"
)

// errURL says that a URL names nothing that this session may read.
var errURL = errors.New("imapserver: URL names no message")

// urlContent is what a URL names: octets of a message, which is open until
// Close.
type urlContent struct {
	io.Reader
	size    int64
	section *imap.Section
	message *imapmsg.Message
}

// Close gives the message back.
func (c *urlContent) Close() error {
	c.message.Close()
	return nil
}

// openOwnURL opens what a URL of CATENATE names: a message of this session's
// user, by a path, relative to the selected mailbox, or by the name of this
// server (RFC 4469 §3).
func (s *session) openOwnURL(text string) (*urlContent, error) {
	u, err := imapurl.Parse(text)
	if err != nil {
		return nil, err
	}
	if u.Access.Kind != imapurl.NoAccess || u.Form == imapurl.Absolute && !s.isOwn(u) {
		return nil, errURL
	}
	p, err := s.urlMailbox(u)
	if err != nil {
		return nil, err
	}
	return s.openURL(&p, u)
}

// isOwn reports whether an absolute URL is one of this server and this user.
func (s *session) isOwn(u imapurl.URL) bool {
	return s.isHere(u) && (u.User == "" || u.User == string(s.id))
}

// isHere reports whether an absolute URL is one of this server.
func (s *session) isHere(u imapurl.URL) bool {
	host := u.Host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		host = host[:i]
	}
	return s.srv.cfg.Hostname != "" && strings.EqualFold(host, s.srv.cfg.Hostname)
}

// urlMailbox finds the mailbox of a URL as this session's user sees it.
func (s *session) urlMailbox(u imapurl.URL) (place, error) {
	if u.Form == imapurl.Relative {
		if s.sel == nil {
			return place{}, errURL
		}
		return s.sel.place, nil
	}
	name, err := store.CleanName(u.Mailbox)
	if err != nil {
		return place{}, errURL
	}
	p, err := s.mailbox(name)
	if err == nil {
		err = p.need(imap.RightRead)
	}
	return p, err
}

// openURL opens the message that a URL names in a mailbox.
func (s *session) openURL(p *place, u imapurl.URL) (*urlContent, error) {
	sec, err := urlSection(u)
	if err != nil {
		return nil, err
	}
	m, err := s.urlMessage(p, u)
	if err != nil {
		return nil, err
	}
	r, size, err := imapfetch.Open(s.ctx, m, sec)
	if err != nil {
		m.Close()
		return nil, err
	}
	return &urlContent{r, size, sec, m}, nil
}

// urlMessage finds the message of a URL. The caller closes it.
func (s *session) urlMessage(p *place, u imapurl.URL) (*imapmsg.Message, error) {
	if u.UID == 0 || u.UIDValidity != 0 && store.UIDValidity(u.UIDValidity) != p.UIDValidity {
		return nil, errURL
	}
	box := &imapmsg.Mailbox{Account: p.account.Store(), ID: p.ID}
	return imapmsg.Find(s.ctx, box, store.UID(u.UID))
}

// urlSection is the section of a URL, with its partial range.
func urlSection(u imapurl.URL) (*imap.Section, error) {
	sec, err := imapfetch.ParseSection(u.Section)
	if err != nil {
		return nil, fmt.Errorf("%w: section %q", errURL, u.Section)
	}
	if u.Partial {
		sec.Partial, sec.Offset, sec.Count = true, u.Offset, u.Count
		if u.Count == 0 {
			sec.Count = 1<<63 - 1
		}
	}
	return &sec, nil
}

// maxBadURL is how much of a URL BADURL repeats.
const maxBadURL = 1000

// badURL answers a URL that could not be used (RFC 4469 §4.1). What is no fault
// of the URL is answered as what it is.
func (s *session) badURL(text string, err error) error {
	if !isNoURL(err) {
		return err
	}
	var b strings.Builder
	for i := 0; i < len(text) && b.Len() < maxBadURL; i++ {
		if c := text[i]; c <= ' ' || c >= 0x7f || c == ']' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return no(imap.Code(string(imap.CodeBadURL)+" "+b.String()), "URL cannot be used")
}
