package imapsource

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/store"
)

// List implements fetch.Session.
func (s *session) List(ctx context.Context) iter.Seq2[fetch.Item, error] {
	return func(yield func(fetch.Item, error) bool) {
		names, err := s.names(ctx)
		if err != nil {
			yield(fetch.Item{}, err)
			return
		}
		clear(s.boxes)
		clear(s.marked)
		s.first, s.news = "", false
		for _, n := range names {
			m, err := s.choose(ctx, n.name)
			if err != nil && n.found && refused(err) {
				if s.s.OnRefused != nil {
					s.s.OnRefused(n.name, err)
				}
				continue
			}
			more := false
			if err == nil {
				more, err = s.listOne(ctx, m, yield)
			}
			if err != nil {
				yield(fetch.Item{}, fmt.Errorf("mailbox %.200q: %w", n.name, err))
				return
			}
			if !more {
				return
			}
		}
	}
}

// refused reports whether an error is about one mailbox.
func refused(err error) bool {
	e, ok := errors.AsType[*imapclient.Error](err)
	return ok && e.Response.Condition != imap.ConditionBye || errors.Is(err, imapclient.ErrArgument)
}

// name is that of a mailbox.
type name struct {
	name  string
	found bool // by a pattern
}

// names are the mailboxes that are collected.
func (s *session) names(ctx context.Context) (names []name, err error) {
	asked := s.s.Mailboxes
	if len(asked) == 0 {
		asked = []string{imap.Inbox}
	}
	seen := make(map[string]bool)
	add := func(n string, found bool) {
		if strings.EqualFold(n, imap.Inbox) {
			n = imap.Inbox
		}
		if !seen[n] {
			names = append(names, name{n, found})
		}
		seen[n] = true
	}
	for _, n := range asked {
		if !isPattern(n) {
			add(n, false)
		}
	}
	if seen[s.s.MoveTo] {
		return nil, ErrMoveTo
	}
	for _, p := range slices.DeleteFunc(slices.Clone(asked), func(n string) bool { return !isPattern(n) }) {
		list, err := s.c.List(ctx, imap.ListOptions{Patterns: []string{p}, Uses: true})
		if err != nil {
			return nil, err
		}
		for i := range list {
			if e := &list[i]; s.collected(e) {
				add(e.Name, true)
			}
		}
	}
	return names, nil
}

func isPattern(name string) bool { return strings.ContainsAny(name, "*%") }

// collected reports whether a pattern means a mailbox.
func (s *session) collected(e *imap.ListEntry) bool {
	for _, a := range e.Attrs {
		switch a {
		case imap.AttrNoSelect, imap.AttrNonExistent, imap.RoleAll, imap.RoleFlagged, imap.RoleDrafts, imap.RoleJunk, imap.RoleTrash:
			return false
		}
	}
	return e.Name != s.s.MoveTo && !slices.Contains(s.s.Except, e.Name)
}

// listOne lists the mailbox that is selected; more = false: the caller has enough.
func (s *session) listOne(ctx context.Context, m *imap.SelectedMailbox, yield func(fetch.Item, error) bool) (more bool, err error) {
	name := m.Name
	b := &box{validity: m.UIDValidity, exists: m.Exists, next: m.UIDNext}
	s.boxes[name] = b
	if s.first == "" {
		s.first = name
	}
	if m.Exists == 0 {
		return true, nil
	}
	var seen imap.UIDSet
	o := imap.FetchOptions{Items: imap.FetchFlags | imap.FetchInternalDate | imap.FetchSize}
	for m, err := range s.c.Fetch(ctx, imap.UIDSet{{First: 1, Last: 1<<32 - 1}}, o) {
		switch {
		case err != nil:
			return false, err
		case m.UID == 0:
			return false, fmt.Errorf("%w: a message without UID", imapclient.ErrProtocol)
		case seen.Contains(m.UID): // told twice
			continue
		}
		seen.Add(m.UID)
		if !yield(s.item(name, b, m), nil) {
			return false, nil
		}
	}
	return true, s.valid(name)
}

// item is a message of a mailbox.
func (s *session) item(name string, b *box, m *imapclient.Message) fetch.Item {
	it := fetch.Item{
		Folder: name, Size: -1, Handle: uint64(m.UID),
		Seen: m.Flags.System&store.Seen != 0, Received: m.InternalDate,
	}
	if m.Has(imap.FetchSize) {
		it.Size = m.Size
	}
	if box := s.c.Mailbox(); b.validity != 0 && box != nil && !box.UIDNotSticky {
		it.Generation = fmt.Sprint(b.validity)
		it.ID = ID(it.Generation, fmt.Sprint(m.UID), name)
	}
	return it
}

// ID is the fetch.Item.ID of a message, of decimal numbers and the name of its
// mailbox. It is exported for lists that other programs keep
// (fetch.MarkElsewhere).
func ID(validity, uid, mailbox string) string { return validity + "." + uid + "." + mailbox }

// idleTime is how long one IDLE lasts (RFC 2177 §3).
const idleTime = 29 * time.Minute

// Wait implements fetch.Session, by IDLE in the first mailbox.
func (s *session) Wait(ctx context.Context, d time.Duration) error {
	if !s.c.Has(imap.CapIdle) || s.first == "" {
		return errors.ErrUnsupported
	}
	if err := s.enter(ctx, s.first); errors.Is(err, ErrUIDValidity) {
		return nil // all is new
	} else if err != nil {
		return err
	}
	for until := time.Now().Add(d); !s.news && ctx.Err() == nil; {
		left := time.Until(until)
		if left <= 0 {
			break
		}
		o := imapclient.IdleOptions{Max: min(left, idleTime), Wake: func() bool { return s.news }}
		if err := s.c.Idle(ctx, o); err != nil {
			return err
		}
	}
	return ctx.Err()
}
