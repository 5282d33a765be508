package imapserver

import (
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// readMailbox takes a mailbox name and returns it as the store writes it.
func (s *session) readMailbox() (string, error) {
	name, err := s.dec.AString()
	if err != nil {
		return "", err
	}
	return cleanName(name, s.asUTF8())
}

// readCreated is readMailbox for CREATE, where a delimiter at the end only says
// that names below will follow (RFC 3501 §6.3.3).
func (s *session) readCreated() (string, error) {
	name, err := s.dec.AString()
	if err != nil {
		return "", err
	}
	if trimmed := strings.TrimSuffix(name, store.Separator); trimmed != "" {
		name = trimmed
	}
	return cleanName(name, s.asUTF8())
}

// badName stands for a mailbox name that cannot exist, until the command was
// read to its end.
const badName = "\x00"

// cleanName is the name as the store writes it.
func cleanName(name string, asUTF8 bool) (string, error) {
	if !asUTF8 {
		decoded, err := imapwire.DecodeMailbox(name)
		if err != nil {
			return badName, nil
		}
		name = decoded
	}
	clean, err := store.CleanName(name)
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
