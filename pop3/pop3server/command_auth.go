package pop3server

import (
	"errors"

	"github.com/mailstead/mailstead/pop3"
)

// passwordsAllowed: a password never travels where others can read it, unless
// the operator says so.
func (s *session) passwordsAllowed() bool {
	return s.tls != nil || s.conn.srv.cfg.AllowPlaintextAuth
}

// user: USER name (RFC 1939 §7). It says nothing of whether the name exists.
func (s *session) user(args []string) error {
	if !s.passwordsAllowed() {
		return s.bad("STLS is required first")
	}
	s.username = args[0]
	s.conn.ok("Send PASS")
	return nil
}

// pass: PASS string (RFC 1939 §7).
func (s *session) pass(args []string) error {
	if s.username == "" {
		return s.bad("USER comes first")
	}
	name := s.username
	s.username = ""
	c := s.conn
	id, err := c.srv.cfg.Login(c.ctx, Peer{Addr: c.addr, TLS: s.tls}, name, args[0])
	switch {
	case errors.Is(err, ErrRejected):
		c.fail(pop3.CodeAuth, "Authentication failed")
		if s.failures++; c.srv.cfg.Limits.MaxAuthFailures > 0 && s.failures >= c.srv.cfg.Limits.MaxAuthFailures {
			return errEnd
		}
		return nil
	case errors.Is(err, ErrTooManyTries):
		c.fail(pop3.CodeSysTemp, "Too many failed logins, try again later")
		return errEnd
	case err != nil:
		c.failure("login", err)
		return nil
	}
	return s.openMaildrop(id)
}

var errNoTLS = errors.New("pop3server: TLS handshake failed")

// stls: STLS (RFC 2595 §4). Octets that came in plain text behind the command
// are dropped with the connection: nothing of them may act under TLS.
func (s *session) stls([]string) error {
	c := s.conn
	if c.srv.cfg.TLSConfig == nil || s.tls != nil {
		return s.bad("Command not permitted when TLS active or not offered")
	}
	if c.br.Buffered() > 0 {
		c.fail("", "Nothing may follow STLS")
		return errEnd
	}
	c.ok("Begin TLS negotiation")
	if err := c.bw.Flush(); err != nil {
		return err
	}
	if err := c.handshake(); err != nil {
		return errNoTLS // in the middle of a handshake no answer can be read
	}
	s.username = ""
	c.buffers()
	return nil
}

// capa: CAPA (RFC 2449 §5); what is listed depends on the state (§3).
func (s *session) capa([]string) error {
	c := s.conn
	c.ok("Capability list follows")
	caps := []string{pop3.CapTop, pop3.CapUIDL, pop3.CapRespCodes, pop3.CapAuthRespCode, pop3.CapPipelining, pop3.CapExpire + " NEVER"}
	if s.passwordsAllowed() {
		caps = append(caps, pop3.CapUser)
	}
	if s.tls == nil && c.srv.cfg.TLSConfig != nil && !s.open() {
		caps = append(caps, pop3.CapSTLS)
	}
	if s.open() {
		caps = append(caps, pop3.CapImpl+" Mailstead") // §6.9: after login only
	}
	for _, line := range caps {
		c.bw.WriteString(line + "\r\n")
	}
	c.bw.WriteString(".\r\n")
	return nil
}
