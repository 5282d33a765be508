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
	s.enc.Raw("* ENABLED")
	for i := range offers {
		o := &offers[i]
		if o.enable != nil && !s.enabled[o.capability] && slices.ContainsFunc(names, o.is) && o.works(s) {
			s.turnOn(o)
			s.enc.SP().Raw(string(o.capability))
		}
	}
	s.enc.CRLF()
	return nil
}

// is reports whether name, in any case, is the capability's.
func (o *offer) is(name string) bool { return strings.EqualFold(name, string(o.capability)) }

// turnOn enables a capability: by ENABLE, or by a command that implies it.
func (s *session) turnOn(o *offer) {
	if s.enabled == nil {
		s.enabled = make(map[imap.Capability]bool)
	}
	s.enabled[o.capability] = true
	o.enable(s)
}
