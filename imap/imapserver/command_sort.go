package imapserver

import (
	"context"
	"slices"

	"github.com/mailstead/mailstead/internal/imapsort"
	"github.com/mailstead/mailstead/store"
)

// sortMessages runs SORT and UID SORT (RFC 5256 §3), with the results of
// RFC 5267 where RETURN asks for them.
func (s *session) sortMessages(cmd *command) error {
	args, err := s.readSort()
	return s.searching(cmd, args, err)
}

// readSort takes SP [RETURN options SP] sort-criteria SP charset SP keys, CRLF.
func (s *session) readSort() (a searchArgs, err error) {
	if err = s.dec.SP(); err != nil {
		return a, err
	}
	p := s.searchParser(&a.news)
	if a.Options, err = p.Options(); err != nil {
		return a, err
	}
	criteria, err := imapsort.Parse(s.dec)
	if err != nil {
		return a, err
	}
	a.sort = &criteria
	if err = s.dec.SP(); err != nil {
		return a, err
	}
	if a.program, err = p.ProgramIn(); err != nil {
		return a, err
	}
	if err = a.relevancy(p); err != nil {
		return a, err
	}
	return a, s.dec.End()
}

// sortFound puts a result in order. What vanished since it was found is not in it
// any more.
func (s *session) sortFound(r *search, by *imapsort.Criteria, f *found) (err error) {
	r.look(f.uids)
	if f.order, err = s.inOrderOf(r.ctx, by, f); err == nil && int64(len(f.order)) != f.uids.Len() {
		f.uids = asSet(f.order)
	}
	return err
}

func (s *session) inOrderOf(ctx context.Context, by *imapsort.Criteria, f *found) ([]store.UID, error) {
	if !by.Relevancy {
		return s.sort(ctx, f.uids, by.Keys)
	}
	parts := []store.UIDSet{f.best, f.uids.Minus(f.best)}
	if by.WorstFirst {
		slices.Reverse(parts)
	}
	order := []store.UID{}
	for _, part := range parts {
		sorted, err := s.sort(ctx, part, by.Keys)
		if err != nil {
			return nil, err
		}
		order = append(order, sorted...)
	}
	return order, nil
}

// sort puts messages of the open mailbox in the order of keys.
func (s *session) sort(ctx context.Context, uids store.UIDSet, keys []store.SortKey) ([]store.UID, error) {
	if len(uids) == 0 { // for the store that means all
		return []store.UID{}, nil
	}
	return store.Sort(ctx, s.sel.account.Store(), store.SortQuery{
		Mailbox: s.sel.ID, UIDs: uids, Keys: keys, Max: s.srv.cfg.Limits.MaxSort,
	})
}
