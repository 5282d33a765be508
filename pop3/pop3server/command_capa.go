package pop3server

import (
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/pop3"
)

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
	if mechanisms := authn.Offered(s.judge(), s.authPeer()); len(mechanisms) > 0 {
		if slices.Contains(mechanisms, sasl.Plain) { // see authn.TakesPasswords
			caps = append(caps, pop3.CapUser)
		}
		caps = append(caps, pop3.CapSASL+" "+strings.Join(mechanisms, " "))
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
