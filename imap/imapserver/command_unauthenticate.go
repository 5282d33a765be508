package imapserver

// unauthenticate runs UNAUTHENTICATE (RFC 8437): the session is what it was
// behind the greeting, under the TLS layer that there is. The next command may
// be in the same flight.
//
// It is not offered while DEFLATE is active: where the compressed stream of the
// client ends would be anyone's guess.
func (s *session) unauthenticate(cmd *command) error {
	if err := s.dec.End(); err != nil {
		return err
	}
	s.forgetUser()
	s.state = notAuthenticated
	s.dec.SetMaxLine(s.srv.cfg.Limits.MaxLineBeforeLogin)
	s.conn.awaitLogin()
	return nil
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
