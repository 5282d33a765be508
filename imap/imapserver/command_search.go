package imapserver

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapfetch"
	"github.com/mailstead/mailstead/internal/imapsearch"
	"github.com/mailstead/mailstead/internal/imapsort"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// searchArgs is what a searching command asks for.
type searchArgs struct {
	imapsearch.Options
	program imapsearch.Program
	exact   imapsearch.Program // what matches best; nil = program
	sort    *imapsort.Criteria // of SORT; nil for SEARCH
	news    *imapfetch.Plan    // what UPDATE wants to hear of new messages; nil = nothing
}

// search runs SEARCH and UID SEARCH (RFC 3501 §6.4.4), with the results of
// RFC 4731 and its successors where RETURN asks for them.
func (s *session) search(cmd *command) error {
	args, err := s.readSearch()
	return s.searching(cmd, args, err)
}

// readSearch takes SP and what SEARCH asks for, CRLF.
func (s *session) readSearch() (a searchArgs, err error) {
	if err = s.dec.SP(); err != nil {
		return a, err
	}
	p := s.searchParser(&a.news)
	if a.Options, err = p.Options(); err != nil {
		return a, err
	}
	if a.program, err = p.Program(); err != nil {
		return a, err
	}
	if err = a.relevancy(p); err != nil {
		return a, err
	}
	if s.has(rev2) && !a.Extended { // RFC 9051 §6.4.4
		a.Extended, a.Return = true, imap.ReturnAll
	}
	return a, s.dec.End()
}

// searching runs what SEARCH, SORT and ESEARCH of the open mailbox have in
// common; err is what reading args met. When it answers NO there is nothing in
// "$" where it should have been saved (RFC 5182 §2.1).
func (s *session) searching(cmd *command, args searchArgs, err error) error {
	if err == nil {
		err = s.mayNot(cmd, args)
	}
	if err == nil {
		err = s.searchSelected(cmd, args)
	}
	if err != nil && !isBad(err) && args.Return&imap.ReturnSave != 0 {
		s.sel.saved = nil
	}
	return err
}

// mayNot refuses what cannot be searched for now.
func (s *session) mayNot(cmd *command, args searchArgs) error {
	switch {
	case s.has(uidOnly) && args.program.Has(imapsearch.OpSeqs): // RFC 9586 §3
		return errNumbers
	case args.Return&imap.ReturnUpdate != 0 && s.sel.context(cmd.tag) >= 0: // RFC 5267 §4.3
		return bad("Tag reuse")
	}
	return nil
}

// searchSelected searches in the open mailbox and tells the result.
func (s *session) searchSelected(cmd *command, args searchArgs) error {
	r := s.newSearch(cmd)
	defer r.end()
	t, f, err := s.findSelected(cmd, r, &args)
	if err != nil {
		return err
	}
	s.tellFound(cmd, args, f, s.foundModSeq(t, args, f))
	s.openContext(cmd, t, args, f)
	return nil
}

// findSelected finds messages of the open mailbox, in the order asked for, and
// saves the result where that is asked for. It binds the program.
func (s *session) findSelected(cmd *command, r *search, args *searchArgs) (*view.Table, *found, error) {
	t, err := s.upToDate(cmd)
	if err != nil {
		return nil, nil, err
	}
	if args.program.Has(imapsearch.OpSeqs) {
		cmd.sync = min(cmd.sync, syncGrowth) // no EXPUNGE where numbers are at stake (RFC 7162 §3.2.10.2)
	}
	args.program = args.program.Bind(&s.sel.told, s.sel.saved)
	among, err := s.among(cmd, *args)
	if err != nil {
		return nil, nil, err
	}
	f := &found{}
	if f.uids, err = r.selected(t, among, args.program); err != nil {
		return nil, nil, err
	}
	if err := s.rank(r, t, *args, f); err != nil {
		return nil, nil, err
	}
	if args.sort != nil {
		if err = s.sortFound(r, args.sort, f); err != nil {
			return nil, nil, err
		}
	}
	if args.Return&imap.ReturnSave != 0 {
		s.sel.saved = f.returned(args.Options)
	}
	return t, f, nil
}

// among are the messages that SEARCH looks at: all that its keys do not rule out
// by UID, or the newest of them. SORT takes all or none (RFC 9738 §3.3).
func (s *session) among(cmd *command, args searchArgs) (store.UIDSet, error) {
	known := s.sel.told.UIDs()
	if !s.isOver(known.Len()) {
		return known, nil
	}
	known = args.program.Within(known, s.sel.told.LastUID())
	if args.sort != nil && s.isOver(known.Len()) {
		return nil, s.errOver()
	}
	return s.capped(cmd, known), nil
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

// foundModSeq is the MODSEQ of a result; 0 where no key asked for it (RFC 7162
// §3.1.5).
func (s *session) foundModSeq(t *view.Table, args searchArgs, f *found) store.ModSeq {
	if !args.program.Has(imapsearch.OpModSeq) {
		return 0
	}
	s.turnOn(condstore)
	return greatestModSeq(t, f.returned(args.Options))
}

// tellFound sends SEARCH (RFC 3501 §7.2.5), SORT (RFC 5256 §4), or ESEARCH.
func (s *session) tellFound(cmd *command, args searchArgs, f *found, modSeq store.ModSeq) {
	n := s.sel.numbersOf(cmd.uid, f)
	switch {
	case !args.Extended:
	case args.Return&reported == 0:
		return
	default:
		s.beginESearch(cmd, nil)
		s.tellItems(args.Options, n, f, modSeq)
		return
	}
	if args.sort != nil {
		s.enc.Raw("* SORT")
	} else {
		s.enc.Raw("* SEARCH")
	}
	for v := range n.set.All() {
		s.enc.SP().Number(uint64(v))
	}
	for _, v := range n.order {
		s.enc.SP().Number(uint64(v))
	}
	if modSeq > 0 { // RFC 7162 §3.1.6
		s.enc.Raw(" (MODSEQ ").Number(uint64(modSeq)).Raw(")")
	}
	s.enc.CRLF()
}
