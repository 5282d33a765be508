package imapclient

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapresp"
)

var errTooDeep = fmt.Errorf("%w: criteria are nested too deeply", ErrArgument)

// SearchOptions of Search and Sort.
type SearchOptions struct {
	// Return says what is wanted; zero = all UIDs. Where ESEARCH (of Sort: ESORT)
	// is not offered, it is found from all UIDs on this side.
	Return  imap.SearchReturn
	Partial imap.PartialRange // with imap.ReturnPartial

	// Charset of the strings; "" = UTF-8 where one needs it.
	Charset string
}

// SearchResult has what Return asked for.
type SearchResult struct {
	UIDs     imap.UIDSet // of Search
	Order    []imap.UID  // of Sort: in that order
	Min, Max imap.UID    // of Sort: the first and the last one; 0 = nothing was found
	Count    int64
	ModSeq   imap.ModSeq // highest of those found, where mod-sequences were asked for (RFC 7162 §3.1.5)
}

// SearchUpdate is news of a context (RFC 5267 §4.3).
type SearchUpdate struct {
	Tag  string
	Data []Item
}

// Search finds messages of the selected mailbox by UID.
func (c *Client) Search(ctx context.Context, q Criteria, o SearchOptions) (*SearchResult, error) {
	return c.search(ctx, nil, &q, &o)
}

// Sort searches and sorts; keys are those of RFC 5256 §3: "REVERSE", "DATE".
// ErrNotOffered without SORT.
func (c *Client) Sort(ctx context.Context, keys []string, q Criteria, o SearchOptions) (*SearchResult, error) {
	if err := c.need(imap.CapSort); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: no sort key", ErrArgument)
	}
	return c.search(ctx, keys, &q, &o)
}

func (c *Client) search(ctx context.Context, keys []string, q *Criteria, o *SearchOptions) (*SearchResult, error) {
	var res *SearchResult
	err := c.run(ctx, func() error {
		if c.box == nil {
			return ErrState
		}
		s := &searching{c: c, o: o, sort: keys != nil}
		err := s.ask(keys, q)
		for last := imap.UID(math.MaxUint32); err == nil && c.low > 1 && c.low < last; {
			if o.Return != 0 || s.sort {
				return fmt.Errorf("%w: the server looks at so many messages only in one command", ErrLimit)
			}
			rest := imap.UIDSet{{First: 1, Last: c.low - 1}}
			last, c.low = c.low, 0
			below := *q
			if below.UIDs = rest; len(q.UIDs) > 0 {
				below.UIDs = q.UIDs.Intersect(rest)
			}
			if len(below.UIDs) > 0 {
				err = s.ask(nil, &below)
			}
		}
		if err == nil {
			res = s.result()
		}
		return err
	})
	return res, err
}

// searching is one SEARCH or SORT.
type searching struct {
	c     *Client
	o     *SearchOptions
	sort  bool
	tag   string
	found imapresp.Found
}

// extended reports whether the server finds what Return wants.
func (s *searching) extended() bool {
	if s.o.Return == 0 {
		return !s.sort && s.c.Has(imap.CapESearch)
	}
	if s.sort {
		return s.c.Has(imap.CapESort)
	}
	if s.o.Return&imap.ReturnPartial != 0 {
		return s.c.Has(imap.CapPartial) || s.c.Has(imap.CapContextSearch)
	}
	return s.c.Has(imap.CapESearch)
}

func (s *searching) ask(keys []string, q *Criteria) error {
	verb := "UID SEARCH"
	if s.sort {
		verb = "UID SORT"
	}
	l := s.c.command(verb)
	l.long = true
	if s.extended() {
		l.text(" RETURN (" + returnNames(s.o) + ")")
	}
	charset := s.o.Charset
	if s.sort {
		l.raw("(" + strings.Join(keys, " ") + ")")
		if charset == "" {
			charset = "UTF-8"
		}
		l.atom(charset)
	} else {
		if charset == "" && !q.ascii() && !s.c.utf8() {
			charset = "UTF-8"
		}
		if charset != "" {
			l.sp("CHARSET").atom(charset)
		}
	}
	l.criteria(q, false, 0)
	s.tag = "a" + uitoa(s.c.lastTag)
	_, err := s.c.do(l, s.take)
	return err
}

func returnNames(o *SearchOptions) string {
	var names []string
	for _, r := range []struct {
		bit  imap.SearchReturn
		name string
	}{
		{imap.ReturnMin, "MIN"},
		{imap.ReturnMax, "MAX"},
		{imap.ReturnCount, "COUNT"},
		{imap.ReturnAll, "ALL"},
		{imap.ReturnSave, "SAVE"},
		{imap.ReturnContext, "CONTEXT"},
		{imap.ReturnUpdate, "UPDATE"},
		{imap.ReturnPartial, "PARTIAL " + o.Partial.String()},
	} {
		if o.Return&r.bit != 0 {
			names = append(names, r.name)
		}
	}
	if len(names) == 0 {
		return "ALL"
	}
	return strings.Join(names, " ")
}

func (s *searching) take(r *response) (taken bool, err error) {
	limit := s.c.limits.Ranges
	var f imapresp.Found
	switch {
	case r.name == "ESEARCH":
		if f, err = imapresp.ParseESearch(r.args, s.sort, limit); err == nil && f.Tag != s.tag {
			return false, nil
		}
	case r.name == "SEARCH" && !s.sort, r.name == "SORT" && s.sort:
		f, err = imapresp.ParseSearch(r.args, s.sort, limit)
	default:
		return false, nil
	}
	if err != nil {
		return true, err
	}
	// Servers may say the numbers in several responses.
	f.All.AddSet(s.found.All)
	f.Order = append(s.found.Order, f.Order...)
	f.Has |= s.found.Has
	f.ModSeq = max(f.ModSeq, s.found.ModSeq)
	if len(f.All) > limit || len(f.Order) > limit {
		return true, imapresp.ErrTooMany
	}
	s.found = f
	return true, nil
}

// result makes what Return wants of what the server said.
func (s *searching) result() *SearchResult {
	f := &s.found
	res := &SearchResult{UIDs: f.All, Order: f.Order, Min: f.Min, Max: f.Max, Count: f.Count, ModSeq: f.ModSeq}
	if s.extended() && s.o.Return != 0 {
		return res
	}
	res.Count = f.All.Len() + int64(len(f.Order))
	if s.sort && len(f.Order) > 0 {
		res.Min, res.Max = f.Order[0], f.Order[len(f.Order)-1]
	} else if !s.sort {
		res.Min, res.Max = f.All.Min(), f.All.Max()
	}
	switch {
	case s.o.Return&imap.ReturnPartial != 0 && s.sort:
		from, to := s.o.Partial.Bounds(int64(len(f.Order)))
		res.Order = f.Order[from:to]
	case s.o.Return&imap.ReturnPartial != 0:
		res.UIDs = s.o.Partial.Select(f.All)
	}
	return res
}

// Thread groups messages (RFC 5256 §4) by an algorithm: "REFERENCES".
// ErrNotOffered where it is not announced.
func (c *Client) Thread(ctx context.Context, algorithm string, q Criteria) (threads []*imap.Thread, err error) {
	if err := c.need(imap.Capability("THREAD=" + strings.ToUpper(algorithm))); err != nil {
		return nil, err
	}
	err = c.run(ctx, func() error {
		if c.box == nil {
			return ErrState
		}
		l := c.command("UID THREAD").atom(algorithm).atom("UTF-8")
		l.long = true
		l.criteria(&q, false, 0)
		_, err := c.do(l, func(r *response) (bool, error) {
			if r.name != "THREAD" {
				return false, nil
			}
			more, err := imapresp.ParseThread(r.args, c.limits.Ranges)
			threads = append(threads, more...)
			return true, err
		})
		return err
	})
	return threads, err
}
