package imapserver

// namespace runs NAMESPACE (RFC 2342 §5): all mailboxes are the user's own.
func (s *session) namespace(cmd *command) error {
	if err := s.dec.End(); err != nil {
		return err
	}
	s.enc.Raw("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n")
	return nil
}
