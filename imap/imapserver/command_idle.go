package imapserver

import (
	"bytes"
	"errors"

	"github.com/mailstead/mailstead/store/view"
)

// idle runs IDLE (RFC 2177): the client is told of changes as they come, until
// it says DONE. The session sleeps in its connection; the account's watcher
// wakes it.
func (s *session) idle(cmd *command) error {
	if err := s.dec.End(); err != nil {
		return err
	}
	if err := s.idleUntil(cmd); err != nil {
		return err
	}
	return s.endIdle()
}

// endIdle takes what the client says, which has to be DONE.
func (s *session) endIdle() error {
	line, err := s.dec.ReadLine()
	if err != nil {
		return err
	}
	if !bytes.EqualFold(line, []byte("DONE")) {
		return bad("DONE expected")
	}
	return nil
}

// watchIdle has the session woken by what IDLE tells.
func (s *session) watchIdle() (watches []*view.Watch) {
	if s.sel != nil {
		watches = append(watches, s.watched().Watch(s.conn.wake))
	}
	if s.has(metadata) {
		watches = append(watches, s.account.Watch(s.conn.wake))
	}
	return watches
}

func stop(watches []*view.Watch) {
	for _, w := range watches {
		w.Stop()
	}
}

// idleUntil tells what changes until the client says something.
func (s *session) idleUntil(cmd *command) error {
	defer stop(s.watchIdle())
	s.enc.Raw("+ idling\r\n")
	for {
		s.pollAnnotations(cmd)
		if s.sel != nil {
			if err := s.poll(cmd); err != nil {
				return err
			}
		}
		err := s.conn.await()
		if err == nil {
			return nil
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
}
