package pop3server

import (
	"errors"
	"strings"
)

var errNoTLS = errors.New("pop3server: TLS handshake failed")

// stls: STLS (RFC 2595 §4). Octets that came in plain text behind the command
// are dropped with the connection: nothing of them may act under TLS.
func (s *session) stls(arguments) error {
	c := s.conn
	switch {
	case !s.peerNeedsTLS():
		return s.bad(textNoTLS)
	case s.utf8: // RFC 6856 §2.1
		return s.bad(textTLSAfterUTF8)
	case c.in.r < c.in.w:
		c.fail("", textInjected)
		return errEnd
	}
	c.ok(textBeginTLS)
	if err := c.out.flush(); err != nil {
		return err
	}
	if err := c.handshake(); err != nil {
		return errNoTLS // in the middle of a handshake no answer can be read
	}
	s.username = ""
	return nil
}

// useUTF8: UTF8 (RFC 6856 §2.1).
func (s *session) useUTF8(arguments) error {
	s.utf8 = true
	s.conn.ok(textUTF8)
	return nil
}

// language: LANG [range] (RFC 6856 §3.2). The answer to a change is in the new
// language already.
func (s *session) language(args arguments) error {
	c := s.conn
	if args[0] == nil {
		c.ok(textLanguages)
		for i := range c.srv.languages {
			l := &c.srv.languages[i]
			c.line(strings.TrimSpace(l.Tag + " " + l.Name))
		}
		c.line(".")
		return nil
	}
	for i := range c.srv.languages {
		l := &c.srv.languages[i]
		if string(args[0]) == "*" || l.matches(string(args[0])) {
			s.lang = l
			c.okWith(l.Tag, textLanguage)
			return nil
		}
	}
	return s.bad(textNoLanguage)
}
