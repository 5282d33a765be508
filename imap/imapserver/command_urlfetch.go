package imapserver

import (
	"errors"
	"io"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapfetch"
	"github.com/mailstead/mailstead/internal/imapmsg"
	"github.com/mailstead/mailstead/internal/imapurl"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// urlRequest is a URL of URLFETCH and what is wanted of it.
type urlRequest struct {
	text     string
	extended bool // RFC 5524: each thing wanted is named
	body     bool
	binary   bool
	parts    bool // BODYPARTSTRUCTURE
}

// urlFetch runs URLFETCH (RFC 4467 §7, RFC 5524 §3). A URL that may not be used,
// for whatever reason, is answered with NIL.
func (s *session) urlFetch(cmd *command) error {
	var list []urlRequest
	for len(list) == 0 || !s.dec.AtEnd() {
		r, err := s.readURLRequest()
		if err != nil {
			return err
		}
		if list = append(list, r); len(list) > maxURLs {
			return no(imap.CodeLimit, "Too many URLs")
		}
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	for i := range list {
		if err := s.tellURL(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// readURLRequest takes
//
//	SP (url / "(" url *(SP ("BODY" / "BINARY" / "BODYPARTSTRUCTURE")) ")")
func (s *session) readURLRequest() (r urlRequest, err error) {
	if err = s.dec.SP(); err != nil {
		return r, err
	}
	if s.dec.Peek() != '(' {
		r.text, err = s.dec.AString()
		return r, err
	}
	first := true
	err = s.dec.List(func() (err error) {
		if first {
			first = false
			r.text, err = s.dec.AString()
			return err
		}
		r.extended = true
		word, err := s.dec.Word()
		switch word {
		case "BODY":
			r.body = true
		case "BINARY":
			r.binary = true
		case "BODYPARTSTRUCTURE":
			r.parts = true
		default:
			return orBad(err, "Unknown item of URLFETCH")
		}
		return err
	})
	if first || r.body && r.binary {
		err = orBad(err, "URL expected, and not both BODY and BINARY")
	}
	return r, err
}

// tellURL sends the response of one URL.
func (s *session) tellURL(r *urlRequest) error {
	content, err := s.openAuthorized(r.text)
	if err != nil && !isNoURL(err) {
		return err
	}
	var body urlBody
	if err == nil {
		defer content.Close()
		body = urlBody{content, imapwire.Literal{Size: content.size}}
		if r.binary {
			var failed error
			if body, failed = s.decoded(content); failed != nil {
				return failed
			}
		}
	}
	s.enc.Raw("* URLFETCH ").Text([]byte(r.text))
	switch {
	case err != nil:
		s.enc.Raw(" NIL")
	case !r.extended:
		s.enc.SP()
		s.tellBody(&body)
	default:
		s.tellURLItems(r, content, &body)
	}
	s.enc.CRLF()
	return s.enc.Err()
}

// urlBody is what is sent of a URL as a literal; without a reader it is NIL.
type urlBody struct {
	io.Reader
	literal imapwire.Literal
}

// tellBody sends a literal. Its size is out before it is read: one that cannot be
// read ends the connection.
func (s *session) tellBody(b *urlBody) {
	if b.Reader == nil {
		s.enc.Raw("NIL")
		return
	}
	source := &watchedReader{Reader: b.Reader}
	s.enc.Literal(b.literal, source)
	if s.enc.Err() != nil && source.err != nil {
		s.broken(source.err)
	}
}

// watchedReader remembers how a reader ended.
type watchedReader struct {
	io.Reader
	err error
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if err != nil {
		w.err = err
	}
	return n, err
}

// isNoURL reports whether an error says that a URL gives nothing.
func isNoURL(err error) bool {
	if _, ok := errors.AsType[*reply](err); ok {
		return true
	}
	for _, e := range []error{
		errURL, imapurl.ErrSyntax, imapfetch.ErrNoSection, store.ErrNoMessage, store.ErrExpunged, store.ErrNoMailbox, store.ErrNoAccount,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// tellURLItems sends what RFC 5524 adds, each in parentheses.
func (s *session) tellURLItems(r *urlRequest, c *urlContent, body *urlBody) {
	if r.parts {
		write, err := imapfetch.Structure(s.ctx, c.message, c.section)
		if err != nil {
			s.conn.log.Warn("imap: structure of a URL", "account", s.id, "err", err)
		}
		s.enc.Raw(" (BODYPARTSTRUCTURE ")
		if write == nil {
			s.enc.Raw("NIL")
		} else if err := write(s.enc); err != nil && s.enc.Err() == nil {
			s.broken(err)
		}
		s.enc.Raw(")")
	}
	switch {
	case r.body:
		s.enc.Raw(" (BODY ")
	case r.binary:
		s.enc.Raw(" (BINARY ")
	default:
		return
	}
	s.tellBody(body)
	s.enc.Raw(")")
}

// decoded is a part without its transfer encoding; NIL where that cannot be taken
// off (RFC 5524 §3).
func (s *session) decoded(c *urlContent) (urlBody, error) {
	if c.section.Text != imap.TextAll { // a header or a text has none
		return urlBody{c, imapwire.Literal{Size: c.size}}, nil
	}
	d, ok, err := c.message.Decode(s.ctx, c.section.Part)
	switch {
	case errors.Is(err, imapmsg.ErrEncoding) || err == nil && !ok:
		return urlBody{}, nil
	case err != nil:
		return urlBody{}, err
	}
	offset, count := c.section.Window(d.Size)
	body := d.Reader()
	if _, err := io.CopyN(io.Discard, body, offset); err != nil {
		return urlBody{}, err
	}
	return urlBody{body, imapwire.Literal{Size: count, Binary: d.NUL}}, nil
}

// openAuthorized opens what a URL names for whom it authorizes: the token, the
// access identifier and the expiry hold (RFC 4467 §7).
func (s *session) openAuthorized(text string) (*urlContent, error) {
	u, err := imapurl.Parse(text)
	if err != nil {
		return nil, err
	}
	if u.Form != imapurl.Absolute || !s.isHere(u) || u.User == "" || u.Token == "" || !s.mayUse(u) {
		return nil, errURL
	}
	owner, err := s.srv.views.Open(s.ctx, store.AccountID(u.User))
	if err != nil {
		return nil, err
	}
	defer owner.Release()
	st, err := owner.Refresh(s.ctx)
	if err != nil {
		return nil, err
	}
	name, err := store.CleanName(u.Mailbox)
	if err != nil {
		return nil, errURL
	}
	m := st.Named(name)
	if m == nil || m.NoSelect {
		return nil, errURL
	}
	p := place{Mailbox: m, account: owner, name: name, rights: imap.RightsAll}
	key, err := s.accessKey(&p, false)
	if err != nil {
		return nil, err
	}
	if !u.Verify(key) {
		return nil, errURL
	}
	return s.openURL(&p, u)
}

// mayUse reports whether the URL is for this session's user, now.
func (s *session) mayUse(u imapurl.URL) bool {
	if !u.Expire.IsZero() && !time.Now().Before(u.Expire) {
		return false
	}
	switch u.Access.Kind {
	case imapurl.Submit:
		f := s.srv.cfg.SubmissionUser
		return f != nil && f(s.ctx, s.id)
	case imapurl.User:
		return u.Access.User == string(s.id)
	}
	return true
}
