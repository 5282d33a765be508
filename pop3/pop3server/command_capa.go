package pop3server

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/pop3"
)

// capa: CAPA (RFC 2449 §5). What can be had before the login is announced in
// both states, STLS only where it is permitted (RFC 2595 §4).
func (s *session) capa(arguments) error {
	c := s.conn
	c.ok(textCapabilities)
	for _, fixed := range [...]string{
		pop3.CapTop, pop3.CapUIDL, pop3.CapRespCodes, pop3.CapAuthRespCode, pop3.CapPipelining, pop3.CapUTF8 + " USER", pop3.CapLang,
	} {
		c.line(fixed)
	}
	s.announcePolicy()
	if mechanisms := authn.Offered(s.judge(), s.authPeer()); len(mechanisms) > 0 {
		if slices.Contains(mechanisms, sasl.Plain) { // see authn.TakesPasswords
			c.line(pop3.CapUser)
		}
		c.line(pop3.CapSASL, " ", strings.Join(mechanisms, " "))
	}
	if s.peerNeedsTLS() && !s.open() && !s.utf8 {
		c.line(pop3.CapSTLS)
	}
	if s.open() {
		c.line(pop3.CapImpl, " Mailstead") // §6.9: after login only
	}
	c.line(".")
	return nil
}

// peerNeedsTLS reports whether STLS has something to do.
func (s *session) peerNeedsTLS() bool {
	return s.conn.srv.cfg.TLSConfig != nil && s.conn.peer.TLS == nil
}

// announcePolicy: EXPIRE and LOGIN-DELAY (RFC 2449 §6.5, §6.7). "USER" says
// that there is more to hear after the login.
func (s *session) announcePolicy() {
	c := s.conn
	policy, suffix := c.srv.cfg.Policy, ""
	switch {
	case s.open():
		policy = s.policy
	case c.srv.cfg.UserPolicy != nil:
		suffix = " USER"
	}
	expire := "NEVER"
	switch {
	case policy.DeleteRetrieved:
		expire = "0"
	case policy.RetentionDays > 0:
		expire = strconv.Itoa(policy.RetentionDays)
	}
	c.line(pop3.CapExpire, " ", expire, suffix)
	if policy.LoginDelay > 0 {
		c.line(pop3.CapLoginDelay, " ", strconv.FormatInt(seconds(policy.LoginDelay), 10), suffix)
	}
}

// seconds rounds up.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
