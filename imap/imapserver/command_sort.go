package imapserver

import (
	"context"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapsearch"
	"github.com/mailstead/mailstead/internal/imapsort"
	"github.com/mailstead/mailstead/store"
)

// sorting is a result in the order of its keys.
type sorting struct {
	keys  []store.SortKey
	order []store.UID
}

// sortMessages runs SORT and UID SORT (RFC 5256 §3), with the results of
// RFC 5267 where RETURN asks for them.
func (s *session) sortMessages(cmd *command) error {
	args, keys, err := s.readSort()
	if err == nil {
		err = s.reuses(cmd, args)
	}
	if err == nil {
		err = s.sortSelected(cmd, args, keys)
	}
	if err != nil && !isBad(err) && args.Return&imap.ReturnSave != 0 {
		s.sel.saved = nil // RFC 5182 §2.1
	}
	return err
}

// readSort takes SP [RETURN options SP] sort-criteria SP charset SP keys, CRLF.
func (s *session) readSort() (a searchArgs, keys []store.SortKey, err error) {
	if err = s.dec.SP(); err != nil {
		return a, nil, err
	}
	p := s.searchParser()
	if a.Options, err = p.Options(); err != nil {
		return a, nil, err
	}
	if keys, err = imapsort.Parse(s.dec); err != nil {
		return a, nil, err
	}
	if err = s.dec.SP(); err != nil {
		return a, nil, err
	}
	if a.program, err = p.ProgramIn(); err != nil {
		return a, nil, err
	}
	return a, keys, s.dec.End()
}

// sortSelected searches in the open mailbox, sorts, and tells the result.
func (s *session) sortSelected(cmd *command, args searchArgs, keys []store.SortKey) error {
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
	order, err := s.sort(r.ctx, uids, keys)
	if err != nil {
		return err
	}
	if args.Return&imap.ReturnSave != 0 {
		s.sel.saved = returnedOf(args.Options, uids, order)
	}
	var modSeq store.ModSeq
	if args.program.Has(imapsearch.OpModSeq) {
		s.turnOn(condstore)
		modSeq = greatestModSeq(t, returnedOf(args.Options, uids, order))
	}
	s.tellSorted(cmd, args.Options, order, modSeq)
	return s.openContext(cmd, t, args, &sorting{keys, order}, uids)
}

// sort puts messages of the open mailbox in the order of keys.
func (s *session) sort(ctx context.Context, uids store.UIDSet, keys []store.SortKey) ([]store.UID, error) {
	if len(uids) == 0 { // for the store that means all
		return nil, nil
	}
	return store.Sort(ctx, s.sel.account.Store(), store.SortQuery{
		Mailbox: s.sel.ID, UIDs: uids, Keys: keys, Max: s.srv.cfg.Limits.MaxSort,
	})
}

// returnedOf is returned for a result in an order.
func returnedOf(o imapsearch.Options, uids store.UIDSet, order []store.UID) store.UIDSet {
	const some = imap.ReturnMin | imap.ReturnMax | imap.ReturnPartial
	if o.Return&some == 0 || o.Return&(imap.ReturnAll|imap.ReturnCount) != 0 || len(order) == 0 {
		return uids
	}
	var named []store.UID
	if o.Return&imap.ReturnMin != 0 {
		named = append(named, order[0])
	}
	if o.Return&imap.ReturnMax != 0 {
		named = append(named, order[len(order)-1])
	}
	if o.Return&imap.ReturnPartial != 0 {
		from, to := o.Partial.Bounds(int64(len(order)))
		named = append(named, order[from:to]...)
	}
	return store.UIDs(named...)
}

// tellSorted sends SORT (RFC 5256 §4), or ESEARCH where RETURN was given
// (RFC 5267 §3.1).
func (s *session) tellSorted(cmd *command, o imapsearch.Options, order []store.UID, modSeq store.ModSeq) {
	numbers := s.sel.numbers(cmd.uid, order)
	if !o.Extended {
		s.enc.Raw("* SORT")
		for _, n := range numbers {
			s.enc.SP().Number(uint64(n))
		}
		if modSeq > 0 { // RFC 7162 §3.1.5
			s.enc.Raw(" (MODSEQ ").Number(uint64(modSeq)).Raw(")")
		}
		s.enc.CRLF()
		return
	}
	if o.Return&reported == 0 {
		return
	}
	s.beginESearch(cmd)
	if len(numbers) > 0 {
		if o.Return&imap.ReturnMin != 0 {
			s.enc.Raw(" MIN ").Number(uint64(numbers[0]))
		}
		if o.Return&imap.ReturnMax != 0 {
			s.enc.Raw(" MAX ").Number(uint64(numbers[len(numbers)-1]))
		}
		if o.Return&imap.ReturnAll != 0 {
			s.enc.Raw(" ALL ").Raw(string(imapsort.AppendSet(nil, numbers)))
		}
	}
	if o.Return&imap.ReturnPartial != 0 {
		from, to := o.Partial.Bounds(int64(len(numbers)))
		s.tellPartial(o.Partial, string(imapsort.AppendSet(nil, numbers[from:to])))
	}
	if o.Return&imap.ReturnCount != 0 {
		s.enc.Raw(" COUNT ").Number(uint64(len(numbers)))
	}
	if modSeq > 0 {
		s.enc.Raw(" MODSEQ ").Number(uint64(modSeq))
	}
	s.enc.CRLF()
}

// numbers are the messages as the client names them: UIDs, or sequence numbers.
func (sel *selected) numbers(uid bool, order []store.UID) []uint32 {
	numbers := make([]uint32, 0, len(order))
	for _, u := range order {
		n := uint32(u)
		if !uid {
			n = sel.told.Seq(u)
		}
		if n != 0 {
			numbers = append(numbers, n)
		}
	}
	return numbers
}
