package imapserver

import (
	"errors"
	"slices"
	"strings"

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
// the open one. What the user may not read is left out, and what he has no right
// l on, unless it is named (RFC 7377 §2.2).
func (s *session) searchPlaces(sources []imapscope.Scope) (places []searchPlace, err error) {
	l, err := s.listing()
	if err != nil {
		return nil, err
	}
	in := imapscope.NewSet(sources...)
	isSelected := func(p *place) bool { return s.sel != nil && p.ID == s.sel.ID && p.in(s.sel.account) }
	add := func(p *place) {
		if !p.NoSelect && p.rights.Has(imap.RightRead) && !(isSelected(p) && in.Has(imapscope.Selected)) {
			places = append(places, searchPlace{*p, isSelected(p)})
		}
	}
	for i := range l.names {
		name := &l.names[i]
		if p := l.place(name.Ref); p != nil && (in.Names(p.name) || in.Covers(imapscope.Mailbox{Name: p.name, Own: s.own(p), Subscribed: name.Subscribed})) {
			add(p)
		}
	}
	if err := s.unlisted(in, add); err != nil {
		return nil, err
	}
	slices.SortFunc(places, func(a, b searchPlace) int { return strings.Compare(a.name, b.name) })
	if in.Has(imapscope.Selected) {
		places = slices.Insert(places, 0, searchPlace{s.sel.place, true})
	}
	return places, nil
}

// unlisted adds the mailboxes that are named and that no listing shows: those of
// others that the user has no right l on.
func (s *session) unlisted(in *imapscope.Set, add func(*place)) error {
	for name := range in.Named() {
		if _, ok := s.foreign(name); !ok {
			continue
		}
		p, err := s.find(name)
		if _, ok := errors.AsType[*reply](err); ok {
			continue // there is none
		}
		if err != nil {
			return err
		}
		if !s.own(&p) && !p.rights.Has(imap.RightLookup) {
			add(&p)
		}
	}
	return nil
}

// searchMany searches mailboxes one after the other. One that is gone meanwhile
// has nothing. The limit of RFC 9738 is that of each; of several there is no one
// UID that says how far the search came.
func (s *session) searchMany(cmd *command, args searchArgs, places []searchPlace) error {
	r := s.newSearch(cmd)
	defer r.end()
	r.many = len(places) > 1
	kept := false
	for _, p := range places {
		if !p.selected {
			if err := s.searchPlace(cmd, r, args, p.place); err != nil {
				return err
			}
			continue
		}
		bound := args
		t, f, err := s.findSelected(cmd, r, &bound)
		if err != nil {
			return err
		}
		s.tellSearched(cmd, bound, &p.place, f, s.foundModSeq(t, bound, f))
		s.openContext(cmd, t, bound, f)
		kept = true
	}
	if cmd.limit != "" && r.many {
		cmd.limit = string(imap.CodeMessageLimit) + " " + s.saveLimitValue()
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
	args.program = args.program.Bind(&all, nil)
	among := t.UIDs()
	if s.isOver(among.Len()) {
		among = s.capped(cmd, args.program.Within(among, all.LastUID()))
	}
	f := &found{}
	f.uids, err = r.in(&p, t, among, args.program)
	if isGone(err) {
		return nil
	}
	f.best = f.uids
	if err == nil && args.exact != nil && args.ranked() {
		f.best, err = r.in(&p, t, f.uids, args.exact.Bind(&all, nil))
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
