package migrate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mailstead/mailstead/store"
)

// flush hands the batch over.
func (p *pass) flush(ctx context.Context) error {
	batch := p.batch
	p.batch, p.size = nil, 0
	if len(batch) == 0 {
		return nil
	}
	if err := p.adopt(ctx, batch); err != nil {
		return err
	}
	for {
		x, err := p.hand(ctx, batch)
		if err != nil || x != nil && x.whole {
			return err
		}
		if err := p.settle(ctx); err != nil || x != nil {
			return err
		}
	}
}

// settle waits until all batches that were handed over are committed. What the quota
// refuses as a whole is tried one by one, so that what fits is copied.
func (p *pass) settle(ctx context.Context) error {
	undone, err := p.line.drain()
	if !errors.Is(err, ErrQuota) {
		return err
	}
	for i := range undone {
		if _, err = p.hand(ctx, undone[i:i+1]); err == nil {
			_, err = p.line.drain()
		}
		if !errors.Is(err, ErrQuota) {
			if err != nil {
				return err
			}
			p.quotas = 0
			continue
		}
		p.leave(undone[i].Message, err)
		if p.quotas++; p.quotas >= maxQuotas {
			return err
		}
	}
	return nil
}

// maxQuotas is how many messages the quota refuses in a row before the mailbox is
// given up.
const maxQuotas = 5

func (p *pass) discard() {
	if p.writer != nil {
		p.writer.Discard()
	}
}

// adopted is the record of a message that is not copied.
func (it *item) adopted() record {
	r := *it.have
	if r.State == settled || r.State == provisional {
		r.State = matched
	}
	r.ID, r.Flags, r.Keywords, r.Print = it.ID, it.Flags, noteKeywords(it.Keywords), it.Print
	if r.Size == 0 {
		r.Size = max(0, it.Size)
	}
	r.Received = it.Received
	return r
}

// adopt brings the flags of what is in the target already up to date.
func (p *pass) adopt(ctx context.Context, items []item) error {
	var changes []Alteration
	for i := range items {
		have := items[i].have
		if have == nil || have.State == double || have.Ref == "" {
			continue
		}
		if a, changed := have.changedFlags(items[i].Message); changed {
			changes = append(changes, a)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	if err := p.openWriter(ctx); err != nil {
		return err
	}
	return p.writer.Alter(ctx, changes, nil)
}

// judgeGone looks again for messages that were listed and then not there. Those that
// are still listed cannot be read.
func (p *pass) judgeGone(ctx context.Context) error {
	if len(p.gone) == 0 {
		return nil
	}
	gone := make(map[string]bool, len(p.gone))
	for _, id := range p.gone {
		gone[id] = true
	}
	for m, err := range p.reader.List(ctx, false) {
		if err != nil {
			return err
		}
		if gone[m.ID] {
			p.leave(m, fmt.Errorf("%w: the source lists it and does not give it", ErrBroken))
		}
	}
	return nil
}

// one copies a message; nil, nil = it is left out, or went.
func (p *pass) one(ctx context.Context, m *Message, body io.Reader) (*record, error) {
	x := *m
	x.Keywords = p.keywords(m)
	p.tap.reset(body)
	in := p.dated(&x)
	ref, err := p.writer.Add(ctx, &x, in)
	switch {
	case errors.Is(err, ErrWriter), ctx.Err() != nil && err != nil:
		return nil, err
	case p.tap.err != nil:
		return nil, p.unread(m, p.tap.err)
	case errors.Is(err, ErrTooLarge), errors.Is(err, ErrRefused):
		p.leave(m, err)
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &record{
		ID: m.ID, Ref: ref, State: provisional, Flags: m.Flags, Keywords: noteKeywords(m.Keywords),
		Size: p.tap.wire, Print: p.tap.print(x.Received), Digest: p.tap.digest(), Received: x.Received.UTC(),
	}, nil
}

// dated sees to it that m has a date, and returns what reads the body.
func (p *pass) dated(m *Message) io.Reader {
	if !m.Received.IsZero() {
		m.Received = m.Received.Truncate(time.Second)
		return &p.tap
	}
	if p.peek == nil {
		p.peek = bufio.NewReaderSize(nil, headPeek)
	}
	p.peek.Reset(&p.tap)
	head, _ := p.peek.Peek(headPeek) // an error comes again
	if m.Received = DateOf(head); m.Received.IsZero() {
		m.Received = time.Now().Truncate(time.Second)
	}
	return p.peek
}

// headPeek is how much of a message is looked at for its date.
const headPeek = 16 << 10

// unread judges what the source says of one message; nil = it is left out.
func (p *pass) unread(m *Message, err error) error {
	switch {
	case errors.Is(err, ErrGone):
		p.gone = append(p.gone, m.ID)
		return nil
	case errors.Is(err, ErrBroken), errors.Is(err, ErrTooLarge), errors.Is(err, ErrRefused), errors.Is(err, ErrPermission):
		p.leave(m, err)
		return nil
	}
	return err
}

// keywords are those of m that can be keywords; others are reported.
func (p *pass) keywords(m *Message) []string {
	var out []string
	for _, k := range m.Keywords {
		if !store.ValidKeyword(k) || len(out) == store.MaxKeywords {
			p.skip(Skip{ID: m.ID, Reason: Keyword, Err: fmt.Errorf("%q cannot be a keyword", k)})
			continue
		}
		if !store.HasKeyword(out, k) {
			out = append(out, k)
		}
	}
	return out
}

// commit makes a batch and what is noted of it durable: at once where the writer
// can, else the batch first.
func (p *pass) commit(ctx context.Context, records []record, added int) error {
	switch {
	case len(records) == 0:
		p.discard()
		return nil
	case added == 0:
		if err := p.keep.Save(ctx, p.led.put(records)); err != nil {
			return err
		}
	case p.writer.Atomic():
		m := p.led.mark()
		placed, err := p.writer.Commit(ctx, p.led.put(records))
		if err != nil {
			p.led.rewind(m)
			return err
		}
		p.dropped(records, placed)
		p.led.settle(spread(records, placed))
	default:
		placed, err := p.writer.Commit(ctx, nil)
		if err != nil {
			return err
		}
		p.dropped(records, placed)
		if records, err = p.accepted(records, placed); err != nil {
			return err
		}
		if err := p.keep.Save(ctx, p.led.put(records)); err != nil {
			return err
		}
	}
	for i := range records {
		switch r := &records[i]; r.State {
		case double:
			p.count(Totals{Doubles: 1})
		case matched:
			p.done(Matched, r)
		default:
			p.done(Copied, r)
		}
	}
	return nil
}

// dropped reports the keywords that the target cannot keep.
func (p *pass) dropped(records []record, placed []Placed) {
	for i, got := range spread(records, placed) {
		for _, k := range got.Dropped {
			p.skip(Skip{ID: records[i].ID, Reason: Keyword, Err: fmt.Errorf("the target has no place for %q", k)})
		}
	}
}

// spread gives each record its result; those that were not added have none.
func spread(records []record, placed []Placed) []Placed {
	out := make([]Placed, len(records))
	n := 0
	for i := range records {
		if records[i].State == provisional && n < len(placed) {
			out[i] = placed[n]
			n++
		}
	}
	return out
}

// accepted are the records without those that the target has refused.
func (p *pass) accepted(records []record, placed []Placed) ([]record, error) {
	var added int
	for i := range records {
		if records[i].State == provisional {
			added++
		}
	}
	if added != len(placed) {
		return nil, fmt.Errorf("migrate: the target answered %d messages of %d", len(placed), added)
	}
	out := records[:0]
	for i, got := range spread(records, placed) {
		r := records[i]
		if got.Err != nil {
			p.leave(&Message{ID: r.ID, Size: r.Size}, got.Err)
			continue
		}
		if r.State == provisional && got.Ref != "" {
			r.Ref, r.State = got.Ref, settled
		}
		p.unsettled = p.unsettled || r.State == provisional
		out = append(out, r)
	}
	return out, nil
}
