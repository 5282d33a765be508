package imapclient

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapcmd"
	"github.com/mailstead/mailstead/internal/imapresp"
)

// Search finds messages of the selected mailbox by UID.
func (c *Client) Search(ctx context.Context, q imap.Criteria, o imap.SearchOptions) (*imap.SearchResult, error) {
	return c.search(ctx, nil, &q, &o)
}

// Sort searches and sorts; keys are those of RFC 5256 §3: "REVERSE", "DATE".
// ErrNotOffered without SORT.
func (c *Client) Sort(ctx context.Context, keys []string, q imap.Criteria, o imap.SearchOptions) (*imap.SearchResult, error) {
	if err := c.need(imap.CapSort); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: no sort key", ErrArgument)
	}
	return c.search(ctx, keys, &q, &o)
}

func (c *Client) search(ctx context.Context, keys []string, q *imap.Criteria, o *imap.SearchOptions) (*imap.SearchResult, error) {
	var res *imap.SearchResult
	err := c.inBox(ctx, func() error {
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
			res = s.found.Result(o, s.sort, s.extended() && o.Return != 0)
		}
		return err
	})
	return res, err
}

// searching is one SEARCH or SORT.
type searching struct {
	c     *Client
	o     *imap.SearchOptions
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

func (s *searching) ask(keys []string, q *imap.Criteria) error {
	verb, charset := "UID SEARCH", s.o.Charset
	if s.sort {
		verb = "UID SORT"
	}
	l := s.c.command(verb).Slow()
	if s.extended() {
		l.Return(s.o)
	}
	if charset == "" && (s.sort || !q.ASCII() && !s.c.utf8()) {
		charset = "UTF-8"
	}
	switch {
	case s.sort:
		imapcmd.Each(l, keys, func(k string) { l.Word(k) }).Atom(charset)
	case charset != "":
		l.SP("CHARSET").Atom(charset)
	}
	s.tag = s.c.conn.LastTag()
	_, err := s.c.conn.Do(l.Criteria(q), s.take)
	return err
}

func (s *searching) take(r *response) (taken bool, err error) {
	limit := s.c.limits.Ranges
	var f imapresp.Found
	switch {
	case r.Name == "ESEARCH":
		if f, err = imapresp.ParseESearch(r.Args, s.sort, limit); err == nil && f.Tag != s.tag {
			return false, nil
		}
	case r.Name == "SEARCH" && !s.sort, r.Name == "SORT" && s.sort:
		f, err = imapresp.ParseSearch(r.Args, s.sort, limit)
	default:
		return false, nil
	}
	if err != nil {
		return true, err
	}
	return true, s.found.Add(&f, limit)
}

// Thread groups messages (RFC 5256 §4) by an algorithm: "REFERENCES".
// ErrNotOffered where it is not announced.
func (c *Client) Thread(ctx context.Context, algorithm string, q imap.Criteria) (threads []*imap.Thread, err error) {
	if err := c.need(imap.Capability("THREAD=" + strings.ToUpper(algorithm))); err != nil {
		return nil, err
	}
	err = c.inBox(ctx, func() error {
		l := c.command("UID THREAD").Slow().Atom(algorithm).Atom("UTF-8").Criteria(&q)
		return c.ask(l, "THREAD", func(args []byte) error {
			more, err := imapresp.ParseThread(args, c.limits.Ranges)
			threads = append(threads, more...)
			return err
		})
	})
	return threads, err
}

// UIDBatches cuts the selected mailbox into ranges of UIDs with size messages
// each, the newest first (RFC 10022 §3.1); servers want 500 at least. ErrNotOffered
// without UIDBATCHES.
func (c *Client) UIDBatches(ctx context.Context, size uint32) (batches []imap.UIDRange, err error) {
	return asking(ctx, c, imap.CapUIDBatches, func() ([]imap.UIDRange, error) {
		err := c.ask(c.command("UIDBATCHES").Slow().Number(int64(size)), "UIDBATCHES", func(args []byte) (err error) {
			batches, err = imapresp.ParseUIDBatches(args, c.limits.Ranges)
			return err
		})
		return batches, err
	})
}
