package imapserver

// capability runs CAPABILITY (RFC 3501 §6.1.1).
func (s *session) capability(cmd *command) error {
	if err := s.dec.End(); err != nil {
		return err
	}
	s.enc.Raw("* CAPABILITY ").Raw(s.capabilities()).CRLF()
	return nil
}

// noop runs NOOP (RFC 3501 §6.1.2): the sync behind it does the work.
func (s *session) noop(cmd *command) error { return s.dec.End() }

// check runs CHECK (RFC 3501 §6.4.1): everything is on stable storage already.
func (s *session) check(cmd *command) error { return s.dec.End() }

// logout runs LOGOUT (RFC 3501 §6.1.3).
func (s *session) logout(cmd *command) error {
	if err := s.dec.End(); err != nil {
		return err
	}
	s.deselect()
	s.conn.polite = true
	s.bye("Logging out")
	return nil
}
