package imapserver

import (
	"slices"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapsearch"
	"github.com/mailstead/mailstead/internal/imapsort"
	"github.com/mailstead/mailstead/store"
)

// found is the result of a search or sort.
type found struct {
	uids  store.UIDSet
	order []store.UID  // of SORT: the same in the order asked for; nil for SEARCH
	best  store.UIDSet // those that match best, where RELEVANCY was asked for
}

// returned are the messages that the response names: all that were found, unless
// MIN, MAX and PARTIAL alone say which. They are what "$" and MODSEQ are about
// (RFC 5182 §2.4, RFC 9394 §3.2, RFC 4731 §3.2).
func (f *found) returned(o imapsearch.Options) store.UIDSet {
	const some = imap.ReturnMin | imap.ReturnMax | imap.ReturnPartial
	if o.Return&some == 0 || o.Return&(imap.ReturnAll|imap.ReturnCount) != 0 || len(f.uids) == 0 {
		return f.uids
	}
	first, last := f.uids.Min(), f.uids.Max()
	if len(f.order) > 0 {
		first, last = f.order[0], f.order[len(f.order)-1]
	}
	var named store.UIDSet
	if o.Return&imap.ReturnPartial != 0 {
		named = f.partial(o.Partial)
	}
	if o.Return&imap.ReturnMin != 0 {
		named.Add(first)
	}
	if o.Return&imap.ReturnMax != 0 {
		named.Add(last)
	}
	return named
}

// partial are the messages in a window of the result.
func (f *found) partial(r imap.PartialRange) store.UIDSet {
	if f.order == nil {
		return r.Select(f.uids)
	}
	from, to := r.Bounds(int64(len(f.order)))
	return asSet(f.order[from:to])
}

// asSet makes a set of an order.
func asSet(order []store.UID) store.UIDSet {
	uids := slices.Clone(order)
	slices.Sort(uids)
	return store.UIDs(uids...)
}

// numbers are a result as the client names it: UIDs, or sequence numbers.
type numbers struct {
	set   store.UIDSet
	order []uint32 // instead of set, in an order
}

// numbersOf names the messages of a result that the client knows.
func (sel *selected) numbersOf(uid bool, f *found) numbers {
	switch {
	case f.order != nil:
		return numbers{order: sel.inOrder(uid, f.order)}
	case uid:
		return numbers{set: f.uids}
	}
	return numbers{set: sel.told.Seqs(f.uids)}
}

// inOrder names messages in their order.
func (sel *selected) inOrder(uid bool, order []store.UID) []uint32 {
	list := make([]uint32, 0, len(order))
	for _, u := range order {
		n := uint32(u)
		if !uid {
			n = sel.told.Seq(u)
		}
		if n != 0 {
			list = append(list, n)
		}
	}
	return list
}

func (n *numbers) len() int64 {
	if n.order != nil {
		return int64(len(n.order))
	}
	return n.set.Len()
}

// ends are the first and the last one.
func (n *numbers) ends() (first, last uint64) {
	if n.order != nil {
		return uint64(n.order[0]), uint64(n.order[len(n.order)-1])
	}
	return uint64(n.set.Min()), uint64(n.set.Max())
}

// all is the whole as a sequence-set, partial a window of it; "" = none.
func (n *numbers) all() string {
	if n.order != nil {
		return string(imapsort.AppendSet(nil, n.order))
	}
	return n.set.String()
}

func (n *numbers) partial(r imap.PartialRange) string {
	if n.order != nil {
		from, to := r.Bounds(int64(len(n.order)))
		return string(imapsort.AppendSet(nil, n.order[from:to]))
	}
	return r.Select(n.set).String()
}

// reported are the result options that an ESEARCH response answers.
const reported = imap.ReturnMin | imap.ReturnMax | imap.ReturnAll | imap.ReturnCount | imap.ReturnPartial

// beginESearch starts the ESEARCH response (RFC 4731 §3.1); the correlators of
// RFC 7377 are those of place, where there is one.
func (s *session) beginESearch(cmd *command, p *place) {
	s.enc.Raw("* ESEARCH (TAG ").Text([]byte(cmd.tag))
	if p != nil {
		s.enc.Raw(" MAILBOX ").Mailbox(p.name, s.asUTF8()).Raw(" UIDVALIDITY ").Number(uint64(p.UIDValidity))
	}
	s.enc.Raw(")")
	if cmd.uid {
		s.enc.Raw(" UID")
	}
}

// tellItems sends the items of an ESEARCH response, and ends it. n is f as the
// client names it.
func (s *session) tellItems(o imapsearch.Options, n numbers, f *found, modSeq store.ModSeq) {
	count := n.len()
	if count > 0 {
		first, last := n.ends()
		if o.Return&imap.ReturnMin != 0 {
			s.enc.Raw(" MIN ").Number(first)
		}
		if o.Return&imap.ReturnMax != 0 {
			s.enc.Raw(" MAX ").Number(last)
		}
		if o.Return&imap.ReturnAll != 0 {
			s.enc.Raw(" ALL ").Raw(n.all())
		}
	}
	if o.Return&imap.ReturnPartial != 0 {
		set := n.partial(o.Partial)
		if set == "" {
			set = "NIL"
		}
		s.enc.Raw(" PARTIAL (").Raw(o.Partial.String()).SP().Raw(set).Raw(")")
	}
	if o.Return&imap.ReturnCount != 0 {
		s.enc.Raw(" COUNT ").Number(uint64(count))
	}
	if o.Return&imap.ReturnRelevancy != 0 && count > 0 {
		s.tellRelevancy(o, f)
	}
	if modSeq > 0 {
		s.enc.Raw(" MODSEQ ").Number(uint64(modSeq))
	}
	s.enc.CRLF()
}
