package imapserver

import (
	"errors"
	"slices"
	"strconv"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapfetch"
	"github.com/mailstead/mailstead/internal/imapsearch"
	"github.com/mailstead/mailstead/internal/imapsort"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// maxSorted bounds the results of a sorted context, which is put in order again
// when a message joins it.
const maxSorted = 5000

// searchContext is a search or sort whose client wants to hear of changes of its
// result (RFC 5267 §4.3). It ends with the mailbox.
type searchContext struct {
	tag     string
	uid     bool // by UID SEARCH or UID SORT
	program imapsearch.Program
	keys    []store.SortKey // of SORT; nil for SEARCH
	found   store.UIDSet    // the result that the client knows
	order   []store.UID     // with keys: the same in their order
	at      store.ModSeq    // up to which changes are in it
	judged  store.UID       // the last message that was judged
	news    *imapfetch.Plan // what is told of a new message that joins; nil = nothing

	// What judge found and the client is not told of yet.
	left, joined store.UIDSet
	err          error
}

// context is the index of the context with that tag; -1 = none.
func (sel *selected) context(tag string) int {
	return slices.IndexFunc(sel.contexts, func(c *searchContext) bool { return c.tag == tag })
}

// openContext keeps the result up to date from now on, where UPDATE asked for
// that. When it cannot be done the client is told, and that is no error
// (RFC 5267 §4.3.1).
func (s *session) openContext(cmd *command, t *view.Table, args searchArgs, f *found) {
	if args.Return&imap.ReturnUpdate == 0 {
		return
	}
	c := &searchContext{
		tag: cmd.tag, uid: cmd.uid, program: args.program,
		found: f.uids, order: f.order, at: t.ModSeq(), judged: s.sel.told.LastUID(), news: args.news,
	}
	if args.sort != nil {
		c.keys = args.sort.Keys
	}
	limit := s.srv.cfg.Limits.MaxSearchContexts
	switch {
	case limit >= 0 && len(s.sel.contexts) >= limit:
		s.noUpdate(c, "Too many contexts")
	case cmd.limit != "":
		s.noUpdate(c, "Only a part was searched")
	case len(c.order) > maxSorted:
		s.noUpdate(c, "Too many results")
	case args.sort != nil && args.sort.Relevancy:
		s.noUpdate(c, "Sorted by relevancy")
	case c.program.Has(imapsearch.OpOlder, imapsearch.OpYounger):
		s.noUpdate(c, "The result changes with time")
	default:
		s.sel.contexts = append(s.sel.contexts, c)
	}
}

// noUpdate says that a context is not, or no more, kept up to date.
func (s *session) noUpdate(c *searchContext, why string) {
	s.enc.Raw("* NO [NOUPDATE ").Text([]byte(c.tag)).Raw("] ").Raw(why).CRLF()
}

// cancelUpdate runs CANCELUPDATE (RFC 5267 §4.3.5).
func (s *session) cancelUpdate(*command) error {
	var tags []string
	for more := true; more; more = !s.dec.AtEnd() {
		if err := s.dec.SP(); err != nil {
			return err
		}
		tag, err := s.dec.Text()
		if err != nil {
			return err
		}
		tags = append(tags, tag)
	}
	if err := s.dec.End(); err != nil {
		return err
	}
	for _, tag := range tags {
		if s.sel.context(tag) < 0 {
			return bad("Unknown tag")
		}
	}
	s.sel.contexts = slices.DeleteFunc(s.sel.contexts, func(c *searchContext) bool { return slices.Contains(tags, c.tag) })
	return nil
}

// expungeContexts takes what vanished out of the contexts: before the client is
// told of it, so that sequence numbers are valid (RFC 5267 §4.3.4).
func (s *session) expungeContexts(t *view.Table) {
	for _, c := range s.sel.contexts {
		if t.ModSeq() > c.at {
			s.removeFrom(c, t.Vanished(c.at, c.found))
		}
	}
}

// judgeContexts looks whether messages that changed, or that the client knows
// only now, belong to the contexts.
func (s *session) judgeContexts(t *view.Table) {
	for _, c := range s.sel.contexts {
		if t.ModSeq() > c.at || s.sel.told.LastUID() > c.judged {
			c.err = s.judge(t, c)
		}
	}
}

// updateContexts tells what judgeContexts found: after the client was told of the
// messages (RFC 5267 §4.3.3, RFC 5465 §7).
func (s *session) updateContexts() {
	s.sel.contexts = slices.DeleteFunc(s.sel.contexts, func(c *searchContext) bool {
		left, joined, err := c.left, c.joined, c.err
		c.left, c.joined = nil, nil
		if err == nil {
			s.removeFrom(c, left)
			err = s.addTo(c, joined)
		}
		if errors.Is(err, store.ErrLimit) {
			s.noUpdate(c, "Too many results")
			return true
		}
		if err != nil && s.conn.failed() != nil {
			return true
		}
		if err != nil {
			s.conn.log.Error("imap: updating a search context failed", "account", s.id, "err", err)
			s.noUpdate(c, "Search failed")
			return true
		}
		return false
	})
}

func (s *session) judge(t *view.Table, c *searchContext) error {
	last := s.sel.told.LastUID()
	changed := t.UIDsFrom(c.judged + 1).Intersect(s.sel.told.UIDs())
	if c.program.Has(imapsearch.OpFlag, imapsearch.OpKeyword, imapsearch.OpModSeq, imapsearch.OpRecent) {
		for r := range t.Changed(c.at) { // one that was judged may match now, or no more
			if r.UID <= c.judged {
				changed.Add(r.UID)
			}
		}
	}
	c.judged, c.at = max(c.judged, last), t.ModSeq()
	if len(changed) == 0 {
		return nil
	}
	r := s.newUntold()
	defer r.end()
	match, err := r.selected(t, changed, c.program)
	if err != nil {
		return err
	}
	c.left, c.joined = changed.Intersect(c.found).Minus(match), match.Minus(c.found)
	return nil
}

// removeFrom takes messages out of a context and sends REMOVEFROM.
func (s *session) removeFrom(c *searchContext, gone store.UIDSet) {
	if len(gone) == 0 {
		return
	}
	c.found = c.found.Minus(gone)
	items := newItems(s, c)
	if c.keys == nil {
		items.set(gone)
	} else {
		// From the last one on, so that the positions of the others stay.
		for i := len(c.order); i > 0; i-- {
			end := i
			for i > 0 && gone.Contains(c.order[i-1]) {
				i--
			}
			if i < end {
				items.run(i, c.order[i:end])
			}
		}
		c.order = slices.DeleteFunc(c.order, gone.Contains)
	}
	s.tellUpdate(c, " REMOVEFROM (", items)
}

// addTo takes messages into a context and sends ADDTO.
func (s *session) addTo(c *searchContext, fresh store.UIDSet) error {
	if len(fresh) == 0 {
		return nil
	}
	if c.keys != nil {
		return s.addInOrder(c, fresh)
	}
	c.found = c.found.Clone()
	c.found.AddSet(fresh)
	items := newItems(s, c)
	items.set(fresh)
	s.tellUpdate(c, " ADDTO (", items)
	return nil
}

// addInOrder is addTo for a sorted context. What vanished, as the store says now,
// goes first: the positions are those in the order without it.
func (s *session) addInOrder(c *searchContext, fresh store.UIDSet) error {
	all := c.found.Clone()
	all.AddSet(fresh)
	if all.Len() > maxSorted {
		return store.ErrLimit
	}
	order, err := s.sortWatched(all, c.keys)
	if err != nil {
		return err
	}
	sorted := asSet(order)
	s.removeFrom(c, c.found.Minus(sorted))
	if fresh = fresh.Intersect(sorted); len(fresh) == 0 {
		return nil
	}
	items := newItems(s, c)
	for i := 0; i < len(order); i++ {
		from := i
		for i < len(order) && fresh.Contains(order[i]) {
			i++
		}
		if from < i {
			items.run(from, order[from:i])
		}
	}
	c.order, c.found = order, sorted
	s.tellUpdate(c, " ADDTO (", items)
	return nil
}

// sortWatched is sort with an eye on the client.
func (s *session) sortWatched(uids store.UIDSet, keys []store.SortKey) ([]store.UID, error) {
	r := s.newUntold()
	defer r.end()
	r.look(uids)
	return s.sort(r.ctx, uids, keys)
}

// tellUpdate sends the ESEARCH response of a change.
func (s *session) tellUpdate(c *searchContext, item string, items *updateItems) {
	s.beginESearch(&command{tag: c.tag, uid: c.uid}, nil)
	s.enc.Raw(item).Raw(string(items.b)).Raw(")").CRLF()
}

// updateItems are the pairs of position and set of ADDTO and REMOVEFROM.
type updateItems struct {
	told *selected
	uid  bool
	b    []byte
}

func newItems(s *session, c *searchContext) *updateItems {
	return &updateItems{told: s.sel, uid: c.uid}
}

// set adds messages in the order of the mailbox, which have no position.
func (u *updateItems) set(uids store.UIDSet) {
	if !u.uid {
		uids = u.told.told.Seqs(uids)
	}
	u.b = uids.Append(append(u.b, "0 "...))
}

// run adds results that stand together, the first of them at index i.
func (u *updateItems) run(i int, uids []store.UID) {
	if len(u.b) > 0 {
		u.b = append(u.b, ' ')
	}
	u.b = append(strconv.AppendInt(u.b, int64(i)+1, 10), ' ')
	u.b = imapsort.AppendSet(u.b, u.told.inOrder(u.uid, uids))
}
