package imapserver

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapsearch"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// Scores of RFC 6203 §4: a message that has the texts of FUZZY as they were
// written, and one that has their words somewhere.
const (
	scoreExact = 100
	scoreWords = 50
)

// relevancy takes over what FUZZY made of the search. RELEVANCY without it is an
// error (RFC 6203 §4, §6).
func (a *searchArgs) relevancy(p *imapsearch.Parser) error {
	if a.ranked() && !p.Fuzzy() {
		return bad("RELEVANCY without FUZZY")
	}
	a.exact = p.Exact()
	return nil
}

// ranked reports whether the relevancy of messages is asked for.
func (a *searchArgs) ranked() bool {
	return a.Return&imap.ReturnRelevancy != 0 || a.sort != nil && a.sort.Relevancy
}

// rank finds out which messages match best, where that is asked for.
func (s *session) rank(r *search, t *view.Table, args searchArgs, f *found) (err error) {
	f.best = f.uids
	if args.exact != nil && args.ranked() && len(f.uids) > 0 {
		f.best, err = r.selected(t, f.uids, args.exact.Bind(&s.sel.told, s.sel.saved))
	}
	return err
}

// score is the relevancy of a message.
func (f *found) score(uid store.UID) uint64 {
	if f.best.Contains(uid) {
		return scoreExact
	}
	return scoreWords
}

// tellRelevancy sends the scores of the messages that PARTIAL names, or of all,
// in their order.
func (s *session) tellRelevancy(o imapsearch.Options, f *found) {
	s.enc.Raw(" RELEVANCY (")
	first := true
	add := func(uid store.UID) {
		if !first {
			s.enc.SP()
		}
		first = false
		s.enc.Number(f.score(uid))
	}
	window := imap.PartialRange{Start: 1, Stop: 1<<32 - 1}
	if o.Return&imap.ReturnPartial != 0 {
		window = o.Partial
	}
	if f.order == nil {
		for uid := range window.Select(f.uids).All() {
			add(uid)
		}
	} else {
		from, to := window.Bounds(int64(len(f.order)))
		for _, uid := range f.order[from:to] {
			add(uid)
		}
	}
	s.enc.Raw(")")
}
