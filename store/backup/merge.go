package backup

import (
	"fmt"
	"iter"

	"github.com/mailstead/mailstead/store"
)

// merger reads the messages of one mailbox out of all logs of a chain, in
// ascending order of UID. It holds one block of each.
type merger struct {
	ch     *chain
	box    store.Mailbox
	rows   []*uidCursor // the newest first
	bodies []*uidCursor
	out    message
}

// messages yields the messages of a mailbox and the tombstones, as they are
// after the last log. Where a body is named that no row has, hasBody is false.
// The *message is valid until the next step. What is left
// out because of damage goes to the chain's fault.
func (ch *chain) messages(box store.Mailbox) iter.Seq2[*message, error] {
	return func(yield func(*message, error) bool) {
		m := &merger{ch: ch, box: box}
		if err := m.open(); err != nil {
			yield(nil, err)
			return
		}
		for {
			uid := least(m.rows)
			if uid == 0 {
				return
			}
			out, err := m.at(uid)
			if err != nil || out != nil && !yield(out, nil) {
				if err != nil {
					yield(nil, err)
				}
				return
			}
			if err := m.pass(m.rows, uid); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

func (m *merger) open() error {
	add := func(to *[]*uidCursor, r *logReader) error {
		if r == nil {
			return nil
		}
		for part := r.parts - 1; part >= 0; part-- {
			c := r.section(part, m.box.ID)
			if c == nil {
				continue
			}
			if err := m.advance(c); err != nil {
				return err
			}
			*to = append(*to, c)
		}
		return nil
	}
	for i := len(m.ch.logs) - 1; i >= 0; i-- {
		if err := add(&m.rows, m.ch.logs[i].rows); err != nil {
			return err
		}
		if err := add(&m.bodies, m.ch.logs[i].bodies); err != nil {
			return err
		}
	}
	return nil
}

// advance goes to the next row that can be read.
func (m *merger) advance(c *uidCursor) error {
	for {
		err := c.advance()
		if err == nil {
			return nil
		}
		if err := m.ch.tolerate(about(err, m.ch.entry.Account, m.box.Name, 0)); err != nil {
			return err
		}
	}
}

// pass leaves all rows of uid, and those before, behind.
func (m *merger) pass(list []*uidCursor, uid store.UID) error {
	for _, c := range list {
		for c.ok && c.m.UID <= uid {
			if err := m.advance(c); err != nil {
				return err
			}
		}
	}
	return nil
}

func least(list []*uidCursor) (uid store.UID) {
	for _, c := range list {
		if c.ok && (uid == 0 || c.m.UID < uid) {
			uid = c.m.UID
		}
	}
	return uid
}

// at puts the newest message of uid together; nil: its facts cannot be had.
func (m *merger) at(uid store.UID) (*message, error) {
	var state, facts *uidCursor
	for _, c := range m.rows {
		if !c.ok || c.m.UID != uid {
			continue
		}
		if state == nil {
			state = c
		}
		if c.kind != rowState {
			facts = c
			break
		}
	}
	if facts == nil || facts.kind != rowMessage && (facts.kind != rowGone || facts != state) {
		err := fmt.Errorf("%w: nothing says what this message is", ErrDamaged)
		return nil, m.ch.tolerate(about(err, m.ch.entry.Account, m.box.Name, uid))
	}
	m.out = facts.m
	out := &m.out
	out.ModSeq, out.Flags, out.Keywords = state.m.ModSeq, state.m.Flags, state.m.Keywords
	if out.Gone {
		return out, nil
	}
	if err := m.pass(m.bodies, uid-1); err != nil {
		return nil, err
	}
	out.hasBody, out.noBody = false, false
	for _, c := range m.bodies {
		if c.ok && c.m.UID == uid {
			out.body, out.hasBody, out.noBody = c.m.body, c.m.hasBody, c.m.noBody
			break
		}
	}
	return out, nil
}
