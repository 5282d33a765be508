package imapserver

import (
	"github.com/mailstead/mailstead/imap"
)

// compress runs COMPRESS (RFC 4978). Who has none left of the memory that
// inflating takes is refused.
func (s *session) compress(cmd *command) error {
	if err := s.dec.SP(); err != nil {
		return err
	}
	algorithm, err := s.dec.Word()
	if err != nil {
		return err
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	switch {
	case algorithm != "DEFLATE":
		return bad("Unknown compression")
	case s.conn.deflated != nil:
		return &reply{"BAD", string(imap.CodeCompressionActive), "DEFLATE is active already"}
	case !s.srv.reserveInflate():
		return no(imap.CodeLimit, "No memory for compression, go on without")
	}
	begun := s.dec.Buffered()
	cmd.okText = "DEFLATE active"
	if err := s.finishNow(cmd); err != nil {
		s.srv.releaseInflate()
		return err
	}
	s.dec.Reset(s.conn)
	s.conn.deflate(begun)
	return errSilent
}

// reserveInflate takes the memory that one compressed connection holds out of
// the budget; false: there is none left.
func (s *Server) reserveInflate() bool {
	limit := s.cfg.Limits.MaxCompressionBytes
	if s.inflating.Add(inflateMemory) > limit && limit >= 0 {
		s.releaseInflate()
		return false
	}
	return true
}

func (s *Server) releaseInflate() { s.inflating.Add(-inflateMemory) }

func (s *session) mayCompress() bool { return !s.srv.cfg.NoCompress && s.conn.deflated == nil }
