package imapserver

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// readFlags takes a flag-list, or flags without parentheses up to the end of
// the command (RFC 3501 §9, store-att-flags). \Recent, which no client may set,
// is left out, as clients copy it from what they read.
func (s *session) readFlags() (flags store.Flags, keywords []string, err error) {
	one := func() error {
		name, err := imapwire.Take(s.dec, imapwire.ConsumeFlag)
		if err != nil {
			return err
		}
		if name[0] != '\\' {
			keywords = append(keywords, string(name))
			return nil
		}
		bit, ok := imap.SystemFlag(string(name))
		if !ok && string(name) != imap.FlagRecent {
			return bad("Unknown system flag")
		}
		flags |= bit
		return nil
	}
	if s.dec.Peek() == '(' {
		err = s.dec.List(one)
	} else {
		for err = one(); err == nil && s.dec.Accept(' '); {
			err = one()
		}
	}
	if err != nil {
		return 0, nil, err
	}
	if keywords, err = store.CleanKeywords(keywords); err != nil {
		return 0, nil, no(imap.CodeLimit, "Keyword too long, or too many")
	}
	return flags, keywords, nil
}
