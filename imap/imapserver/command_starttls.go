package imapserver

// startTLS runs STARTTLS (RFC 3501 §6.2.1). Octets that came behind it in
// plaintext are an attack or a broken client: the connection ends, so that none
// of them is ever taken for a command under TLS (CVE-2011-0411).
func (s *session) startTLS(cmd *command) error {
	if err := s.dec.End(); err != nil {
		return err
	}
	if len(s.dec.Buffered()) > 0 {
		s.bye("Nothing may follow STARTTLS before TLS is up")
		return bad("Nothing may follow STARTTLS before TLS is up")
	}
	cmd.okText = "Begin TLS negotiation now"
	if err := s.finishNow(cmd); err != nil {
		return err
	}
	if err := s.conn.startTLS(); err != nil {
		s.state = logout
		s.conn.readErr = err
		return err
	}
	s.dec.Reset(s.conn)
	s.enc.Reset(connWriter{s.conn})
	return errSilent
}
