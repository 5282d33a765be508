package pop3server

import (
	"context"
	"errors"

	"github.com/mailstead/mailstead/pop3"
)

// dele: DELE msg (RFC 1939 §5) marks; QUIT deletes.
func (s *session) dele(args []string) error {
	m := s.drop.find(args[0])
	if m == nil {
		return s.bad("No such message")
	}
	m.marked = true
	s.drop.count--
	s.drop.octets -= m.size
	s.conn.ok("Marked to be deleted")
	return nil
}

// rset: RSET (RFC 1939 §5).
func (s *session) rset([]string) error {
	for i := range s.drop.messages {
		if m := &s.drop.messages[i]; m.marked {
			m.marked = false
			s.drop.count++
			s.drop.octets += m.size
		}
	}
	s.conn.ok("Nothing is marked")
	return nil
}

// noop: NOOP (RFC 1939 §5).
func (s *session) noop([]string) error {
	s.conn.ok("")
	return nil
}

// quit: QUIT (RFC 1939 §6). The +OK says that the deletions are on stable
// storage; once begun they are not cancelled with the connection. The maildrop
// is free when the client has its answer.
func (s *session) quit([]string) error {
	if s.open() {
		err := s.drop.commit(context.WithoutCancel(s.conn.ctx))
		s.end()
		if errors.Is(err, errHeld) {
			s.conn.fail("", "Some deleted messages not removed")
			return errEnd
		}
		if err != nil {
			s.conn.srv.cfg.Logger.Error("pop3: cannot delete", "error", err, "account", s.account)
			s.conn.fail(pop3.CodeSysTemp, "Some deleted messages were not removed")
			return errEnd
		}
	}
	s.conn.ok("Bye")
	return errEnd
}
