package imapserver

import "github.com/mailstead/mailstead/internal/imapwire"

// hasJMAP reports whether JMAPACCESS is announced.
func (s *session) hasJMAP() bool { return s.srv.cfg.JMAPAccess != "" }

// getJMAPAccess runs GETJMAPACCESS (RFC 9698 §4).
func (s *session) getJMAPAccess(cmd *command) error {
	if err := s.dec.End(); err != nil {
		return err
	}
	s.enc.Raw("* JMAPACCESS ")
	_, _ = s.enc.Write(imapwire.AppendQuoted(nil, s.srv.cfg.JMAPAccess))
	s.enc.CRLF()
	return nil
}
