package imapserver

import (
	"strings"

	"github.com/mailstead/mailstead/internal/imapwire"
)

// maxIDFields bounds the pairs of an ID command (RFC 2971 §3.3).
const maxIDFields = 30

// maxIDValue is how much is kept of each; RFC 2971 §3.3 allows 1024 octets.
const maxIDValue = 64

// identify runs ID (RFC 2971). What clients say about themselves is kept where
// Config.Hide may ask for it.
func (s *session) identify(cmd *command) error {
	if err := s.readID(); err != nil {
		return err
	}
	id := s.srv.cfg.ID
	if id == nil {
		id = []string{"name", "Mailstead"}
	}
	if len(id) == 0 {
		s.enc.Raw("* ID NIL\r\n")
		return nil
	}
	s.enc.Raw("* ID (")
	for i, v := range id {
		if i > 0 {
			s.enc.SP()
		}
		s.enc.Text([]byte(v))
	}
	s.enc.Raw(")\r\n")
	return nil
}

// readID takes id-params = "(" [string SP nstring *(SP string SP nstring)] ")" / nil.
func (s *session) readID() error {
	if err := s.dec.SP(); err != nil {
		return err
	}
	if s.dec.Peek() != '(' {
		word, err := imapwire.Take(s.dec, imapwire.ConsumeAtom)
		if err != nil {
			return err
		}
		if !isNIL(word) {
			return bad("NIL or a list expected")
		}
		return s.dec.End()
	}
	n := 0
	var said []string
	err := s.dec.List(func() error {
		if n++; n > 2*maxIDFields {
			return bad("Too many fields")
		}
		text, ok, err := s.dec.NString()
		said = append(said, strings.Clone(text[:min(len(text), maxIDValue)]))
		if err == nil && !ok && n%2 == 1 {
			return bad("Field name expected")
		}
		return err
	})
	if err == nil && n%2 != 0 {
		return bad("Field without a value")
	}
	if err == nil {
		err = s.dec.End()
	}
	if err == nil && s.srv.cfg.Hide != nil {
		s.clientID = said
	}
	return err
}

func isNIL(b []byte) bool {
	return len(b) == 3 && b[0]|0x20 == 'n' && b[1]|0x20 == 'i' && b[2]|0x20 == 'l'
}
