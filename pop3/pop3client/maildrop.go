package pop3client

import (
	"cmp"
	"context"
	"iter"
	"slices"
)

// Maildrop is what LIST and UIDL together say.
type Maildrop struct {
	// Messages are in the order of their numbers, each number once.
	Messages []Message

	// Missing is how many numbers are left out below the highest: messages that
	// are marked as deleted, or that the server hides.
	Missing int

	// Skipped is how many lines were none of a listing.
	Skipped int

	// NoUIDL reports a server without UIDL. Then no message has a unique-id.
	NoUIDL bool
}

// Maildrop lists all messages with sizes and unique-ids, both at a time where
// the server pipelines, and looks for numbers and unique-ids that are there more
// than once. Every message of a repetition has the fault.
func (c *Client) Maildrop(ctx context.Context) (*Maildrop, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	defer c.watch(ctx)()
	if err := c.send(ctx, list.verb); err != nil {
		return nil, err
	}
	if c.caps.Pipelining {
		if err := c.send(ctx, uidl.verb); err != nil {
			return nil, err
		}
	}
	d := &Maildrop{}
	sizes, sizesErr := d.collect(c.entries(ctx, list))
	if sizesErr != nil && !refusal(sizesErr) {
		return nil, sizesErr
	}
	if c.pending == 0 {
		if err := c.send(ctx, uidl.verb); err != nil {
			return nil, err
		}
	}
	ids, err := d.collect(c.entries(ctx, uidl))
	d.NoUIDL = err != nil
	switch {
	case err != nil && !refusal(err):
		return nil, err
	case sizesErr != nil:
		return nil, sizesErr
	}
	d.merge(sizes, ids)
	return d, nil
}

// collect takes a listing in the order of its numbers.
func (d *Maildrop) collect(entries iter.Seq2[Message, error]) (list []Message, err error) {
	sorted := true
	for m, err := range entries {
		switch {
		case err != nil:
			return nil, err
		case m.Number == 0:
			d.Skipped++
			continue
		}
		sorted = sorted && m.Fault&FaultOrder == 0
		m.Fault &^= FaultOrder
		list = append(list, m)
	}
	if sorted {
		return list, nil
	}
	slices.SortStableFunc(list, func(a, b Message) int { return cmp.Compare(a.Number, b.Number) })
	unique := list[:1]
	for _, m := range list[1:] {
		if last := &unique[len(unique)-1]; m.Number == last.Number {
			last.Fault |= FaultRepeated
		} else {
			unique = append(unique, m)
		}
	}
	return unique, nil
}

// merge makes Messages of both listings.
func (d *Maildrop) merge(sizes, ids []Message) {
	d.Messages = make([]Message, 0, max(len(sizes), len(ids)))
	for len(sizes)+len(ids) > 0 {
		var m Message
		switch {
		case len(ids) == 0 || len(sizes) > 0 && sizes[0].Number < ids[0].Number:
			m, sizes = sizes[0], sizes[1:]
			m.Fault |= FaultNoID
		case len(sizes) == 0 || ids[0].Number < sizes[0].Number:
			m, ids = ids[0], ids[1:]
			m.Fault |= FaultSize
		default:
			m = sizes[0]
			m.UniqueID, m.Fault = ids[0].UniqueID, m.Fault|ids[0].Fault
			sizes, ids = sizes[1:], ids[1:]
		}
		d.Messages = append(d.Messages, m)
	}
	if n := len(d.Messages); n > 0 {
		d.Missing = d.Messages[n-1].Number - n
	}
	d.findReused()
}

// findReused marks messages that share a unique-id.
func (d *Maildrop) findReused() {
	first := make(map[string]int, len(d.Messages))
	for i := range d.Messages {
		id := d.Messages[i].UniqueID
		if id == "" {
			continue
		}
		if j, again := first[id]; again {
			d.Messages[i].Fault |= FaultReusedID
			d.Messages[j].Fault |= FaultReusedID
		} else {
			first[id] = i
		}
	}
}
