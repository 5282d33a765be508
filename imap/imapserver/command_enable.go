package imapserver

import (
	"slices"
	"strings"

	"github.com/mailstead/mailstead/imap"
)

// enable runs ENABLE (RFC 5161). What is unknown, or not announced, is ignored.
func (s *session) enable(cmd *command) error {
	var names []string
	for first := true; first || !s.dec.AtEnd(); first = false {
		if err := s.dec.SP(); err != nil {
			return err
		}
		name, err := s.dec.Word()
		if err != nil {
			return err
		}
		names = append(names, name)
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	var on feature
	s.enc.Raw("* ENABLED")
	for i := range offers {
		o := &offers[i]
		if o.enable != 0 && !s.has(o.enable) && slices.ContainsFunc(names, o.is) && o.works(s) {
			on |= o.enable
			s.enc.SP().Raw(string(o.enabledAs()))
		}
	}
	s.enc.CRLF()
	s.turnOn(on)
	return nil
}

// is reports whether name, in any case, is what ENABLE calls the capability.
func (o *offer) is(name string) bool { return strings.EqualFold(name, string(o.enabledAs())) }

// enabledAs is what ENABLE calls the capability: UTF8=ONLY is enabled as
// UTF8=ACCEPT (RFC 9755 §6).
func (o *offer) enabledAs() imap.Capability {
	if o.capability == imap.CapUTF8Only {
		return imap.CapUTF8Accept
	}
	return o.capability
}
