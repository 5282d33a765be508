package smtpserver

import (
	"bytes"

	"github.com/mailstead/mailstead/internal/smtpscan"
	"github.com/mailstead/mailstead/smtp"
)

// rset: RSET CRLF (RFC 5321 §4.1.1.5).
func (s *session) rset([]byte) {
	s.reset()
	s.say(250, smtp.EnhancedCode{Class: 2}, "OK")
}

// noop: NOOP [SP String] CRLF (RFC 5321 §4.1.1.9).
func (s *session) noop([]byte) { s.say(250, smtp.EnhancedCode{Class: 2}, "OK") }

// quit: QUIT CRLF (RFC 5321 §4.1.1.10).
func (s *session) quit([]byte) {
	s.say(221, smtp.EnhancedCode{Class: 2}, s.cfg.Hostname+" Service closing transmission channel")
	s.closing, s.polite = true, true
}

// vrfy: VRFY SP String [SP "SMTPUTF8"] CRLF (RFC 5321 §3.5.3, §4.1.1.6;
// RFC 6531 §3.7.4.2).
func (s *session) vrfy(arg []byte) {
	utf8Asked := false
	if s.offered()&SMTPUTF8 != 0 {
		if i := len(arg) - len(" SMTPUTF8"); i > 0 && smtpscan.EqualFold(" SMTPUTF8", arg[i:]) {
			arg, utf8Asked = bytes.TrimRight(arg[:i], " "), true
		}
	}
	switch {
	case len(arg) == 0 || !smtpscan.CleanText(arg):
		s.refuse(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "Syntax: VRFY address")
		return
	case !utf8Asked && !smtpscan.ASCII(arg):
		s.refuseReply(needsUTF8())
		return
	}
	if s.cfg.Verify != nil {
		if r := s.callVerify(string(arg)); !r.IsZero() {
			s.refuseReply(r)
			return
		}
	}
	s.say(252, smtp.EnhancedCode{Class: 2}, "Cannot VRFY user, but will accept message and attempt delivery")
}

// expn: EXPN tells who is on a list, which is nobody's business.
func (s *session) expn([]byte) {
	s.refuse(502, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 1}, "EXPN is not implemented")
}

// help: HELP [SP String] CRLF (RFC 5321 §4.1.1.8).
func (s *session) help([]byte) { s.say(214, smtp.EnhancedCode{Class: 2}, "See RFC 5321") }
