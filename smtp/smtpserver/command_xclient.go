package smtpserver

import (
	"log/slog"
	"net/netip"

	"github.com/mailstead/mailstead/smtp"
)

// xclient: XCLIENT 1*( SP attribute ) CRLF (Postfix, XCLIENT_README). The peer
// speaks for another client from now on, and the session starts anew, with the
// greeting. Whether it may do so once more is not for it to say.
func (s *session) xclient(arg []byte) {
	if !s.maySpeakFor() {
		return
	}
	before := s.peer
	u := smtp.Upstream{Name: before.Name, Addr: before.Addr, Dest: before.LocalAddr}
	if err := u.Apply(arg, smtp.XClientAttributes); err != nil {
		s.refuseParams(err)
		return
	}
	if u.Addr.Addr() != before.Addr.Addr() && u.Name == before.Name {
		u.Name = "" // the name of another address
	}
	if s.srv.group.Rekey(s.conn, u.Addr.Addr()) != nil {
		s.say(421, smtp.EnhancedCode{Class: 4, Subject: 7}, s.cfg.Hostname+" Too many connections")
		return
	}
	s.reset()
	s.callClosed()
	// Nobody inherits a login: without LOGIN the client has none.
	peer := &smtp.Peer{
		Addr: u.Addr, LocalAddr: u.Dest, Name: u.Name, Hello: u.Hello, Protocol: u.Protocol,
		TLS: before.TLS, Identity: u.Login,
	}
	if u.Login != "" {
		peer.Mechanism = "XCLIENT"
	}
	s.peer, s.state, s.extended = peer, fresh, false
	if s.closing = !s.connect(); !s.closing {
		s.welcome()
	}
}

// xforward: XFORWARD 1*( SP attribute ) CRLF (Postfix, XFORWARD_README). What
// it says holds for the next transaction.
func (s *session) xforward(arg []byte) {
	if !s.maySpeakFor() {
		return
	}
	var u smtp.Upstream
	if s.upstream != nil {
		u = *s.upstream
	}
	if err := u.Apply(arg, smtp.XForwardAttributes); err != nil {
		s.refuseParams(err)
		return
	}
	s.upstream = &u
	s.say(250, smtp.EnhancedCode{Class: 2}, "OK")
}

func (s *session) maySpeakFor() bool {
	if !s.trusted {
		s.refuse(550, smtp.EnhancedCode{Class: 5, Subject: 7}, "Insufficient authorization")
		s.log(slog.LevelWarn, "smtp: XCLIENT or XFORWARD from a peer that is none of Proxies", nil)
	}
	return s.trusted
}

// isProxy reports whether a is one of Config.Proxies.
func (c *Config) isProxy(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	for _, p := range c.Proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
