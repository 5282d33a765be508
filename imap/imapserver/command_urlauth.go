package imapserver

import (
	"errors"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapurl"
	"github.com/mailstead/mailstead/store"
)

// maxURLs bounds the URLs of one GENURLAUTH or URLFETCH.
const maxURLs = 100

// accessKey is the key of the entry that holds a mailbox's access key (RFC 4467
// §2). Users authorize URLs of their own mailboxes only, so that each mailbox
// has one.
const accessKey = "urlauth/internal"

// authorizes reports whether URLAUTH works: URLs name this server, and the store
// keeps keys.
func (s *session) authorizes() bool { return s.srv.cfg.Hostname != "" && s.annotates() }

// genURLAuth runs GENURLAUTH (RFC 4467 §7).
func (s *session) genURLAuth(cmd *command) error {
	var rumps []imapurl.URL
	for len(rumps) == 0 || !s.dec.AtEnd() {
		u, err := s.readRump()
		if err != nil {
			return err
		}
		if rumps = append(rumps, u); len(rumps) > maxURLs {
			return no(imap.CodeLimit, "Too many URLs")
		}
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	texts := make([]string, len(rumps))
	for i, u := range rumps {
		key, err := s.urlKey(u)
		if err != nil {
			return err
		}
		texts[i] = imapurl.Authorize(u.Rump, key)
	}
	s.enc.Raw("* GENURLAUTH")
	for _, text := range texts {
		s.enc.SP().Text([]byte(text))
	}
	s.enc.CRLF()
	return nil
}

// readRump takes SP url-rump SP mechanism.
func (s *session) readRump() (u imapurl.URL, err error) {
	if err = s.dec.SP(); err != nil {
		return u, err
	}
	text, err := s.dec.AString()
	if err != nil {
		return u, err
	}
	if err = s.dec.SP(); err != nil {
		return u, err
	}
	mechanism, err := s.dec.Word()
	if err != nil {
		return u, err
	}
	u, err = imapurl.Parse(text)
	switch {
	case err != nil || u.Access.Kind == imapurl.NoAccess || u.Token != "":
		return u, bad("Not a URL to be authorized")
	case mechanism != imapurl.Internal:
		return u, bad("Unknown URL authorization mechanism")
	}
	return u, nil
}

// urlKey is the access key of the mailbox of a URL; where there is none it is
// made. What the URL names must be the user's own (RFC 4467 §7).
func (s *session) urlKey(u imapurl.URL) ([]byte, error) {
	if u.Form != imapurl.Absolute || !s.isHere(u) || u.User != string(s.id) {
		return nil, bad("Not a URL of this user on this server")
	}
	if _, err := urlSection(u); err != nil {
		return nil, bad("Not a section of a message")
	}
	p, err := s.urlMailbox(u)
	if err == nil && (!s.own(&p) || u.UIDValidity != 0 && store.UIDValidity(u.UIDValidity) != p.UIDValidity) {
		err = errURL
	}
	if _, refused := errors.AsType[*reply](err); refused || errors.Is(err, errURL) {
		return nil, bad("No such mailbox")
	}
	if err != nil {
		return nil, err
	}
	return s.accessKey(&p, true)
}

// accessKey reads the access key of a mailbox; nil where there is none, unless
// it shall be made.
func (s *session) accessKey(p *place, make bool) ([]byte, error) {
	a := p.account.Store()
	for range 2 {
		for e, err := range a.Entries(s.ctx, store.EntryQuery{Mailbox: p.ID, Prefix: accessKey}) {
			if err != nil {
				return nil, err
			}
			if e.Key == accessKey {
				return e.Value, nil
			}
		}
		if !make {
			return nil, nil
		}
		key := imapurl.NewKey()
		_, err := s.apply(p.account, store.PutEntry{Mailbox: p.ID, Key: accessKey, Value: key, IfAbsent: true})
		if !errors.Is(err, store.ErrConflict) {
			return key, err
		}
	}
	return nil, store.ErrConflict
}

// resetKey runs RESETKEY (RFC 4467 §7): URLs that were authorized so far are
// worth nothing any more.
func (s *session) resetKey(cmd *command) error {
	name, all, err := s.readReset()
	if err != nil {
		return err
	}
	cmd.okCode = string(imap.CodeURLMech) + " " + imapurl.Internal
	if !all {
		p, err := s.mailbox(name)
		if err != nil {
			return err
		}
		if !s.own(&p) {
			return no(imap.CodeNoPerm, "Not a mailbox of this user")
		}
		_, err = s.apply(s.account, store.PutEntry{Mailbox: p.ID, Key: accessKey})
		return err
	}
	st, err := s.account.Refresh(s.ctx)
	if err != nil {
		return err
	}
	var ops []store.Op
	for _, m := range st.Mailboxes {
		if !m.NoSelect {
			ops = append(ops, store.PutEntry{Mailbox: m.ID, Key: accessKey})
		}
	}
	for part := range slices.Chunk(ops, bulk) {
		if _, err := s.apply(s.account, part...); err != nil {
			return err
		}
	}
	return nil
}

// readReset takes [SP mailbox *(SP mechanism)], CRLF.
func (s *session) readReset() (name string, all bool, err error) {
	if s.dec.AtEnd() {
		return "", true, s.dec.End()
	}
	if err = s.dec.SP(); err != nil {
		return "", false, err
	}
	if name, err = s.readMailbox(); err != nil {
		return "", false, err
	}
	for !s.dec.AtEnd() {
		if err = s.dec.SP(); err != nil {
			return "", false, err
		}
		mechanism, err := s.dec.Word()
		if err != nil || !strings.EqualFold(mechanism, imapurl.Internal) {
			return "", false, orBad(err, "Unknown URL authorization mechanism")
		}
	}
	return name, false, s.dec.End()
}
