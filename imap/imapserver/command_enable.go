package imapserver

// enable runs ENABLE (RFC 5161). Unknown capabilities are ignored, and none of
// those announced can be enabled yet.
func (s *session) enable(cmd *command) error {
	for first := true; first || !s.dec.AtEnd(); first = false {
		if err := s.dec.SP(); err != nil {
			return err
		}
		if _, err := s.dec.Word(); err != nil {
			return err
		}
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	s.enc.Raw("* ENABLED\r\n")
	return nil
}
