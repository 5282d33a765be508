package imapserver

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapsearch"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// searchArgs is what a searching command asks for.
type searchArgs struct {
	imapsearch.Options
	program imapsearch.Program
}

// search runs SEARCH and UID SEARCH (RFC 3501 §6.4.4), with the results of
// RFC 4731 and its successors where RETURN asks for them.
func (s *session) search(cmd *command) error {
	args, err := s.readSearch()
	if err == nil {
		err = s.reuses(cmd, args)
	}
	if err == nil {
		err = s.searchSelected(cmd, args)
	}
	if err != nil && !isBad(err) && args.Return&imap.ReturnSave != 0 {
		s.sel.saved = nil // RFC 5182 §2.1
	}
	return err
}

// readSearch takes SP and what SEARCH asks for, CRLF.
func (s *session) readSearch() (a searchArgs, err error) {
	if err = s.dec.SP(); err != nil {
		return a, err
	}
	p := s.searchParser()
	if a.Options, err = p.Options(); err != nil {
		return a, err
	}
	if a.program, err = p.Program(); err != nil {
		return a, err
	}
	if s.has(rev2) && !a.Extended { // RFC 9051 §6.4.4
		a.Extended, a.Return = true, imap.ReturnAll
	}
	return a, s.dec.End()
}

// searchSelected searches in the open mailbox and tells the result.
func (s *session) searchSelected(cmd *command, args searchArgs) error {
	t, err := s.upToDate(cmd)
	if err != nil {
		return err
	}
	args.program = args.program.Bind(&s.sel.told, s.sel.saved)
	r := s.newSearch(cmd)
	defer r.end()
	uids, err := r.selected(t, s.sel.told.UIDs(), args.program)
	if err != nil {
		return err
	}
	s.save(args.Options, uids)
	s.tellFound(cmd, t, args, uids)
	return s.openContext(cmd, t, args, nil, uids)
}

// upToDate looks at the store and tells what is new, because clients that poll
// by SEARCH expect it to find what has arrived.
func (s *session) upToDate(cmd *command) (*view.Table, error) {
	t, err := s.fresh()
	if err == nil {
		s.sync(t, false, cmd.uid)
	}
	return t, err
}

// save keeps the result for "$" where that was asked for: all of it, or what
// MIN, MAX and PARTIAL name (RFC 5182 §2.4, RFC 9394 §3.2).
func (s *session) save(o imapsearch.Options, uids store.UIDSet) {
	if o.Return&imap.ReturnSave != 0 {
		s.sel.saved = returned(o, uids)
	}
}

// returned are the messages that a result names: all of them, unless MIN, MAX
// and PARTIAL alone say which.
func returned(o imapsearch.Options, uids store.UIDSet) store.UIDSet {
	const some = imap.ReturnMin | imap.ReturnMax | imap.ReturnPartial
	if o.Return&some == 0 || o.Return&(imap.ReturnAll|imap.ReturnCount) != 0 || len(uids) == 0 {
		return uids
	}
	var named store.UIDSet
	if o.Return&imap.ReturnPartial != 0 {
		named = o.Partial.Select(uids)
	}
	if o.Return&imap.ReturnMin != 0 {
		named.Add(uids.Min())
	}
	if o.Return&imap.ReturnMax != 0 {
		named.Add(uids.Max())
	}
	return named
}

// tellFound sends SEARCH (RFC 3501 §7.2.5) or ESEARCH.
func (s *session) tellFound(cmd *command, t *view.Table, args searchArgs, uids store.UIDSet) {
	var modSeq store.ModSeq
	if args.program.Has(imapsearch.OpModSeq) { // RFC 7162 §3.1.6, RFC 4731 §3.2
		s.turnOn(condstore)
		modSeq = greatestModSeq(t, returned(args.Options, uids))
	}
	numbers := uids
	if !cmd.uid {
		numbers = s.sel.told.Seqs(uids)
	}
	if s.has(rev2) && !args.Extended { // RFC 9051 §6.4.4
		args.Extended, args.Return = true, imap.ReturnAll
	}
	if args.Extended {
		if args.Return&reported != 0 {
			s.beginESearch(cmd)
			s.tellItems(args.Options, numbers, modSeq)
		}
		return
	}
	s.enc.Raw("* SEARCH")
	for n := range numbers.All() {
		s.enc.SP().Number(uint64(n))
	}
	if modSeq > 0 {
		s.enc.Raw(" (MODSEQ ").Number(uint64(modSeq)).Raw(")")
	}
	s.enc.CRLF()
}

// reported are the result options that an ESEARCH response answers.
const reported = imap.ReturnMin | imap.ReturnMax | imap.ReturnAll | imap.ReturnCount | imap.ReturnPartial

// beginESearch starts the ESEARCH response (RFC 4731 §3.1).
func (s *session) beginESearch(cmd *command) {
	s.enc.Raw("* ESEARCH (TAG ").Text([]byte(cmd.tag)).Raw(")")
	if cmd.uid {
		s.enc.Raw(" UID")
	}
}

// tellItems sends the items of an ESEARCH response, and ends it. numbers are
// sequence numbers, or UIDs.
func (s *session) tellItems(o imapsearch.Options, numbers store.UIDSet, modSeq store.ModSeq) {
	if len(numbers) > 0 {
		if o.Return&imap.ReturnMin != 0 {
			s.enc.Raw(" MIN ").Number(uint64(numbers.Min()))
		}
		if o.Return&imap.ReturnMax != 0 {
			s.enc.Raw(" MAX ").Number(uint64(numbers.Max()))
		}
		if o.Return&imap.ReturnAll != 0 {
			s.enc.Raw(" ALL ").Raw(numbers.String())
		}
	}
	if o.Return&imap.ReturnPartial != 0 {
		s.tellPartial(o.Partial, o.Partial.Select(numbers).String())
	}
	if o.Return&imap.ReturnCount != 0 {
		s.enc.Raw(" COUNT ").Number(uint64(numbers.Len()))
	}
	if modSeq > 0 {
		s.enc.Raw(" MODSEQ ").Number(uint64(modSeq))
	}
	s.enc.CRLF()
}

// tellPartial sends the PARTIAL item (RFC 9394 §4).
func (s *session) tellPartial(r imap.PartialRange, set string) {
	if set == "" {
		set = "NIL"
	}
	s.enc.Raw(" PARTIAL (").Raw(r.String()).SP().Raw(set).Raw(")")
}
