package imapserver

import (
	"errors"
	"io"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// receive streams one message into the blob store and returns the Op that adds
// it: a literal, a literal8, or
//
//	"UTF8" SP "(" literal8 ")"                   (RFC 6855 §4)
//	"CATENATE" SP "(" cat-part *(SP cat-part) ")" (RFC 4469 §5)
func (s *session) receive(args appendArgs) (store.Append, error) {
	in := s.intake
	in.size, in.parts = 0, false
	switch {
	case int64(len(in.ops)) >= s.saveLimit():
		return store.Append{}, s.errOver()
	case in.kept >= maxAppendMemory:
		return store.Append{}, store.ErrTooLarge
	}
	body, size, err := s.appendData()
	if err != nil {
		return store.Append{}, err
	}
	op, err := store.PrepareAppend(s.ctx, s.srv.cfg.Store, store.NewMessage{
		Mailbox: in.dest.ID, Flags: args.flags, Keywords: args.keywords, Received: args.received, Body: body, BodySize: size,
	})
	if c, ok := body.(io.Closer); ok {
		err = errors.Join(err, c.Close())
	}
	if err == nil && in.size == 0 {
		err = no(imap.CodeCannot, "Empty message")
	}
	in.kept += keptOf(&op)
	return op, err
}

// appendData takes the start of a message and returns what reads the rest of it,
// and its size where that was announced, or -1.
func (s *session) appendData() (io.Reader, int64, error) {
	if s.dec.Peek() == '{' || s.dec.Follows("~{") {
		return s.literal()
	}
	word, err := s.dec.Word()
	if err != nil || word != "CATENATE" && word != "UTF8" {
		return nil, 0, bad("Message expected")
	}
	if err := s.dec.SP(); err != nil {
		return nil, 0, err
	}
	if word == "CATENATE" {
		s.intake.parts = true
		err := s.dec.Open()
		return &catenation{session: s}, -1, err
	}
	return s.utf8Literal()
}

// literal takes a literal of a message.
func (s *session) literal() (io.Reader, int64, error) {
	lit, r, err := s.dec.Stream()
	if err != nil {
		return nil, 0, err
	}
	s.intake.add(lit.Size)
	return &whole{r: r, left: lit.Size}, lit.Size, nil
}

// utf8Literal takes "(" literal8, for a message with UTF-8 in its header; its
// reader takes the ")".
func (s *session) utf8Literal() (io.Reader, int64, error) {
	if !s.has(utf8Accept) {
		return nil, 0, bad("UTF8=ACCEPT is not enabled")
	}
	if err := s.dec.Open(); err != nil {
		return nil, 0, err
	}
	if !s.dec.Follows("~{") {
		return nil, 0, bad("Literal8 expected")
	}
	r, size, err := s.literal()
	return &enclosed{r, s.dec.Close}, size, err
}

// enclosed is a literal in parentheses: the closing one is taken before its end
// is told.
type enclosed struct {
	io.Reader
	end func() error
}

func (e *enclosed) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if err == io.EOF && e.end != nil {
		if end := e.end(); end != nil {
			err = end
		}
		e.end = nil
	}
	return n, err
}

// whole is a reader that knows how much has to come: an early end is an error.
type whole struct {
	r    io.Reader
	left int64
}

var errShort = errors.New("imapserver: literal ended early")

func (w *whole) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.left -= int64(n)
	if err == io.EOF && w.left > 0 {
		err = errShort
	}
	return n, err
}

// catenation reads the parts of CATENATE one behind the other, as the client
// sends them (RFC 4469 §3). Nothing of them is collected.
type catenation struct {
	session *session
	part    io.Reader // nil between two parts
	started bool
	ended   bool
}

func (c *catenation) Read(p []byte) (int, error) {
	for {
		switch {
		case c.ended:
			return 0, io.EOF
		case c.part == nil:
			if err := c.next(); err != nil {
				return 0, err
			}
			continue
		}
		n, err := c.part.Read(p)
		if err == io.EOF {
			err = c.endPart()
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// Close gives back the message of a part that was not read to its end.
func (c *catenation) Close() error { return c.endPart() }

func (c *catenation) endPart() (err error) {
	if closer, ok := c.part.(io.Closer); ok {
		err = closer.Close()
	}
	c.part = nil
	return err
}

// next takes ")" or the start of a part:
//
//	cat-part = "TEXT" SP literal / "URL" SP astring / "UTF8" SP "(" literal8 ")"
func (c *catenation) next() (err error) {
	s := c.session
	if c.started && s.dec.Peek() == ')' {
		c.ended = true
		return s.dec.Close()
	}
	if c.started {
		if err := s.dec.SP(); err != nil {
			return err
		}
	}
	c.started = true
	word, err := s.dec.Word()
	if err != nil {
		return err
	}
	if err := s.dec.SP(); err != nil {
		return err
	}
	switch word {
	case "TEXT":
		c.part, _, err = s.literal()
	case "UTF8":
		c.part, _, err = s.utf8Literal()
	case "URL":
		c.part, err = s.urlPart()
	default:
		return bad("TEXT or URL expected")
	}
	if err != nil {
		c.part = nil
	}
	return err
}

// urlPart takes the URL of a message or of a part of one.
func (s *session) urlPart() (io.Reader, error) {
	text, err := s.dec.AString()
	if err != nil {
		return nil, err
	}
	part, err := s.openOwnURL(text)
	if err != nil {
		return nil, s.badURL(text, err)
	}
	err = s.intake.admit(part.size, s.srv.cfg.Limits.MaxMessageBytes)
	if _, ok := errors.AsType[*imapwire.TooBigError](err); ok {
		err = no(imap.CodeTooBig, "Message too large")
	}
	if err != nil {
		return nil, errors.Join(err, part.Close())
	}
	s.intake.add(part.size)
	return part, nil
}
