package migrate

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/mailstead/mailstead/store"
)

// verify compares all mailboxes; what differs is in the report.
func (r *run) verify(ctx context.Context) error {
	return r.each(ctx, r.boxes, func(b *box, ctx context.Context) error {
		err := b.verify(ctx)
		switch {
		case err == nil:
		case fatal(ctx, err):
			return err
		default:
			b.differs(Problem{Kind: Unreadable, Detail: err.Error()})
		}
		return nil
	})
}

func (b *box) differs(p Problem) {
	p.Mailbox, p.Target = b.report.Source, b.report.Target
	b.mu.Lock()
	defer b.mu.Unlock()
	b.run.report.Different++
	if len(b.run.report.Problems) < MaxSkips {
		b.run.report.Problems = append(b.run.report.Problems, p)
	}
	b.tellLocked(Event{
		Kind: Differs, Mailbox: p.Mailbox, Target: p.Target, ID: cmp.Or(p.ID, p.Ref),
		Err: fmt.Errorf("%s: %s", p.Kind, p.Detail),
	})
}

// fact is what a record says of a message in the target, in 48 octets.
type fact struct {
	ref    uint64 // hash
	digest uint64 // the first half; zero = not known
	size   int64
	date   int64
	print  Print
	flags  store.Flags
	loose  bool // came by another way: flags and date are its own
	seen   bool
}

func (d Digest) half() uint64 { return binary.BigEndian.Uint64(d[:]) }

// checker verifies one mailbox.
type checker struct {
	*box
	led    *ledger
	facts  []fact  // sorted by ref
	prints []Print // of them, sorted
	batch  []*Message
	tap    tap
	reader Reader
}

func (b *box) verify(ctx context.Context) error {
	l, _, err := loadLedger(ctx, b.keep, b.o.Job, b.from.key())
	if err != nil {
		return err
	}
	c := &checker{box: b, led: l}
	if err := c.gather(ctx); err != nil {
		return err
	}
	if err := c.source(ctx); err != nil {
		return err
	}
	if b.to == nil {
		if len(c.facts) > 0 || b.from.Messages != 0 {
			b.differs(Problem{Kind: MailboxMissing, Detail: fmt.Sprintf("%d messages were copied into it", len(c.facts))})
		}
		return nil
	}
	if err := c.target(ctx); err != nil {
		return err
	}
	return c.missing(ctx)
}

// gather reads what the ledger says.
func (c *checker) gather(ctx context.Context) error {
	for e, err := range c.led.all(ctx) {
		if err != nil {
			return err
		}
		if e.State == double || e.Ref == "" {
			continue
		}
		f := fact{
			ref: hashRef(e.Ref), digest: e.Digest.half(), size: e.Size, date: unixOf(e.Received),
			print: e.Print, flags: e.Flags, loose: e.State == matched,
		}
		c.facts = append(c.facts, f)
		c.prints = append(c.prints, e.Print)
	}
	slices.SortFunc(c.facts, func(a, b fact) int { return cmp.Compare(a.ref, b.ref) })
	slices.Sort(c.prints)
	return nil
}

func (c *checker) find(ref string) *fact {
	i, ok := slices.BinarySearchFunc(c.facts, hashRef(ref), func(f fact, h uint64) int { return cmp.Compare(f.ref, h) })
	if !ok {
		return nil
	}
	return &c.facts[i]
}

// source looks for messages that no pass has copied.
func (c *checker) source(ctx context.Context) error {
	reader, err := c.box.run.src.Open(ctx, &c.from)
	if err != nil {
		return err
	}
	defer reader.Close()
	cur, err := c.led.read(ctx, c.led.Generation, c.led.Runs)
	if err != nil {
		return err
	}
	defer cur.close()
	e, err := cur.next()
	if err != nil {
		return err
	}
	for m, err := range reader.List(ctx, false) {
		if err != nil {
			return err
		}
		for e != nil && e.ID < m.ID {
			if e, err = cur.next(); err != nil {
				return err
			}
		}
		known := e != nil && e.ID == m.ID && c.led.SourceValidity == c.from.Validity
		if !known && (!c.o.SkipDeleted || m.Flags&store.Deleted == 0) {
			c.differs(Problem{ID: m.ID, Kind: NotCopied, Detail: "no pass has copied it"})
		}
	}
	return nil
}

// target compares what is there.
func (c *checker) target(ctx context.Context) error {
	var err error
	if c.reader, err = c.box.run.dst.Open(ctx, c.to); err != nil {
		return err
	}
	defer c.reader.Close()
	bodies := c.o.Verify >= VerifyBodies
	for m, err := range c.reader.List(ctx, bodies) {
		if err != nil {
			return err
		}
		f := c.find(m.ID)
		if f == nil {
			if _, twice := slices.BinarySearch(c.prints, m.Print); twice && m.Print != 0 {
				c.differs(Problem{Ref: m.ID, Kind: Extra, Detail: "another copy of a message"})
			}
			continue
		}
		f.seen = true
		right := c.compare(m, f)
		if !bodies {
			if right {
				c.right(m)
			}
			continue
		}
		if c.batch = append(c.batch, m); len(c.batch) >= c.o.BatchMessages {
			if err := c.bodies(ctx); err != nil {
				return err
			}
		}
	}
	return c.bodies(ctx)
}

// compare looks at what List says of a message.
func (c *checker) compare(m *Message, f *fact) bool {
	p := Problem{Ref: m.ID}
	slack := int64(0)
	if c.box.run.dst.Rules().AddsLineEnd {
		slack = 2
	}
	switch {
	case m.Size >= 0 && f.size > 0 && (m.Size < f.size || m.Size > f.size+slack):
		p.Kind, p.Detail = WrongSize, fmt.Sprintf("%d octets, of %d", m.Size, f.size)
	case f.loose:
		return true
	case m.Flags != f.flags:
		p.Kind, p.Detail = WrongFlags, fmt.Sprintf("%#x, not %#x", m.Flags, f.flags)
	case !m.Received.IsZero() && m.Received.Unix() != f.date:
		p.Kind, p.Detail = WrongDate, m.Received.String()
	default:
		return true
	}
	c.differs(p)
	return false
}

func (c *checker) right(m *Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run.report.Verified++
	c.tellLocked(Event{Kind: Checked, Mailbox: c.box.report.Source, Target: c.box.report.Target, ID: m.ID, Size: m.Size})
}

// bodies reads a batch of messages of the target.
func (c *checker) bodies(ctx context.Context) error {
	if len(c.batch) == 0 {
		return nil
	}
	batch := c.batch
	c.batch = c.batch[:0]
	for body, err := range c.reader.Fetch(ctx, batch) {
		if err != nil {
			return err
		}
		f := c.find(body.ID)
		if f == nil {
			continue
		}
		d, size, err := c.digest(ctx, body)
		switch {
		case errors.Is(err, ErrGone):
			f.seen = false
		case errors.Is(err, ErrBroken):
			c.differs(Problem{Ref: body.ID, Kind: Unreadable, Detail: err.Error()})
		case err != nil:
			return err
		case f.digest != 0 && d.half() != f.digest:
			c.differs(Problem{Ref: body.ID, Kind: WrongBody, Detail: "other octets than what was copied"})
		default:
			c.right(&Message{ID: body.ID, Size: size})
		}
	}
	return nil
}

func (c *checker) digest(ctx context.Context, body *Body) (d Digest, size int64, err error) {
	if body.Err != nil {
		return d, 0, body.Err
	}
	c.tap.reset(&paced{ctx: ctx, r: body, p: &c.octets})
	if err := c.tap.drain(); err != nil {
		return d, 0, err
	}
	return c.tap.digest(), c.tap.wire, nil
}

// missing tells what was not there.
func (c *checker) missing(ctx context.Context) error {
	for e, err := range c.led.all(ctx) {
		if err != nil {
			return err
		}
		if e.State == double || e.Ref == "" {
			continue
		}
		if f := c.find(e.Ref); f != nil && !f.seen {
			c.differs(Problem{ID: e.ID, Ref: e.Ref, Kind: Missing, Detail: "it was copied and is not there"})
		}
	}
	return nil
}
