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
	return cleanName(name)
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
	return cleanName(name)
}

// badName stands for a mailbox name that cannot exist, until the command was
// read to its end.
const badName = "\x00"

// cleanName decodes modified UTF-7 (RFC 3501 §5.1.3). Names that some client
// sends in plain UTF-8 are taken too: no name in modified UTF-7 has such octets.
func cleanName(wire string) (string, error) {
	name := wire
	if isASCII(wire) {
		var err error
		if name, err = imapwire.DecodeUTF7([]byte(wire)); err != nil {
			return badName, nil
		}
	}
	clean, err := store.CleanName(name)
	if err != nil {
		return badName, nil
	}
	return clean, nil
}

func isASCII[S []byte | string](s S) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// creatable refuses names that no mailbox can be given.
func creatable(name string) error {
	if name == badName {
		return no(imap.CodeCannot, "Name not allowed")
	}
	return nil
}
