package imapserver

import (
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// readMailbox takes a mailbox name and returns it as the store writes it.
func (s *session) readMailbox() (string, error) {
	name, _, err := s.readGiven()
	return name, err
}

// readLastMailbox takes SP mailbox, CRLF.
func (s *session) readLastMailbox() (string, error) {
	if err := s.dec.SP(); err != nil {
		return "", err
	}
	name, err := s.readMailbox()
	if err != nil {
		return "", err
	}
	return name, s.dec.End()
}

// readGiven is readMailbox that also returns the name as the client wrote it, in
// UTF-8.
func (s *session) readGiven() (name, given string, err error) {
	wire, err := s.dec.AString()
	if err != nil {
		return "", "", err
	}
	given = decodeName(wire, s.asUTF8())
	name, err = cleanName(wire, s.asUTF8())
	return name, given, err
}

// readCreatedGiven is readGiven for CREATE and RENAME, where a delimiter at the end
// only says that names below will follow (RFC 3501 §6.3.3).
func (s *session) readCreatedGiven() (name, given string, err error) {
	wire, err := s.dec.AString()
	if err != nil {
		return "", "", err
	}
	if trimmed := strings.TrimSuffix(wire, store.Separator); trimmed != "" {
		wire = trimmed
	}
	name, err = cleanName(wire, s.asUTF8())
	return name, decodeName(wire, s.asUTF8()), err
}

// tellRenamed tells a client with IMAP4rev2 that a mailbox has another name than
// it wrote (RFC 9051 §6.3.9.7).
func (s *session) tellRenamed(name, given string) {
	if !s.has(rev2) || name == given {
		return
	}
	if p, err := s.find(name); err == nil {
		s.tellPlace(&p, given)
	}
}

// badName stands for a mailbox name that cannot exist, until the command was
// read to its end.
const badName = "\x00"

// decodeName is a name as the client means it; badName where it is none.
func decodeName(wire string, asUTF8 bool) string {
	if asUTF8 {
		return wire
	}
	name, err := imapwire.DecodeMailbox(wire)
	if err != nil {
		return badName
	}
	return name
}

// cleanName is the name as the store writes it.
func cleanName(wire string, asUTF8 bool) (string, error) {
	clean, err := store.CleanName(decodeName(wire, asUTF8))
	if err != nil {
		return badName, nil
	}
	return clean, nil
}

// creatable refuses names that no mailbox can be given.
func creatable(name string) error {
	if name == badName {
		return no(imap.CodeCannot, "Name not allowed")
	}
	return nil
}
