package imapserver

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imaplist"
)

// list runs LIST (RFC 3501 §6.3.8), extended by RFC 5258 and the options that
// stand on it.
func (s *session) list(cmd *command) error {
	r, err := s.readList()
	if err != nil {
		return err
	}
	if r.Root {
		s.enc.Raw("* LIST (\\Noselect) \"/\" \"\"\r\n")
		return nil
	}
	s.noticeModSeq(r.Status)
	l, err := s.listing()
	if err != nil {
		return err
	}
	for a := range r.Select(l.names, s.asUTF8()) {
		if err := s.tellListed(&r, &a, l.place(a.Ref)); err != nil {
			return err
		}
	}
	return nil
}

// readList takes SP and what LIST asks for, CRLF. Options of what is not
// announced are unknown (RFC 5258 §3).
func (s *session) readList() (imaplist.Request, error) {
	if err := s.dec.SP(); err != nil {
		return imaplist.Request{}, err
	}
	r, err := imaplist.Parse(s.dec)
	if err != nil {
		return r, err
	}
	if r.MyRights && !s.offers(imap.CapListMyRights) || r.Metadata != nil && !s.offers(imap.CapListMetadata) {
		return r, bad("Unknown return option")
	}
	return r, s.dec.End()
}

// tellListed sends LIST for a name, and behind it what else was asked for of one
// that meets the selection. p is nil where there is no mailbox.
func (s *session) tellListed(r *imaplist.Request, a *imaplist.Answer, p *place) error {
	var status []byte
	if r.Status != nil && a.Selected && p != nil && !p.NoSelect && p.rights.Has(imap.RightRead) {
		var err error
		if status, err = s.appendStatus(nil, p, r.Status); err != nil {
			return err
		}
	}
	s.tellName("LIST", a)
	if status != nil {
		_, _ = s.enc.Write(status)
	}
	if p == nil || !a.Selected || !a.Exists {
		return nil
	}
	if r.MyRights {
		s.tellMyRights(p)
	}
	if r.Metadata != nil {
		return s.listMetadata(p, r.Metadata)
	}
	return nil
}

// tellName sends LIST or LSUB.
func (s *session) tellName(response string, a *imaplist.Answer) {
	s.enc.Raw("* ").Raw(response).SP().Flags(a.Attrs).Raw(` "/" `).Mailbox(a.Name.Name, s.asUTF8())
	if a.ChildInfo != nil {
		s.enc.Raw(` ("CHILDINFO" (`)
		for i, option := range a.ChildInfo {
			if i > 0 {
				s.enc.SP()
			}
			s.enc.Raw(`"`).Raw(option).Raw(`"`)
		}
		s.enc.Raw("))")
	}
	s.enc.CRLF()
}

// lsub runs LSUB (RFC 3501 §6.3.9).
func (s *session) lsub(cmd *command) error {
	r, err := s.readList()
	if err != nil {
		return err
	}
	if r.Extended {
		return bad("LSUB has no options")
	}
	l, err := s.listing()
	if err != nil {
		return err
	}
	for a := range r.SelectSubscribed(l.names, s.asUTF8()) {
		s.tellName("LSUB", &a)
	}
	return nil
}
