package pop3server

import (
	"context"
	"errors"
	"log/slog"

	"github.com/mailstead/mailstead/pop3"
)

// dele: DELE msg (RFC 1939 §5) marks; QUIT deletes.
func (s *session) dele(args arguments) error {
	n := s.drop.find(args[0])
	if n < 0 {
		return s.bad(textNoMessage)
	}
	s.drop.mark(n)
	s.conn.ok(textMarked)
	return nil
}

// rset: RSET (RFC 1939 §5).
func (s *session) rset(arguments) error {
	s.drop.unmark()
	s.conn.ok(textNothing)
	return nil
}

// noop: NOOP (RFC 1939 §5).
func (s *session) noop(arguments) error {
	s.conn.ok("")
	return nil
}

// quit: QUIT (RFC 1939 §4, §6). The +OK says that the deletions are on stable
// storage; once begun they are not cancelled with the connection. The maildrop
// is free when the client has its answer. What is deleted because it was sent
// leaves before: nothing is deleted where that fails.
func (s *session) quit(arguments) error {
	c := s.conn
	c.polite = true
	if s.open() {
		if s.drop.retrieved != nil {
			if err := c.out.flush(); err != nil {
				return err
			}
		}
		err := s.drop.commit(context.WithoutCancel(c.ctx))
		s.end()
		switch {
		case errors.Is(err, errHeld):
			c.fail("", textNotRemoved)
			return errEnd
		case err != nil:
			c.logs(slog.LevelError, "pop3: cannot delete", "error", err)
			c.fail(pop3.CodeSysTemp, textNotRemoved)
			return errEnd
		}
	}
	c.ok(textBye)
	return errEnd
}
