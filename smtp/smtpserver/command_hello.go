package smtpserver

import (
	"github.com/mailstead/mailstead/internal/smtpscan"
	"github.com/mailstead/mailstead/smtp"
)

// helo: HELO SP Domain CRLF (RFC 5321 §4.1.1.1). No extensions, hence no
// enhanced status codes.
func (s *session) helo(arg []byte) {
	if s.hello(arg, "SMTP") {
		s.extended = false
		s.say(250, smtp.EnhancedCode{}, s.cfg.Hostname)
	}
}

// ehlo: EHLO or LHLO, and the list of what is offered now (RFC 5321
// §4.1.1.1, RFC 2033 §4.1). RFC 2034 §4: no enhanced status code here.
func (s *session) ehlo(arg []byte) {
	protocol := "ESMTP"
	if s.cfg.LMTP {
		protocol = "LMTP"
	}
	if !s.hello(arg, protocol) {
		return
	}
	s.extended = false
	s.sayReply(smtp.Reply{Code: 250, Lines: append([]string{s.cfg.Hostname}, s.offers()...)})
	s.extended = true
}

// hello takes the name and starts anew.
func (s *session) hello(arg []byte, protocol string) bool {
	if !smtpscan.Hello(arg) {
		s.refuse(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "A domain or an address literal is needed")
		return false
	}
	peer := s.peer.Clone()
	peer.Hello = string(arg)
	peer.Protocol = withWord(protocol, peer)
	before := s.peer
	s.peer = peer
	if s.cfg.Hello != nil {
		if err := s.callHook(s.ctx, s.cfg.Hello); err != nil {
			s.peer = before
			s.replyError(err)
			return false
		}
	}
	s.reset()
	s.state = greeted
	return true
}

// withWord is the registered "with" word (RFC 3848): S for TLS, A for AUTH.
// HELO has no such forms.
func withWord(protocol string, p *smtp.Peer) string {
	if protocol == "SMTP" {
		return protocol
	}
	if p.TLS != nil {
		protocol += "S"
	}
	if p.Identity != "" {
		protocol += "A"
	}
	return protocol
}
