package imapaccount

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/store"
)

// reader reads one mailbox over a connection of its own.
type reader struct {
	a    *Account
	c    *imapclient.Client
	name string
}

// Open examines a mailbox.
func (a *Account) Open(ctx context.Context, m *migrate.Mailbox) (migrate.Reader, error) {
	return a.open(ctx, m, true)
}

func (a *Account) open(ctx context.Context, m *migrate.Mailbox, readOnly bool) (*reader, error) {
	name, ok := m.Hint.(string)
	if !ok {
		return nil, fmt.Errorf("%w: %q is not of this account", migrate.ErrNoMailbox, m.Name())
	}
	c, err := a.get(ctx)
	if err != nil {
		return nil, err
	}
	box, err := c.Select(ctx, name, imapclient.SelectOptions{ReadOnly: readOnly})
	if err != nil {
		a.put(c)
		return nil, answer(err)
	}
	if v := strconv.FormatUint(uint64(box.UIDValidity), 10); m.Validity != "" && v != m.Validity {
		a.put(c)
		return nil, fmt.Errorf("%w: UIDVALIDITY of %q is %s and was %s", migrate.ErrChanged, name, v, m.Validity)
	}
	return &reader{a, c, name}, nil
}

// Close gives the connection back.
func (r *reader) Close() error {
	r.a.put(r.c)
	r.c = nil
	return nil
}

// listPage is how many messages are asked for at once.
const listPage = 2000

// List yields the messages by UID. Memory holds the UIDs as ranges, and one page.
func (r *reader) List(ctx context.Context, prints bool) iter.Seq2[*migrate.Message, error] {
	return func(yield func(*migrate.Message, error) bool) {
		found, err := r.c.Search(ctx, imap.Criteria{}, imap.SearchOptions{})
		if err != nil {
			yield(nil, answer(err))
			return
		}
		for page := range pages(found.UIDs, listPage) {
			list, err := r.page(ctx, page, prints)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, m := range list {
				if !yield(m, nil) {
					return
				}
			}
		}
	}
}

// pages cuts a set into sets of n UIDs.
func pages(set imap.UIDSet, n int64) iter.Seq[imap.UIDSet] {
	return func(yield func(imap.UIDSet) bool) {
		var page imap.UIDSet
		room := n
		for _, rng := range set {
			for first := int64(rng.First); first <= int64(rng.Last); {
				last := min(int64(rng.Last), first+room-1)
				page = append(page, store.UIDRange{First: imap.UID(first), Last: imap.UID(last)})
				room -= last - first + 1
				first = last + 1
				if room > 0 {
					continue
				}
				if !yield(page) {
					return
				}
				page, room = nil, n
			}
		}
		if len(page) > 0 {
			yield(page)
		}
	}
}

// page asks for a page and puts it in order.
func (r *reader) page(ctx context.Context, uids imap.UIDSet, prints bool) ([]*migrate.Message, error) {
	o := imap.FetchOptions{Items: imap.FetchFlags | imap.FetchInternalDate | imap.FetchSize}
	if prints {
		o.Sections = []imap.Section{{Text: imap.TextFields, Fields: migrate.PrintFields(), Peek: true}}
	}
	var list []*migrate.Message
	for m, err := range r.c.Fetch(ctx, uids, o) {
		if err != nil {
			return nil, answer(err)
		}
		x, err := message(m, prints)
		if err != nil {
			return nil, err
		}
		if x.UID != 0 && uids.Contains(x.UID) {
			list = append(list, x)
		}
	}
	slices.SortStableFunc(list, func(a, b *migrate.Message) int { return cmp.Compare(a.UID, b.UID) })
	return slices.CompactFunc(list, func(a, b *migrate.Message) bool { return a.UID == b.UID }), nil
}

// maxHeader bounds the fields of a Print.
const maxHeader = 64 << 10

func message(m *imapclient.Message, prints bool) (*migrate.Message, error) {
	var head []byte
	for prints {
		s, err := m.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			head, err = io.ReadAll(io.LimitReader(s, maxHeader))
		}
		if err != nil {
			return nil, err
		}
	}
	x := &migrate.Message{
		ID: migrate.UIDString(m.UID), UID: m.UID, Flags: m.Flags.System, Size: -1,
		Received: m.InternalDate,
	}
	if m.Has(imap.FetchSize) {
		x.Size = m.Size
	}
	for _, k := range m.Flags.Keywords {
		if !strings.HasPrefix(k, `\`) {
			x.Keywords = append(x.Keywords, k)
		}
	}
	if prints && x.Size >= 0 {
		x.Print = migrate.MakePrint(head, x.Size, x.Received)
	}
	return x, nil
}

// Fetch yields bodies. When the server refuses the command because of some
// messages, the ones it has left out are asked for one by one.
func (r *reader) Fetch(ctx context.Context, ms []*migrate.Message) iter.Seq2[*migrate.Body, error] {
	return func(yield func(*migrate.Body, error) bool) {
		n, more, err := r.fetch(ctx, ms, yield)
		if !more {
			return
		}
		var refused *imapclient.Error
		if err != nil && err != errUIDLate && (!errors.As(err, &refused) || r.c.Err() != nil) {
			yield(nil, answer(err))
			return
		}
		if err == nil {
			return
		}
		for _, m := range ms[n:] {
			_, more, err := r.fetch(ctx, []*migrate.Message{m}, yield)
			if !more {
				return
			}
			switch {
			case err != nil && r.c.Err() != nil:
				yield(nil, answer(err))
				return
			case err != nil && !yield(&migrate.Body{ID: m.ID, Err: fmt.Errorf("%w: %w", migrate.ErrBroken, err)}, nil):
				return
			}
		}
	}
}

// errUIDLate: the server tells the UID behind the text, so that of several texts it
// is not known whose one is.
var errUIDLate = errors.New("imapaccount: the UID comes behind the text")

// fetch asks for bodies at once. n is how many of ms were passed when it ended;
// more is false when the loop was left.
func (r *reader) fetch(ctx context.Context, ms []*migrate.Message, yield func(*migrate.Body, error) bool) (n int, more bool, err error) {
	var uids imap.UIDSet
	for _, m := range ms {
		uids.Add(m.UID)
	}
	o := imap.FetchOptions{Sections: []imap.Section{{Peek: true}}}
	for m, err := range r.c.Fetch(ctx, uids, o) {
		if err != nil {
			return n, true, err
		}
		s, err := m.Next()
		if err == io.EOF {
			continue // news of its flags
		}
		if err != nil {
			return n, true, err
		}
		if m.UID == 0 && len(ms) > 1 {
			return n, true, errUIDLate
		}
		at := slices.IndexFunc(ms[n:], func(x *migrate.Message) bool { return x.UID == m.UID || m.UID == 0 })
		if at < 0 {
			continue // not asked for, or for the second time
		}
		n += at + 1
		b := &migrate.Body{ID: ms[n-1].ID, Reader: s}
		if s.IsNil {
			b = &migrate.Body{ID: ms[n-1].ID, Err: fmt.Errorf("%w: the server has no text of it", migrate.ErrBroken)}
		}
		if !yield(b, nil) {
			return n, false, nil
		}
	}
	return n, true, nil
}
