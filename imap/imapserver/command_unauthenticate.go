package imapserver

// unauthenticate runs UNAUTHENTICATE (RFC 8437): the session is what it was
// behind the greeting, under the TLS layer that there is. The next command may
// be in the same flight.
//
// Compression ends with the OK, which the last block of the stream to the client
// carries; see deflated.leave for the other one. NO is not permitted (§3): a
// client that has compressed more than the command is told BYE.
func (s *session) unauthenticate(cmd *command) error {
	if err := s.dec.End(); err != nil {
		return err
	}
	d := s.conn.deflated
	if d != nil && len(s.dec.Buffered()) > 0 {
		s.bye("Compression ends with UNAUTHENTICATE")
		return errSilent
	}
	s.forgetUser()
	s.state = notAuthenticated
	s.dec.SetMaxLine(s.srv.cfg.Limits.MaxLineBeforeLogin)
	s.conn.awaitLogin()
	if d == nil {
		return nil
	}
	if err := s.enc.Flush(); err != nil {
		return err
	}
	d.last = true
	err := s.finishNow(cmd)
	d.leaving = true
	if err != nil {
		return err
	}
	return errSilent
}

// forgetUser drops all that belongs to the user who was logged in. What is not
// named here is the connection's, not the user's.
func (s *session) forgetUser() {
	s.stopNotify()
	s.deselect()
	s.sharing.release(s.id)
	if s.account != nil {
		s.account.Release()
	}
	if s.counted {
		s.srv.users.leave(s.id)
	}
	*s = session{
		conn: s.conn, srv: s.srv, dec: s.dec, enc: s.enc, ctx: s.ctx, state: s.state,
		clientID: s.clientID, authFailures: s.authFailures, bad: s.bad,
	}
}
