package imapserver

import (
	"slices"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapscope"
	"github.com/mailstead/mailstead/internal/imapsearch"
	"github.com/mailstead/mailstead/internal/imapseq"
	"github.com/mailstead/mailstead/store"
)

// esearchArgs is what ESEARCH asks for.
type esearchArgs struct {
	searchArgs
	sources []imapscope.Scope
}

// esearch runs ESEARCH (RFC 7377 §2): SEARCH in several mailboxes, whose results
// are UIDs.
func (s *session) esearch(cmd *command) error {
	cmd.uid = true
	args, err := s.readESearch()
	if err == nil {
		err = s.mayNotESearch(cmd, args)
	}
	var places []searchPlace
	if err == nil {
		places, err = s.searchPlaces(args.sources)
	}
	if err == nil {
		err = s.searchMany(cmd, args.searchArgs, places)
	}
	if err != nil && !isBad(err) && args.Return&imap.ReturnSave != 0 && s.sel != nil {
		s.sel.saved = nil // RFC 5182 §2.1
	}
	return err
}

// readESearch takes
//
//	[SP "IN" SP "(" sources ")"] [SP "RETURN" options] SP keys CRLF
//
// Without sources the open mailbox is meant, without options ALL.
func (s *session) readESearch() (a esearchArgs, err error) {
	if err = s.dec.SP(); err != nil {
		return a, err
	}
	p := s.searchParser(&a.news)
	if p.NextWordIs("IN") {
		if err = s.dec.SP(); err != nil {
			return a, err
		}
		if a.sources, err = imapscope.ReadSources(s.dec, s.readMailbox); err != nil {
			return a, err
		}
		if err = s.dec.SP(); err != nil {
			return a, err
		}
	} else {
		a.sources = []imapscope.Scope{{Kind: imapscope.Selected}}
	}
	if a.Options, err = p.Options(); err != nil {
		return a, err
	}
	if !a.Extended {
		a.Extended, a.Return = true, imap.ReturnAll
	}
	if a.program, err = p.Program(); err != nil {
		return a, err
	}
	if err = a.relevancy(p); err != nil {
		return a, err
	}
	return a, s.dec.End()
}

// mayNotESearch refuses what cannot be asked of several mailboxes (RFC 7377
// §2.2).
func (s *session) mayNotESearch(cmd *command, a esearchArgs) error {
	isSelected := func(c imapscope.Scope) bool { return c.Kind == imapscope.Selected }
	switch {
	case s.sel == nil && (slices.ContainsFunc(a.sources, isSelected) || a.Return&imap.ReturnUpdate != 0):
		return bad("No mailbox selected")
	case a.Return&imap.ReturnSave != 0 && slices.ContainsFunc(a.sources, func(c imapscope.Scope) bool { return !isSelected(c) }):
		return bad("SAVE is for the selected mailbox alone")
	case a.program.Has(imapsearch.OpSaved) && s.sel == nil:
		return bad("No mailbox selected")
	case s.sel == nil:
		if s.has(uidOnly) && a.program.Has(imapsearch.OpSeqs) {
			return errNumbers
		}
		return nil
	}
	return s.mayNot(cmd, a.searchArgs)
}

// searchPlace is a mailbox that is searched.
type searchPlace struct {
	place
	selected bool
}

// searchPlaces resolves sources to mailboxes, each once, in order of name behind
// the open one. What the user may not read is left out, and what was not named
// and he may not see either (RFC 7377 §2.2).
func (s *session) searchPlaces(sources []imapscope.Scope) (places []searchPlace, err error) {
	l, err := s.listing()
	if err != nil {
		return nil, err
	}
	in := imapscope.NewSet(sources...)
	if in.Has(imapscope.Selected) {
		places = append(places, searchPlace{s.sel.place, true})
	}
	for i := range l.names {
		name := &l.names[i]
		p := l.place(name.Ref)
		if p == nil || p.NoSelect || !p.rights.Has(imap.RightRead) {
			continue
		}
		isSelected := s.sel != nil && p.ID == s.sel.ID && p.in(s.sel.account)
		if isSelected && in.Has(imapscope.Selected) {
			continue
		}
		if in.Names(p.name) || p.rights.Has(imap.RightLookup) && in.Covers(imapscope.Mailbox{Name: p.name, Own: s.own(p), Subscribed: name.Subscribed}) {
			places = append(places, searchPlace{*p, isSelected})
		}
	}
	return places, nil
}

// searchMany searches mailboxes one after the other. One that is gone meanwhile
// has nothing.
func (s *session) searchMany(cmd *command, args searchArgs, places []searchPlace) error {
	r := s.newSearch(cmd)
	defer r.end()
	r.many = len(places) > 1
	kept := false
	for _, p := range places {
		if p.selected {
			t, err := s.upToDate(cmd)
			if err != nil {
				return err
			}
			bound := args
			bound.program = args.program.Bind(&s.sel.told, s.sel.saved)
			f := &found{}
			if f.uids, err = r.selected(t, s.sel.told.UIDs(), bound.program); err != nil {
				return err
			}
			if err := s.rank(r, t, args, f); err != nil {
				return err
			}
			if args.Return&imap.ReturnSave != 0 {
				s.sel.saved = f.returned(args.Options)
			}
			s.tellSearched(cmd, args, &p.place, f, s.foundModSeq(t, args, f))
			s.openContext(cmd, t, bound, f)
			kept = true
			continue
		}
		if err := s.searchPlace(cmd, r, args, p.place); err != nil {
			return err
		}
	}
	if args.Return&imap.ReturnUpdate != 0 && !kept {
		s.noUpdate(&searchContext{tag: cmd.tag}, "Only the selected mailbox is kept up to date")
	}
	return nil
}

// searchPlace searches in a mailbox that is not open: as it is now.
func (s *session) searchPlace(cmd *command, r *search, args searchArgs, p place) error {
	t, err := p.account.Table(s.ctx, p.ID)
	if isGone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var all imapseq.Map
	all.Add(t.UIDs())
	f := &found{}
	f.uids, err = r.in(&p, t, args.program.Bind(&all, nil))
	if isGone(err) {
		return nil
	}
	f.best = f.uids
	if err == nil && args.exact != nil && args.ranked() {
		f.best, err = r.in(&p, t, args.exact.Bind(&all, nil))
	}
	if err != nil {
		return err
	}
	s.tellSearched(cmd, args, &p, f, s.foundModSeq(t, args, f))
	return nil
}

// tellSearched sends the ESEARCH response of one mailbox, where something was found
// (RFC 7377 §2.1).
func (s *session) tellSearched(cmd *command, args searchArgs, p *place, f *found, modSeq store.ModSeq) {
	if len(f.uids) == 0 || args.Return&reported == 0 {
		return
	}
	s.beginESearch(cmd, p)
	s.tellItems(args.Options, numbers{set: f.uids}, f, modSeq)
}
