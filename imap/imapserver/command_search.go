package imapserver

import (
	"errors"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// search runs SEARCH and UID SEARCH (RFC 3501 §6.4.4), with the results of
// RFC 4731 where RETURN asks for them.
func (s *session) search(cmd *command) error {
	// Clients that poll by SEARCH expect it to find what has arrived.
	t, err := s.fresh()
	if err != nil {
		return err
	}
	s.sync(t, false, cmd.uid)
	args, err := s.readSearch()
	if err != nil {
		return err
	}
	uids, err := s.find(args.program, t)
	if err != nil {
		return err
	}
	numbers := uids
	if !cmd.uid {
		numbers = s.sel.told.seqs(uids)
	}
	if args.extended {
		s.tellESearch(cmd, args.result, numbers)
	} else {
		s.enc.Raw("* SEARCH")
		for n := range numbers.All() {
			s.enc.SP().Number(uint64(n))
		}
		s.enc.CRLF()
	}
	return nil
}

// tellESearch sends the ESEARCH response (RFC 4731 §3.1).
func (s *session) tellESearch(cmd *command, want imap.SearchReturn, numbers store.UIDSet) {
	s.enc.Raw("* ESEARCH (TAG ").Text([]byte(cmd.tag)).Raw(")")
	if cmd.uid {
		s.enc.Raw(" UID")
	}
	if len(numbers) > 0 {
		if want&imap.ReturnMin != 0 {
			s.enc.Raw(" MIN ").Number(uint64(numbers.Min()))
		}
		if want&imap.ReturnMax != 0 {
			s.enc.Raw(" MAX ").Number(uint64(numbers.Max()))
		}
		if want&imap.ReturnAll != 0 {
			s.enc.Raw(" ALL ").Raw(numbers.String())
		}
	}
	if want&imap.ReturnCount != 0 {
		s.enc.Raw(" COUNT ").Number(uint64(numbers.Len()))
	}
	s.enc.CRLF()
}

// searcher runs one program over a mailbox: the view first, then what the store
// keeps of the messages that are still in doubt, then their octets.
type searcher struct {
	session *session
	program searchProgram
	table   *view.Table
	values  []truth
	sets    []truth // of KEYWORD by keyword set, for the last keyword node
	setsFor *searchNode
	text    haystack
	scratch []byte
}

// find returns the messages that match and that the client knows.
func (s *session) find(p searchProgram, t *view.Table) (store.UIDSet, error) {
	f := &searcher{session: s, program: p, table: t, values: make([]truth, len(p))}
	var found, doubt store.UIDSet
	for _, r := range s.sel.told.uids {
		for row := range t.Rows(r.First, r.Last) {
			clear(f.values)
			switch p.eval(f.values, func(n *searchNode) truth { return f.byRow(n, row) }) {
			case proved:
				found.Add(row.UID)
			case unknown:
				doubt.Add(row.UID)
			}
		}
	}
	if len(doubt) == 0 {
		return found, nil
	}
	q := store.Query{UIDs: doubt, Fields: p.fields()}
	for m, err := range s.account.Store().Messages(s.ctx, s.sel.id, q) {
		if err != nil {
			return nil, err
		}
		row := t.Row(m.UID)
		if row == nil || m.Gone {
			continue
		}
		ok, err := f.judge(row, m, q.Fields)
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

// judge decides about one message with all that is known of it.
func (f *searcher) judge(row *view.Row, m *store.Message, fields store.Fields) (bool, error) {
	msg := mail{session: f.session, row: row, m: m, fields: fields, scratch: f.scratch}
	defer func() {
		f.scratch = msg.scratch
		msg.close()
	}()
	clear(f.values)
	f.program.eval(f.values, func(n *searchNode) truth { return f.byRow(n, row) })
	var failed error
	v := f.program.eval(f.values, func(n *searchNode) truth {
		t, err := msg.byFacts(n)
		failed = errors.Join(failed, err)
		return t
	})
	if failed != nil || v != unknown {
		return v == proved, failed
	}
	need := f.program.needed(f.values)
	if err := msg.scan(f.program, need, f.values, &f.text); err != nil {
		return false, err
	}
	return f.program.eval(f.values, func(*searchNode) truth { return refuted }) == proved, nil
}

// byRow judges a leaf by the view.
func (f *searcher) byRow(n *searchNode, row *view.Row) truth {
	switch n.op {
	case opFlag:
		return truthOf(row.Flags()&n.flag != 0)
	case opKeyword:
		return f.hasKeyword(n, row.KeywordSet())
	case opUIDs:
		return truthOf(n.uids.Contains(row.UID))
	case opLarger:
		return truthOf(row.Size > n.num)
	case opSmaller:
		return truthOf(row.Size < n.num)
	case opRecent:
		return truthOf(f.session.sel.recent.Contains(row.UID))
	}
	return unknown
}

// hasKeyword judges KEYWORD once for each set of keywords.
func (f *searcher) hasKeyword(n *searchNode, set int) truth {
	if f.setsFor != n {
		f.setsFor = n
		f.sets = make([]truth, f.table.KeywordSets())
	}
	if f.sets[set] == unknown {
		f.sets[set] = truthOf(store.HasKeyword(f.table.Keywords(set), n.text))
	}
	return f.sets[set]
}
