package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// hand hands a batch over and reads its bodies. nil: an earlier batch has failed, and
// this one was not handed over. Of what came of it drain tells.
func (p *pass) hand(ctx context.Context, items []item) (*load, error) {
	if err := p.led.beginRun(ctx); err != nil {
		return nil, err
	}
	var want []*Message
	var at []int
	for i := range items {
		if items[i].have == nil {
			want, at = append(want, items[i].Message), append(at, i)
		}
	}
	if len(want) > 0 {
		if err := p.openWriter(ctx); err != nil {
			return nil, err
		}
	}
	x, ok := p.line.send(ctx, items)
	if !ok {
		return nil, nil
	}
	ok, err := p.fetch(ctx, x, want, at)
	x.whole = ok && err == nil
	x.end(err)
	return x, nil
}

// fetch reads bodies into a load. The error is what ended it; what was read until
// then can be committed. False: the load has failed.
func (p *pass) fetch(ctx context.Context, x *load, want []*Message, at []int) (bool, error) {
	n := 0
	missing := func(until string) bool {
		for ; n < len(want) && want[n].ID != until; n++ {
			if !x.put(part{item: at[n], last: true, err: ErrGone}) {
				return false
			}
		}
		return true
	}
	if len(want) == 0 {
		return true, nil
	}
	for body, err := range p.reader.Fetch(ctx, want) {
		if err != nil {
			return true, err
		}
		if !missing(body.ID) {
			return false, nil
		}
		if n == len(want) {
			return true, fmt.Errorf("migrate: mailbox %q: message %q comes unasked", p.report.Source, body.ID)
		}
		if ok, err := p.read(ctx, x, at[n], body); err != nil || !ok {
			return ok, err
		}
		n++
	}
	return missing(""), nil
}

// read reads one body, as fast as the options allow; what they do not is not read.
func (p *pass) read(ctx context.Context, x *load, i int, body *Body) (bool, error) {
	if body.Err != nil {
		return x.put(part{item: i, last: true, err: body.Err}), nil
	}
	if err := p.messages.wait(ctx, 1); err != nil {
		return true, err
	}
	size := x.items[i].Size
	if p.o.MaxBytes > 0 && p.spent.Add(max(size, 0)) > p.o.MaxBytes {
		return true, ErrLimit
	}
	in := &paced{ctx: ctx, r: body, p: &p.octets}
	ok := p.line.body(x, i, in)
	if p.o.MaxBytes > 0 && size < 0 {
		p.spent.Add(in.n)
	}
	return ok, nil
}

// carry adds a load to the target and commits it, with what could be read.
func (p *pass) carry(ctx context.Context, x *load) error {
	copied, rest := p.add(ctx, x)
	if errors.Is(rest, ErrWriter) || errors.Is(rest, ErrQuota) {
		p.discard()
		return rest
	}
	records := make([]record, 0, len(x.items))
	added := 0
	for i := range x.items {
		switch {
		case x.items[i].have != nil:
			records = append(records, x.items[i].adopted())
		case copied[i] != nil:
			records = append(records, *copied[i])
			added++
		}
	}
	if err := p.commit(ctx, records, added); err != nil {
		p.discard()
		return err
	}
	return rest
}

// add hands the bodies of a load to the writer. copied has a record for each item
// that was added. The error is what ended it; what was added until then can be
// committed, unless it is of the writer.
func (p *pass) add(ctx context.Context, x *load) (copied []*record, err error) {
	copied = make([]*record, len(x.items))
	for first := range x.parts {
		m := x.items[first.item].Message
		if first.err != nil && cap(first.data) == 0 {
			if err := p.unread(m, first.err); err != nil {
				return copied, err
			}
			continue
		}
		body := &lineBody{l: &p.line, x: x, part: first}
		r, err := p.one(ctx, m, io.Reader(body))
		body.skip()
		if err != nil {
			return copied, err
		}
		copied[first.item] = r
	}
	return copied, x.rest
}
