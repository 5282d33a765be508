package format

import (
	"fmt"
	"iter"

	"github.com/mailstead/mailstead/store"
)

// merger reads the messages of one mailbox out of all logs of a chain, in
// ascending order of UID. It holds one block of each.
type merger struct {
	ch     *Chain
	box    store.Mailbox
	rows   []*UIDCursor // the newest first
	bodies []*UIDCursor
	out    Message
}

// Messages yields the messages of a mailbox and the tombstones, as they are
// after the last log. Where a body is named that no row has, hasBody is false.
// The *message is valid until the next step. What is left
// out because of damage goes to the chain's fault.
func (ch *Chain) Messages(box store.Mailbox) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
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
	add := func(to *[]*UIDCursor, r *LogReader) error {
		if r == nil {
			return nil
		}
		for part := r.Parts - 1; part >= 0; part-- {
			c := r.Section(part, m.box.ID)
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
	for i := len(m.ch.Logs) - 1; i >= 0; i-- {
		if err := add(&m.rows, m.ch.Logs[i].Rows); err != nil {
			return err
		}
		if err := add(&m.bodies, m.ch.Logs[i].Bodies); err != nil {
			return err
		}
	}
	return nil
}

// advance goes to the next row that can be read.
func (m *merger) advance(c *UIDCursor) error {
	for {
		err := c.advance()
		if err == nil {
			return nil
		}
		if err := m.ch.tolerate(About(err, m.ch.Entry.Account, m.box.Name, 0)); err != nil {
			return err
		}
	}
}

// pass leaves all rows of uid, and those before, behind.
func (m *merger) pass(list []*UIDCursor, uid store.UID) error {
	for _, c := range list {
		for c.ok && c.Row.UID <= uid {
			if err := m.advance(c); err != nil {
				return err
			}
		}
	}
	return nil
}

func least(list []*UIDCursor) (uid store.UID) {
	for _, c := range list {
		if c.ok && (uid == 0 || c.Row.UID < uid) {
			uid = c.Row.UID
		}
	}
	return uid
}

// at puts the newest message of uid together; nil: its facts cannot be had.
func (m *merger) at(uid store.UID) (*Message, error) {
	var state, facts *UIDCursor
	for _, c := range m.rows {
		if !c.ok || c.Row.UID != uid {
			continue
		}
		if state == nil {
			state = c
		}
		if c.Kind != RowState {
			facts = c
			break
		}
	}
	if facts == nil || facts.Kind != RowMessage && (facts.Kind != RowGone || facts != state) {
		err := fmt.Errorf("%w: nothing says what this message is", ErrDamaged)
		return nil, m.ch.tolerate(About(err, m.ch.Entry.Account, m.box.Name, uid))
	}
	m.out = facts.Row
	out := &m.out
	out.ModSeq, out.Flags, out.Keywords = state.Row.ModSeq, state.Row.Flags, state.Row.Keywords
	if out.Gone {
		return out, nil
	}
	if err := m.pass(m.bodies, uid-1); err != nil {
		return nil, err
	}
	out.HasBody, out.NoBody = false, false
	for _, c := range m.bodies {
		if c.ok && c.Row.UID == uid {
			out.Body, out.HasBody, out.NoBody = c.Row.Body, c.Row.HasBody, c.Row.NoBody
			break
		}
	}
	return out, nil
}
