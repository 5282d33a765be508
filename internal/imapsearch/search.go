package imapsearch

import (
	"context"
	"errors"

	"github.com/mailstead/mailstead/internal/imapmsg"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// Mailbox is where a program searches: one state of a mailbox as one client
// knows it.
type Mailbox struct {
	imapmsg.Mailbox
	Table  *view.Table
	Known  store.UIDSet // the messages that the client was told of
	Recent store.UIDSet // those that are \Recent for the client, and perhaps more
}

// Find returns the messages that match and that the client knows. Messages that
// were expunged meanwhile match nothing; any other error of the store ends the
// search (RFC 3501 §6.4.4).
func Find(ctx context.Context, in Mailbox, p Program) (store.UIDSet, error) {
	s := &searcher{ctx: ctx, in: in, program: p, values: make([]truth, len(p))}
	found, doubt := s.byRows(in.Known)
	if asked, err := s.askIndex(doubt); err != nil {
		return nil, err
	} else if asked {
		known, rest := s.byRows(doubt)
		found.AddSet(known)
		doubt = rest
	}
	if len(doubt) == 0 {
		return found, nil
	}
	s.msg = &imapmsg.Message{Mailbox: &s.in.Mailbox}
	q := store.Query{UIDs: doubt, Fields: p.fields()}
	for m, err := range in.Account.Messages(ctx, in.ID, q) {
		if err != nil {
			return nil, err
		}
		row := in.Table.Row(m.UID)
		if row == nil || m.Gone {
			continue
		}
		ok, err := s.judge(row, m, q.Fields)
		switch {
		case errors.Is(err, store.ErrExpunged), errors.Is(err, store.ErrNoMessage):
		case err != nil:
			return nil, err
		case ok:
			found.Add(m.UID)
		}
	}
	return found, nil
}

// searcher runs one program over a mailbox: the view first, then what the store
// keeps of the messages that are still in doubt, then their octets.
type searcher struct {
	ctx     context.Context // of Find, which the searcher does not outlive
	in      Mailbox
	program Program
	values  []truth
	msg     *imapmsg.Message           // nil while the view is searched
	hits    map[*Node]store.SearchHits // what the index said; nil = nothing yet
	sets    []truth                    // of KEYWORD by keyword set, for the last keyword node
	setsFor *Node
	text    haystack
	scratch []byte
}

// byRows judges messages by the view and by what the index has said; doubt are
// those that this does not suffice for.
func (s *searcher) byRows(uids store.UIDSet) (found, doubt store.UIDSet) {
	for _, r := range uids {
		for row := range s.in.Table.Rows(r.First, r.Last) {
			clear(s.values)
			switch s.program.eval(s.values, func(n *Node) truth { return s.byRow(n, row) }) {
			case proved:
				found.Add(row.UID)
			case unknown:
				doubt.Add(row.UID)
			}
		}
	}
	return found, doubt
}

// judge decides about one message with all that is known of it.
func (s *searcher) judge(row *view.Row, m *store.Message, fields store.Fields) (bool, error) {
	s.msg.Reset(m, fields)
	defer s.msg.Close()
	clear(s.values)
	s.program.eval(s.values, func(n *Node) truth { return s.byRow(n, row) })
	var failed error
	v := s.program.eval(s.values, func(n *Node) truth {
		t, err := s.byFacts(n)
		failed = errors.Join(failed, err)
		return t
	})
	if failed != nil || v != unknown {
		return v == proved, failed
	}
	if err := s.scan(s.program.needed(s.values)); err != nil {
		return false, err
	}
	return s.program.eval(s.values, func(*Node) truth { return refuted }) == proved, nil
}

// byRow judges a leaf by the view.
func (s *searcher) byRow(n *Node, row *view.Row) truth {
	switch n.Op {
	case OpFlag:
		return truthOf(row.Flags()&n.Flag != 0)
	case OpKeyword:
		return s.hasKeyword(n, row.KeywordSet())
	case OpUIDs:
		return truthOf(n.UIDs.Contains(row.UID))
	case OpLarger:
		return truthOf(row.Size > n.Num)
	case OpSmaller:
		return truthOf(row.Size < n.Num)
	case OpModSeq:
		return truthOf(row.ModSeq >= store.ModSeq(n.Num))
	case OpRecent:
		return truthOf(s.in.Recent.Contains(row.UID))
	case OpHeader, OpBody, OpText:
		return s.byIndex(n, row.UID)
	}
	return unknown
}

// hasKeyword judges KEYWORD once for each set of keywords.
func (s *searcher) hasKeyword(n *Node, set int) truth {
	if s.setsFor != n {
		s.setsFor = n
		s.sets = make([]truth, s.in.Table.KeywordSets())
	}
	if s.sets[set] == unknown {
		s.sets[set] = truthOf(store.HasKeyword(s.in.Table.Keywords(set), n.Text))
	}
	return s.sets[set]
}
