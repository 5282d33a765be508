package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/mailstead/mailstead/store"
)

// verify looks for everything acknowledged, and for what must not be there.
func (m *model) verify(ctx context.Context, s store.Store) error {
	found := map[place]found{}
	boxes := map[place]string{}
	for info, err := range s.Accounts(ctx, "") {
		if err != nil {
			return err
		}
		a, err := s.Open(ctx, info.ID)
		if err != nil {
			return err
		}
		list, _, err := a.Mailboxes(ctx, 0)
		if err != nil {
			return err
		}
		for _, b := range list {
			p := place{account: info.ID, box: b.ID}
			boxes[p] = b.Name
			if err := m.read(ctx, a, p, found); err != nil {
				return err
			}
		}
	}
	for p, b := range m.boxes {
		if err := b.judge(boxes[p]); err != nil {
			return fmt.Errorf("account %s mailbox %s: %w", p.account, p.box, err)
		}
	}
	for p, x := range m.messages {
		f, there := found[p]
		if err := m.judge(p, x, f, there); err != nil {
			return fmt.Errorf("%v: %w", p, err)
		}
	}
	if err := m.verifyEntries(ctx, s); err != nil {
		return err
	}
	return m.goOn(ctx, s)
}

// found is a message that is there.
type found struct {
	seed  uint32
	flags store.Flags
}

// read reads every message of a mailbox: each must be whole, and none one that
// was refused.
func (m *model) read(ctx context.Context, a store.Account, box place, all map[place]found) error {
	for x, err := range a.Messages(ctx, box.box, store.Query{}) {
		if err != nil {
			return err
		}
		p := place{box.account, box.box, x.UID}
		c, err := a.Content(ctx, p.box, p.uid)
		if err != nil {
			return fmt.Errorf("%v: %w", p, err)
		}
		b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
		c.Close()
		if err != nil {
			return fmt.Errorf("%v: %w", p, err)
		}
		seed, err := seedOf(b)
		if err != nil {
			return fmt.Errorf("%v: %w", p, err)
		}
		if m.refused[seed] {
			return fmt.Errorf("%v: was refused, and is there", p)
		}
		all[p] = found{seed, x.Flags}
	}
	return nil
}

// judge compares a message with what was acknowledged. One that has \Deleted
// may be gone: its expunge was perhaps under way.
func (m *model) judge(p place, x *message, f found, there bool) error {
	box := m.boxes[place{account: p.account, box: p.box}]
	dying := x.gone || x.flags&store.Deleted != 0 || box != nil && box.dying
	switch {
	case !there && dying:
		return nil
	case !there:
		return fmt.Errorf("is missing")
	case x.gone:
		return fmt.Errorf("is back")
	case f.flags&x.flags != x.flags:
		return fmt.Errorf("flags %b, acknowledged %b", f.flags, x.flags)
	case f.seed != x.seed:
		return fmt.Errorf("has other octets")
	}
	return nil
}

func (b *mailbox) judge(name string) error {
	switch {
	case name == "" && b.dying:
		return nil
	case name == "":
		return fmt.Errorf("is missing")
	case b.deleted:
		return fmt.Errorf("is back, as %s", name)
	case !slices.Contains(b.names, name):
		return fmt.Errorf("is called %s, acknowledged %q", name, b.names)
	}
	return nil
}

// verifyEntries allows the value acknowledged and the next one.
func (m *model) verifyEntries(ctx context.Context, s store.Store) error {
	for p, n := range m.entries {
		a, err := s.Open(ctx, p.account)
		if err != nil {
			return err
		}
		got := 0
		for e, err := range a.Entries(ctx, store.EntryQuery{Mailbox: p.box, Prefix: m.keys[p]}) {
			if err != nil {
				return err
			}
			if got, err = strconv.Atoi(string(e.Value)); err != nil {
				return err
			}
		}
		valid := func(n int) bool { return got == n || got == 0 && n%10 == 0 }
		if !valid(n) && !valid(n+1) {
			return fmt.Errorf("account %s mailbox %s: the entry is %d, acknowledged %d", p.account, p.box, got, n)
		}
	}
	return nil
}

// goOn appends to every mailbox: no UID may come a second time.
func (m *model) goOn(ctx context.Context, s store.Store) error {
	greatest := make(map[place]store.UID)
	for p := range m.messages {
		box := place{account: p.account, box: p.box}
		if b := m.boxes[box]; b == nil || !b.dying {
			greatest[box] = max(greatest[box], p.uid)
		}
	}
	for p, last := range greatest {
		a, err := s.Open(ctx, p.account)
		if err != nil {
			return err
		}
		r, err := store.AppendMessage(ctx, s, a, "", store.NewMessage{Mailbox: p.box, Body: bytes.NewReader(body(1)), BodySize: -1})
		if err != nil {
			return err
		}
		if uid := r.Ops[0].Dest.Min(); uid <= last {
			return fmt.Errorf("account %s mailbox %s: UID %d was given out again after %d", p.account, p.box, uid, last)
		}
	}
	return nil
}
