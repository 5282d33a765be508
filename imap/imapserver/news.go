package imapserver

import (
	"github.com/mailstead/mailstead/internal/imapfetch"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// news are new messages of which the client hears the same.
type news struct {
	uids store.UIDSet
	plan *imapfetch.Plan // nil = nothing
	full bool            // nothing more goes into the plan
}

// fetchNews tells of messages that the client was just told of what NOTIFY asked
// for (RFC 5465 §5.2), and UPDATE of the searches that they join (§7): of each in
// one response, before the searches. Of what the session put there itself the
// client knows.
func (s *session) fetchNews(t *view.Table, fresh store.UIDSet) {
	if len(fresh) == 0 {
		return
	}
	mine := s.sel.made
	s.sel.made = mine.Minus(fresh)
	list := []news{{uids: fresh.Minus(mine)}}
	if s.notifier != nil {
		list[0].plan = s.notifier.request.New
	}
	for _, c := range s.sel.contexts {
		if c.news != nil {
			list = withNews(list, c.joined, c.news)
		}
	}
	for _, n := range list {
		if n.plan == nil {
			continue
		}
		f := &fetcher{session: s, plan: n.plan, table: t, uids: n.uids}
		if err := f.tell(); err != nil {
			s.conn.log.Warn("imap: telling of new messages failed", "account", s.id, "err", err)
		}
	}
}

// withNews adds what is told of some of the messages. Plans that are too much for
// one response stay apart.
func withNews(list []news, uids store.UIDSet, plan *imapfetch.Plan) (out []news) {
	for _, n := range list {
		in, rest := n.uids.Intersect(uids), n.uids.Minus(uids)
		if len(rest) > 0 {
			out = append(out, news{rest, n.plan, n.full})
		}
		both, err := n.plan, error(nil)
		switch {
		case len(in) == 0:
			continue
		case n.plan == nil:
			both = plan
		case !n.full:
			both, err = imapfetch.Merge(n.plan, plan)
		}
		if err != nil {
			both = n.plan
			out = append(out, news{in, plan, true})
		}
		out = append(out, news{in, both, n.full})
	}
	return out
}
