package imapresp

import (
	"cmp"
	"errors"
	"io"
	"slices"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// ErrTooMany: a set has more ranges, or a list more entries, than is allowed.
var ErrTooMany = errors.New("imapresp: too many")

// setBuilder makes a UIDSet of numbers in any order, in n log n.
type setBuilder struct {
	ranges   imap.UIDSet
	unsorted bool
	max      int
}

// add takes first..last.
func (s *setBuilder) add(first, last imap.UID) error {
	if first > last {
		first, last = last, first
	}
	n := len(s.ranges)
	if n > 0 && s.ranges[n-1].First <= first && uint64(first) <= uint64(s.ranges[n-1].Last)+1 {
		s.ranges[n-1].Last = max(s.ranges[n-1].Last, last)
		return nil
	}
	if n == s.max {
		return ErrTooMany
	}
	s.unsorted = s.unsorted || n > 0 && first <= s.ranges[n-1].Last
	s.ranges = append(s.ranges, imap.UIDRange{First: first, Last: last})
	return nil
}

func (s *setBuilder) set() imap.UIDSet {
	if !s.unsorted {
		return s.ranges
	}
	slices.SortFunc(s.ranges, func(a, b imap.UIDRange) int { return cmp.Compare(a.First, b.First) })
	var out imap.UIDSet
	for _, r := range s.ranges {
		out.AddRange(r.First, r.Last)
	}
	return out
}

// ConsumeUIDSet takes a set of numbers without "*", of up to maxRanges ranges in
// any order.
func ConsumeUIDSet(b []byte, maxRanges int) (imap.UIDSet, int, error) {
	s := setBuilder{max: maxRanges}
	n := 0
	for {
		first, m, err := imapwire.ConsumeNZNumber(b[n:])
		if err != nil {
			return nil, 0, err
		}
		n += m
		last := first
		if b[n] == ':' {
			if last, m, err = imapwire.ConsumeNZNumber(b[n+1:]); err != nil {
				return nil, 0, err
			}
			n += 1 + m
		}
		if err := s.add(imap.UID(first), imap.UID(last)); err != nil {
			return nil, 0, err
		}
		if b[n] != ',' {
			return s.set(), n, nil
		}
		n++
	}
}

// ParseVanished reads what stands behind VANISHED (RFC 7162 §3.2.10).
func ParseVanished(b []byte, maxRanges int) (uids imap.UIDSet, earlier bool, err error) {
	n := spaces(b)
	if n < len(b) && b[n] == '(' {
		m, err := ConsumeList(b[n:], func(b []byte) (int, error) {
			word, n, err := ConsumeWord(b, false)
			earlier = earlier || upper(word) == "EARLIER"
			return n, err
		})
		if err != nil {
			return nil, false, err
		}
		n += m
		n += spaces(b[n:])
	}
	uids, _, err = ConsumeUIDSet(b[n:], maxRanges)
	return uids, earlier, err
}

// Found is what SEARCH, SORT or ESEARCH say.
type Found struct {
	Tag    string // of the command, in ESEARCH; "" = none is named
	UID    bool   // ESEARCH: the numbers are UIDs
	All    imap.UIDSet
	Order  []imap.UID // of SORT
	Min    imap.UID
	Max    imap.UID
	Count  int64
	ModSeq imap.ModSeq
	Has    imap.SearchReturn // what is there
	Other  []Named           // what else is there; its values are parts of b
}

// Named is a value that is not read.
type Named struct {
	Name  string // in upper case
	Value []byte
}

// ParseSearch reads the numbers behind SEARCH or, with ordered, SORT (RFC 3501
// §7.2.5, RFC 7162 §3.1.6). limit bounds the ranges, or with ordered the
// numbers.
func ParseSearch(b []byte, ordered bool, limit int) (f Found, err error) {
	s := setBuilder{max: limit}
	for n := 0; ; {
		n += spaces(b[n:])
		switch {
		case n == len(b):
			return f, io.ErrUnexpectedEOF
		case b[n] == '\r' || b[n] == '\n':
			f.All = s.set()
			f.Has |= imap.ReturnAll
			return f, nil
		case b[n] == '(':
			m, err := consumeModSeqOf(b[n:], &f.ModSeq)
			if err != nil {
				return f, err
			}
			n += m
			continue
		}
		v, m, err := imapwire.ConsumeNZNumber(b[n:])
		if err != nil {
			return f, err
		}
		n += m
		if !ordered {
			err = s.add(imap.UID(v), imap.UID(v))
		} else if f.Order = append(f.Order, imap.UID(v)); len(f.Order) > limit {
			err = ErrTooMany
		}
		if err != nil {
			return f, err
		}
	}
}

// consumeModSeqOf takes "(MODSEQ n)".
func consumeModSeqOf(b []byte, to *imap.ModSeq) (int, error) {
	return ConsumeList(b, func(b []byte) (int, error) {
		word, n, err := ConsumeWord(b, false)
		if err != nil || upper(word) == "MODSEQ" {
			return n, err
		}
		v, n, err := imapwire.ConsumeNumber64(b)
		*to = imap.ModSeq(v)
		return n, err
	})
}

// ParseESearch reads what stands behind ESEARCH (RFC 4731, RFC 9051 §7.3.4).
// Its sets may be in the order of SORT (RFC 5267 §4.4), then ordered is set.
func ParseESearch(b []byte, ordered bool, limit int) (f Found, err error) {
	n := spaces(b)
	if n < len(b) && b[n] == '(' {
		m, err := ConsumeList(b[n:], func(b []byte) (int, error) {
			word, n, err := ConsumeAString(b)
			if upper(word) != "TAG" {
				f.Tag = string(word)
			}
			return n, err
		})
		if err != nil {
			return f, err
		}
		n += m
	}
	for {
		n += spaces(b[n:])
		switch {
		case n == len(b):
			return f, io.ErrUnexpectedEOF
		case b[n] == '\r' || b[n] == '\n':
			return f, nil
		}
		word, m, err := ConsumeWord(b[n:], false)
		if err != nil {
			return f, err
		}
		n += m
		name := upper(word)
		if name == "UID" {
			f.UID = true
			continue
		}
		n += spaces(b[n:])
		if m, err = f.value(name, b[n:], ordered, limit); err != nil {
			return f, err
		}
		n += m
	}
}

// value takes the value of one result.
func (f *Found) value(name string, b []byte, ordered bool, limit int) (n int, err error) {
	var v int64
	switch name {
	case "MIN":
		v, n, err = ConsumeNumber(b)
		f.Min, f.Has = imap.UID(v), f.Has|imap.ReturnMin
	case "MAX":
		v, n, err = ConsumeNumber(b)
		f.Max, f.Has = imap.UID(v), f.Has|imap.ReturnMax
	case "COUNT":
		f.Count, n, err = ConsumeNumber(b)
		f.Has |= imap.ReturnCount
	case "MODSEQ":
		v, n, err = ConsumeNumber(b)
		f.ModSeq = imap.ModSeq(v)
	case "ALL":
		n, err = f.all(b, ordered, limit)
		f.Has |= imap.ReturnAll
	case "PARTIAL":
		n, err = f.partial(b, ordered, limit)
		f.Has |= imap.ReturnPartial
	default:
		if n, err = SkipValue(b); err == nil {
			f.Other = append(f.Other, Named{name, b[:n]})
		}
	}
	return n, err
}

func (f *Found) all(b []byte, ordered bool, limit int) (n int, err error) {
	if ordered {
		f.Order, n, err = consumeOrder(b, limit)
		return n, err
	}
	f.All, n, err = ConsumeUIDSet(b, limit)
	return n, err
}

// partial takes "(1:100 set)", of which the set may be NIL (RFC 9394 §3.1).
func (f *Found) partial(b []byte, ordered bool, limit int) (int, error) {
	item := 0
	return ConsumeList(b, func(b []byte) (n int, err error) {
		if item++; item == 2 && !isNilWord(b) {
			return f.all(b, ordered, limit)
		}
		_, n, err = ConsumeWord(b, false)
		return n, err
	})
}

// consumeOrder takes a set as a list of numbers in its order, of at most limit.
func consumeOrder(b []byte, limit int) (order []imap.UID, n int, err error) {
	for {
		first, m, err := imapwire.ConsumeNZNumber(b[n:])
		if err != nil {
			return nil, 0, err
		}
		n += m
		last := first
		if b[n] == ':' {
			if last, m, err = imapwire.ConsumeNZNumber(b[n+1:]); err != nil {
				return nil, 0, err
			}
			n += 1 + m
		}
		if last < first || int64(last-first) >= int64(limit-len(order)) {
			return nil, 0, ErrTooMany
		}
		for v := uint64(first); v <= uint64(last); v++ {
			order = append(order, imap.UID(v))
		}
		if b[n] != ',' {
			return order, n, nil
		}
		n++
	}
}

// Add adds what one more response says: servers may say the numbers in several.
func (f *Found) Add(more *Found, limit int) error {
	more.All.AddSet(f.All)
	more.Order = append(f.Order, more.Order...)
	more.Has |= f.Has
	more.ModSeq = max(more.ModSeq, f.ModSeq)
	if len(more.All) > limit || len(more.Order) > limit {
		return ErrTooMany
	}
	*f = *more
	return nil
}

// Result makes what o wants of what a server said of SEARCH, or with sorted of
// SORT. extended: it found that itself, else all that is there are numbers.
func (f *Found) Result(o *imap.SearchOptions, sorted, extended bool) *imap.SearchResult {
	res := &imap.SearchResult{UIDs: f.All, Order: f.Order, Min: f.Min, Max: f.Max, Count: f.Count, ModSeq: f.ModSeq}
	if extended {
		return res
	}
	res.Count = f.All.Len() + int64(len(f.Order))
	if sorted && len(f.Order) > 0 {
		res.Min, res.Max = f.Order[0], f.Order[len(f.Order)-1]
	} else if !sorted {
		res.Min, res.Max = f.All.Min(), f.All.Max()
	}
	switch {
	case o.Return&imap.ReturnPartial != 0 && sorted:
		from, to := o.Partial.Bounds(int64(len(f.Order)))
		res.Order = f.Order[from:to]
	case o.Return&imap.ReturnPartial != 0:
		res.UIDs = o.Partial.Select(f.All)
	}
	return res
}

// ParseUIDBatches reads what stands behind UIDBATCHES: ranges, each from the
// highest UID down, as they came (RFC 10022 §3.1).
func ParseUIDBatches(b []byte, limit int) (batches []imap.UIDRange, err error) {
	n := spaces(b)
	m, err := ConsumeList(b[n:], SkipValue)
	if err != nil {
		return nil, err
	}
	n += m
	n += spaces(b[n:])
	if n < len(b) && (b[n] == '\r' || b[n] == '\n') {
		return nil, nil
	}
	set, _, err := consumeSet(b[n:])
	switch _, star := set.Max(); {
	case err != nil:
		return nil, err
	case star:
		return nil, syntax(n, "number expected")
	case len(set) > limit:
		return nil, ErrTooMany
	}
	for _, r := range set {
		batches = append(batches, imap.UIDRange{First: imap.UID(min(r.Start, r.Stop)), Last: imap.UID(max(r.Start, r.Stop))})
	}
	return batches, nil
}
