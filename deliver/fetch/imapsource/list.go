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
		s.news = false
		for _, name := range names {
			if more, err := s.listOne(ctx, name, yield); err != nil {
				yield(fetch.Item{}, err)
				return
			} else if !more {
				return
			}
		}
	}
}

// names are the mailboxes that are collected.
func (s *session) names(ctx context.Context) (names []string, err error) {
	asked := s.s.Mailboxes
	if len(asked) == 0 {
		asked = []string{imap.Inbox}
	}
	var patterns []string
	for _, name := range asked {
		if strings.ContainsAny(name, "*%") {
			patterns = append(patterns, name)
		} else {
			names = append(names, name)
		}
	}
	if slices.Contains(names, s.s.MoveTo) {
		return nil, ErrMoveTo
	}
	for _, p := range patterns {
		list, err := s.c.List(ctx, imapclient.ListOptions{Patterns: []string{p}, Uses: true})
		if err != nil {
			return nil, err
		}
		for i := range list {
			if e := &list[i]; s.collected(e) && !slices.Contains(names, e.Name) {
				names = append(names, e.Name)
			}
		}
	}
	if len(names) > 0 {
		s.first = names[0]
	}
	return names, nil
}

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

// listOne lists one mailbox; more = false: the caller has enough.
func (s *session) listOne(ctx context.Context, name string, yield func(fetch.Item, error) bool) (more bool, err error) {
	m, err := s.choose(ctx, name)
	if err != nil {
		return false, fmt.Errorf("mailbox %.200q: %w", name, err)
	}
	b := &box{validity: m.UIDValidity, exists: m.Exists, next: m.UIDNext}
	s.boxes[name] = b
	if m.Exists == 0 {
		return true, nil
	}
	var seen imap.UIDSet
	o := imapclient.FetchOptions{Items: imap.FetchFlags | imap.FetchInternalDate | imap.FetchSize}
	for m, err := range s.c.Fetch(ctx, imap.UIDSet{{First: 1, Last: 1<<32 - 1}}, o) {
		switch {
		case err != nil:
			return false, fmt.Errorf("mailbox %.200q: %w", name, err)
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
		it.ID = fmt.Sprintf("%d.%d.%s", b.validity, m.UID, name)
		it.Generation = fmt.Sprint(b.validity)
	}
	return it
}

// idleTime is how long one IDLE lasts (RFC 2177 §3).
const idleTime = 29 * time.Minute

// Wait implements fetch.Session, by IDLE in the first mailbox.
func (s *session) Wait(ctx context.Context, d time.Duration) error {
	if !s.c.Has(imap.CapIdle) {
		return errors.ErrUnsupported
	}
	if err := s.look(ctx); err != nil {
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

// look enters the mailbox that is watched, and sees what came meanwhile.
func (s *session) look(ctx context.Context) error {
	if m := s.c.Mailbox(); m != nil && m.Name == s.first {
		return nil // exists has heard of it
	}
	m, err := s.choose(ctx, s.first)
	if err != nil {
		return err
	}
	b := s.boxes[s.first]
	s.news = b == nil || m.UIDNext > b.next || m.UIDValidity != b.validity || m.Exists > b.exists
	return nil
}
