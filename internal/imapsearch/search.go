package imapsearch

import (
	"context"
	"errors"
	"time"

	"github.com/mailstead/mailstead/internal/imapmsg"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// Mailbox is where a program searches: one state of a mailbox as one client
// knows it.
type Mailbox struct {
	imapmsg.Mailbox
	Table  *view.Table
	Known  store.UIDSet // the messages to judge, all of which the client was told of
	Last   store.UID    // what "*" means in a set of UIDs; 0 = the last one of Known
	Recent store.UIDSet // those that are \Recent for the client, and perhaps more

	// View keeps what is read of messages for the next search; nil = nobody
	// does.
	View *view.Account

	// Progress is called while messages are read from the store, before each
	// one that may have to be opened, with the number of those judged and of
	// those to judge; nil = nobody asks. Its error ends the search.
	Progress func(done, total int64) error
}

// Find returns the messages that match and that the client knows. Messages that
// were expunged meanwhile match nothing; any other error of the store ends the
// search (RFC 3501 §6.4.4). The program is bound.
func Find(ctx context.Context, in Mailbox, p Program) (store.UIDSet, error) {
	s := newSearcher(ctx, in, p)
	found, doubt := s.byRows(s.narrow(in.Known))
	if decided, err := s.askKept(doubt); err != nil {
		return nil, err
	} else if decided {
		doubt = s.again(doubt, &found)
	}
	if asked, err := s.askIndex(doubt); err != nil {
		return nil, err
	} else if asked {
		doubt = s.again(doubt, &found)
	}
	if len(doubt) == 0 {
		return found, nil
	}
	defer s.endKept()
	err := s.byStore(doubt, &found)
	return found, err
}

// again judges messages once more is known, and returns those still in doubt.
func (s *searcher) again(doubt store.UIDSet, found *store.UIDSet) store.UIDSet {
	known, rest := s.byRows(doubt)
	found.AddSet(known)
	return rest
}

// byStore judges by what the store keeps of messages, and by their octets.
func (s *searcher) byStore(doubt store.UIDSet, found *store.UIDSet) error {
	s.msg = &imapmsg.Message{Mailbox: &s.in.Mailbox}
	q := store.Query{UIDs: doubt, Fields: s.program.fields()}
	opens := q.Fields&store.FieldContent != 0
	done, total := int64(0), doubt.Len()
	for m, err := range s.in.Account.Messages(s.ctx, s.in.ID, q) {
		if err == nil && s.in.Progress != nil && (opens || done%cheap == 0) {
			err = s.in.Progress(done, total)
		}
		if err == nil {
			err = s.ctx.Err()
		}
		if err != nil {
			return err
		}
		done++
		row := s.in.Table.Row(m.UID)
		if row == nil || m.Gone {
			continue
		}
		ok, err := s.judge(row, m, q.Fields)
		switch {
		case errors.Is(err, store.ErrExpunged), errors.Is(err, store.ErrNoMessage):
		case err != nil:
			return err
		case ok:
			found.Add(m.UID)
		}
	}
	return nil
}

// cheap is how many messages are judged by what the store keeps of them before
// somebody looks at the time.
const cheap = 64

// searcher runs one program over a mailbox: the view first, then what the store
// keeps of the messages that are still in doubt, then their octets.
type searcher struct {
	ctx     context.Context // of Find, which the searcher does not outlive
	in      Mailbox
	program Program
	now     time.Time

	// What leaves are judged by, at the index of each.
	sets     []store.UIDSet // of OpUIDs, OpUIDSet and OpRecent
	keywords []keywordSets  // of OpKeyword

	values []truth
	need   []bool
	msg    *imapmsg.Message           // nil while the view is searched
	hits   map[*Node]store.SearchHits // what the index said, or the view keeps; nil = nothing yet
	kept   map[uint8]*view.TextWriter // by kind; nil = nothing is to be kept
	uid    store.UID                  // of msg
	folded []byte                     // of an ENVELOPE
	text   haystack
	value  haystack // of a field
	texts  [][]byte // of OpHeader, OpBody and OpText, at the index of each

	scratch                   []byte
	inHeader, inBody, inValue []needle // of the message that is read
	failed                    error    // of a leaf, while judge evaluates
}

func newSearcher(ctx context.Context, in Mailbox, p Program) *searcher {
	s := &searcher{
		ctx: ctx, in: in, program: p, now: time.Now(),
		sets: make([]store.UIDSet, len(p)), keywords: make([]keywordSets, len(p)),
		values: make([]truth, len(p)), need: make([]bool, len(p)),
	}
	last := in.Last
	if last == 0 {
		last = in.Known.Max()
	}
	for i := range p {
		switch n := &p[i]; n.Op {
		case OpUIDs:
			s.sets[i] = n.UIDs
		case OpUIDSet:
			s.sets[i] = n.Set.Resolve(uint32(last))
		case OpRecent:
			s.sets[i] = in.Recent
		}
	}
	if p.Has(OpKeyword) {
		s.findKeywords()
	}
	return s
}

// narrow leaves out the messages that are in none of the sets which the whole
// program asks for: those that are operands of nothing but conjunctions.
func (s *searcher) narrow(uids store.UIDSet) store.UIDSet {
	must := make([]bool, len(s.program))
	must[len(must)-1] = true
	for i := len(must) - 1; i >= 0; i-- {
		n := &s.program[i]
		switch {
		case !must[i]:
		case n.Op == OpAnd:
			must[n.Left], must[n.Right] = true, true
		case n.Op == OpUIDs || n.Op == OpUIDSet:
			uids = uids.Intersect(s.sets[i])
		}
	}
	return uids
}

// judge decides about one message with all that is known of it.
func (s *searcher) judge(row *view.Row, m *store.Message, fields store.Fields) (bool, error) {
	s.msg.Reset(m, fields)
	s.uid = m.UID
	defer s.msg.Close()
	clear(s.values)
	s.program.eval(s.values, func(i int) truth { return s.byRow(i, row) })
	s.program.needed(s.values, s.need)
	s.failed = nil
	v := s.program.eval(s.values, s.byFacts)
	if s.failed != nil || v != unknown {
		return v == proved, s.failed
	}
	s.program.needed(s.values, s.need)
	if err := s.scan(s.need); err != nil {
		return false, err
	}
	return s.program.eval(s.values, func(int) truth { return refuted }) == proved, nil
}

// byRow judges a leaf by the view.
func (s *searcher) byRow(i int, row *view.Row) truth {
	n := &s.program[i]
	switch n.Op {
	case OpFlag:
		return truthOf(row.Flags()&n.Flag != 0)
	case OpKeyword:
		return truthOf(s.keywords[i].has(row.KeywordSet()))
	case OpUIDs, OpUIDSet, OpRecent:
		return truthOf(s.sets[i].Contains(row.UID))
	case OpLarger:
		return truthOf(row.Size > n.Num)
	case OpSmaller:
		return truthOf(row.Size < n.Num)
	case OpModSeq:
		return truthOf(int64(row.ModSeq) >= n.Num)
	}
	return s.byIndex(n, row.UID)
}
