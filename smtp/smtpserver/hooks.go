package smtpserver

import (
	"bytes"
	"errors"
	"strconv"
	"time"

	"github.com/mailstead/mailstead/internal/smtpscan"
	"github.com/mailstead/mailstead/smtp"
)

// greetPause is the wait before the greeting that Config.Pause asks for. A
// peer that speaks first is no mail client (RFC 5321 §3.1, §4.3.1) and is
// refused. false: the session ends.
func (s *session) greetPause() bool {
	d := s.callPause("")
	if d <= 0 {
		return true
	}
	n, err := len(s.in.Buffered()), error(nil)
	if n == 0 {
		if err = s.wait(time.Now().Add(d), false); err == nil {
			var b [1]byte
			n, err = s.nc.Read(b[:])
			err = s.read(n, err, false)
		}
	}
	switch {
	case err == nil && n > 0:
		s.say(554, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 1}, "You spoke before the greeting (RFC 5321)")
		s.closing = true
		return false
	case errors.Is(err, errTooSlow):
		return true // it waited, as it has to
	case err != nil:
		s.end(err)
		return false
	}
	return true
}

// pause is the wait before a command that Config.Pause asks for. Replies that
// are held back leave first; Shutdown ends the wait where no transaction is
// open. false: the session ends.
func (s *session) pause(verb string) bool {
	d := s.callPause(verb)
	if d <= 0 {
		return true
	}
	if err := s.flush(); err != nil {
		s.end(err)
		return false
	}
	if err := s.rest(d, s.tx != nil); err != nil {
		s.end(err)
		return false
	}
	return true
}

// verbName is what Config.Pause is told of a command.
func verbName(v *verb) string {
	if v == nil {
		return "?"
	}
	return v.name
}

// callPause asks Config.Pause. A pause never outlasts Limits.Command.
func (s *session) callPause(verb string) (d time.Duration) {
	if s.cfg.Pause == nil {
		return 0
	}
	defer s.contain(new(error))
	return min(s.cfg.Pause(s.peer, verb), s.cfg.Limits.Command)
}

// callClosed tells Config.Closed of the end of a connection.
func (s *session) callClosed() {
	if s.cfg.Closed == nil || !s.asked {
		return
	}
	defer s.contain(new(error))
	s.cfg.Closed(s.peer)
}

// rest waits without the peer. owing: a transaction is open, so that Shutdown
// has to wait.
func (c *conn) rest(d time.Duration, owing bool) error {
	woken := make(chan struct{})
	if err := c.asleep(woken, owing); err != nil {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-woken:
	case <-c.ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sleeper, c.waiting = nil, false
	switch {
	case c.ctx.Err() != nil:
		return c.ctx.Err()
	case c.draining && !owing || c.expired:
		return errDraining
	}
	return nil
}

// asleep notes what Wake has to close; errDraining: it has come already.
func (c *conn) asleep(woken chan struct{}, owing bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining && !owing || c.expired {
		return errDraining
	}
	c.sleeper, c.waiting = woken, !owing
	return nil
}

// wakeLocked ends a rest.
func (c *conn) wakeLocked() {
	if c.sleeper != nil {
		close(c.sleeper)
		c.sleeper = nil
	}
}

// traceCommand shows a command line without what may be a secret: all of AUTH
// behind the mechanism, and lines that are no command once AUTH was tried, for
// the responses of an exchange that was refused look like that.
func (s *session) traceCommand(line []byte) {
	name, _ := smtpscan.SplitVerb(line)
	switch arg, ok := smtpscan.CutAuth(line); {
	case ok:
		s.triedAuth = true
		mechanism := len(arg) - len(bytes.TrimLeft(arg, smtpscan.MechanismChars))
		if mechanism < len(arg) {
			line = append(append([]byte("AUTH "), arg[:mechanism]...), " ***"...)
		}
	case s.triedAuth && s.lookup(name) == nil:
		line = strconv.AppendInt([]byte("*** octets: "), int64(len(line)), 10)
	}
	s.cfg.Trace(s.peer, true, line)
}

// traceReplies shows replies without the challenges of AUTH.
func (c *conn) traceReplies(replies []byte) {
	if !c.triedAuth || !bytes.Contains(replies, []byte("334 ")) {
		c.cfg.Trace(c.peer, false, replies)
		return
	}
	var shown []byte
	for line := range bytes.Lines(replies) {
		if bytes.HasPrefix(line, []byte("334 ")) {
			line = []byte("334 ***\r\n")
		}
		shown = append(shown, line...)
	}
	c.cfg.Trace(c.peer, false, shown)
}
