package imapserver

import (
	"bytes"
	"errors"
)

// idle runs IDLE (RFC 2177): the client is told of changes as they come, until
// it says DONE. The session sleeps in its connection; the account's watcher
// wakes it.
func (s *session) idle(cmd *command) error {
	if err := s.dec.End(); err != nil {
		return err
	}
	if s.sel != nil {
		w := s.watched().Watch(s.conn.wake)
		defer w.Stop()
	}
	if s.has(metadata) {
		w := s.account.Watch(s.conn.wake)
		defer w.Stop()
	}
	s.enc.Raw("+ idling\r\n")
	for {
		s.pollAnnotations(cmd)
		if s.sel != nil {
			if err := s.poll(cmd); err != nil {
				return err
			}
		}
		err := s.conn.await(s.dec.Wait)
		if err == nil {
			break
		}
		if !errors.As(err, new(errWoken)) {
			return err
		}
		if s.announce(); s.state == logout {
			return errSilent
		}
		if s.srv.group.Closing() {
			s.shutDown()
			return errSilent
		}
	}
	line, err := s.dec.ReadLine()
	if err != nil {
		return err
	}
	if !bytes.EqualFold(line, []byte("DONE")) {
		return bad("DONE expected")
	}
	return nil
}
