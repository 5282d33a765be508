package smtpserver

import (
	"github.com/mailstead/mailstead/smtp"
)

// startTLS: STARTTLS CRLF (RFC 3207 §4). What arrived behind it in plain text
// was not sent by whom the handshake is going to show; it is never used.
func (s *session) startTLS([]byte) {
	switch {
	case s.cfg.TLSConfig == nil:
		s.refuse(502, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 1}, "STARTTLS is not offered")
		return
	case s.peer.TLS != nil:
		s.refuse(503, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 1}, "TLS is on already")
		return
	case !s.in.Empty():
		s.refusePipelining()
		return
	}
	s.say(220, smtp.EnhancedCode{Class: 2}, "Ready to start TLS")
	if err := s.flush(); err != nil {
		s.end(err)
		return
	}
	if err := s.handshake(); err != nil {
		s.closing = true
		return
	}
	s.reset()
	// RFC 3207 §4.2: what was learned before the handshake is forgotten.
	s.state, s.extended = fresh, false
	s.peer.Hello, s.peer.Protocol, s.peer.Identity, s.peer.Mechanism = "", "", "", ""
}
