package imapserver

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapsearch"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// search runs SEARCH and UID SEARCH (RFC 3501 §6.4.4), with the results of
// RFC 4731 where RETURN asks for them.
func (s *session) search(cmd *command) error {
	// Clients that poll by SEARCH expect it to find what has arrived.
	t, err := s.fresh()
	if err != nil {
		return err
	}
	s.sync(t, false, cmd.uid)
	args, err := s.readSearch()
	if err != nil {
		return err
	}
	uids, err := imapsearch.Find(s.ctx, imapsearch.Mailbox{
		Mailbox: s.source(), Table: t, Known: s.sel.told.UIDs(), Recent: s.sel.recent,
	}, args.Program)
	if err != nil {
		return err
	}
	var modSeq store.ModSeq
	if args.ModSeq {
		s.turnOn(condstore)
		modSeq = resultModSeq(t, args.Return, uids)
	}
	numbers := uids
	if !cmd.uid {
		numbers = s.sel.told.Seqs(uids)
	}
	if s.has(rev2) && !args.Extended { // RFC 9051 §6.4.4
		args.Extended, args.Return = true, imap.ReturnAll
	}
	if args.Extended {
		s.tellESearch(cmd, args.Return, numbers, modSeq)
	} else {
		s.enc.Raw("* SEARCH")
		for n := range numbers.All() {
			s.enc.SP().Number(uint64(n))
		}
		if modSeq > 0 {
			s.enc.Raw(" (MODSEQ ").Number(uint64(modSeq)).Raw(")")
		}
		s.enc.CRLF()
	}
	return nil
}

// resultModSeq is the mod-sequence of a result (RFC 7162 §3.1.6, RFC 4731 §3.2):
// the greatest of all that was found, or of the messages that MIN and MAX name
// where nothing else is asked for. 0 = nothing was found.
func resultModSeq(t *view.Table, want imap.SearchReturn, uids store.UIDSet) store.ModSeq {
	if want == 0 || want&^(imap.ReturnMin|imap.ReturnMax) != 0 || len(uids) == 0 {
		return greatestModSeq(t, uids)
	}
	var named store.UIDSet
	if want&imap.ReturnMin != 0 {
		named.Add(uids.Min())
	}
	if want&imap.ReturnMax != 0 {
		named.Add(uids.Max())
	}
	return greatestModSeq(t, named)
}

// readSearch takes SP and what SEARCH asks for, CRLF.
func (s *session) readSearch() (imapsearch.Request, error) {
	if err := s.dec.SP(); err != nil {
		return imapsearch.Request{}, err
	}
	r, err := imapsearch.Parse(s.dec, &s.sel.told, s.srv.cfg.Limits.MaxSearchNodes)
	if err != nil {
		return r, err
	}
	return r, s.dec.End()
}

// tellESearch sends the ESEARCH response (RFC 4731 §3.1).
func (s *session) tellESearch(cmd *command, want imap.SearchReturn, numbers store.UIDSet, modSeq store.ModSeq) {
	s.enc.Raw("* ESEARCH (TAG ").Text([]byte(cmd.tag)).Raw(")")
	if cmd.uid {
		s.enc.Raw(" UID")
	}
	if len(numbers) > 0 {
		if want&imap.ReturnMin != 0 {
			s.enc.Raw(" MIN ").Number(uint64(numbers.Min()))
		}
		if want&imap.ReturnMax != 0 {
			s.enc.Raw(" MAX ").Number(uint64(numbers.Max()))
		}
		if want&imap.ReturnAll != 0 {
			s.enc.Raw(" ALL ").Raw(numbers.String())
		}
	}
	if want&imap.ReturnCount != 0 {
		s.enc.Raw(" COUNT ").Number(uint64(numbers.Len()))
	}
	if modSeq > 0 {
		s.enc.Raw(" MODSEQ ").Number(uint64(modSeq))
	}
	s.enc.CRLF()
}
