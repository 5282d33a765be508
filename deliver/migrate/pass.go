package migrate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/mailstead/mailstead/store"
)

// pass goes once through a mailbox: what the source lists and what the ledger has
// are merged in order of the IDs.
type pass struct {
	*box
	led    *ledger
	reader Reader
	writer Writer

	claims    *claims // what may be in the target already; nil = nothing is looked for
	match     bool    // the target is looked through
	batch     []item
	size      int64 // octets of batch
	line      line
	skipped   atomic.Bool // something was left out
	unsettled bool        // the target did not say where messages came to lie
	quotas    int         // refusals by quota one after the other

	gone []string // IDs that were listed, and whose bodies were not there

	changes  []Alteration
	pages    []keyed    // that changes have changed
	standing []standing // of the target, sorted; nil = not read yet
	tap      tap
	peek     *bufio.Reader
}

// item is one message of a batch. Its record is set where nothing is to be copied.
type item struct {
	*Message
	have *record
}

func (p *pass) close() error {
	_, err := p.line.drain()
	if p.writer != nil {
		p.writer.Discard()
		err = errors.Join(err, p.writer.Close())
	}
	if p.reader != nil {
		err = errors.Join(err, p.reader.Close())
	}
	return err
}

func (p *pass) run(ctx context.Context) error {
	var err error
	if p.reader, err = p.box.run.src.Open(ctx, &p.from); err != nil {
		return err
	}
	if err := p.settleRefs(ctx); err != nil {
		return err
	}
	if err := p.findClaims(ctx); err != nil {
		return err
	}
	if err := p.merge(ctx); err != nil {
		return err
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	if err := p.flushChanges(ctx); err != nil || p.o.DryRun {
		return err
	}
	if err := p.removeBefore(ctx); err != nil {
		return err
	}
	if err := p.judgeGone(ctx); err != nil {
		return err
	}
	return p.finish(ctx)
}

// finish notes that the pass is whole.
func (p *pass) finish(ctx context.Context) error {
	l := p.led
	if err := l.finish(ctx); err != nil {
		return err
	}
	if p.unsettled {
		if err := p.settleRefs(ctx); err != nil {
			return err
		}
	}
	done := p.doneToken()
	if p.skipped.Load() {
		done = ""
	}
	if l.Done != done || l.Match || l.Open || l.Before.Runs > 0 {
		before := l.Before.Runs > 0
		l.Done, l.Match, l.Open, l.Before.Runs = done, false, false, 0
		if err := l.saveHeader(ctx); err != nil {
			return err
		}
		if before {
			if err := l.clean(ctx); err != nil {
				return err
			}
		}
	}
	return l.compact(ctx)
}

// merge lists the source beside the ledger.
func (p *pass) merge(ctx context.Context) error {
	cur, err := p.led.read(ctx, p.led.Generation, p.led.Runs)
	if err != nil {
		return err
	}
	defer cur.close()
	e, err := cur.next()
	if err != nil {
		return err
	}
	last := ""
	for m, err := range p.reader.List(ctx, p.claims != nil || p.view || p.o.DryRun && len(p.boxes) > 0 && p.boxes[len(p.boxes)-1].view) {
		if err != nil {
			return err
		}
		if m.ID <= last || len(m.ID) > maxRecordID {
			return fmt.Errorf("migrate: mailbox %q: the source lists %q behind %q", p.report.Source, m.ID, last)
		}
		last = m.ID
		for e != nil && e.ID < m.ID {
			if err := p.vanished(ctx, e); err != nil {
				return err
			}
			if e, err = cur.next(); err != nil {
				return err
			}
		}
		if e != nil && e.ID == m.ID {
			if err := p.known(ctx, e, m); err != nil {
				return err
			}
			if e, err = cur.next(); err != nil {
				return err
			}
			continue
		}
		if err := p.fresh(ctx, m); err != nil {
			return err
		}
	}
	for ; e != nil; e, err = cur.next() {
		if err != nil {
			return err
		}
		if err := p.vanished(ctx, e); err != nil {
			return err
		}
	}
	return err
}

// known looks at a message that an earlier pass has migrated.
func (p *pass) known(ctx context.Context, e *entry, m *Message) error {
	p.count(Totals{Present: 1})
	a, changed := e.changedFlags(m)
	if !changed || e.State == double || e.Ref == "" {
		return nil
	}
	p.count(Totals{Flagged: 1})
	if p.o.DryRun {
		return nil
	}
	e.Flags, e.Keywords = m.Flags, noteKeywords(m.Keywords)
	return p.change(ctx, a, e)
}

// vanished looks at a record whose message the source has no more.
func (p *pass) vanished(ctx context.Context, e *entry) error {
	if !p.o.Remove {
		return nil
	}
	a := Alteration{Ref: e.Ref, Remove: true}
	if e.State == double {
		a.Ref = ""
	}
	if a.Ref != "" {
		ok, err := p.untouched(ctx, e.record)
		if err != nil {
			return err
		}
		if ok {
			p.count(Totals{Removed: 1})
		} else {
			a.Ref = "" // it is the target's own from now on
			p.count(Totals{Kept: 1})
		}
	}
	if p.o.DryRun {
		return nil
	}
	p.led.Done = ""
	e.State = vanishing
	return p.change(ctx, a, e)
}

// maxChanges and maxChangedPages bound what is written at once.
const (
	maxChanges      = 500
	maxChangedPages = 16
)

func (p *pass) change(ctx context.Context, a Alteration, e *entry) error {
	if a.Ref != "" {
		p.changes = append(p.changes, a)
	}
	if e != nil && !e.page.dirty {
		e.page.dirty = true
		p.pages = append(p.pages, keyed{e.key, e.page})
	}
	if len(p.changes) < maxChanges && len(p.pages) < maxChangedPages {
		return nil
	}
	return p.flushChanges(ctx)
}

// flushChanges alters the target, and writes the pages that know of it.
func (p *pass) flushChanges(ctx context.Context) error {
	if len(p.changes) == 0 && len(p.pages) == 0 {
		return nil
	}
	if err := p.settle(ctx); err != nil {
		return err
	}
	notes := make([]Note, len(p.pages))
	for i, k := range p.pages {
		notes[i] = Note{Key: k.key, Value: k.without(vanishing).encode()}
	}
	defer func() {
		for _, k := range p.pages {
			k.dirty = false
		}
		p.changes, p.pages = p.changes[:0], p.pages[:0]
	}()
	if len(p.changes) == 0 {
		return p.keep.Save(ctx, notes)
	}
	if err := p.openWriter(ctx); err != nil {
		return err
	}
	if p.writer.Atomic() {
		return p.writer.Alter(ctx, p.changes, notes)
	}
	if err := p.writer.Alter(ctx, p.changes, nil); err != nil {
		return err
	}
	if len(notes) == 0 {
		return nil
	}
	return p.keep.Save(ctx, notes)
}

// fresh looks at a message that no record knows.
func (p *pass) fresh(ctx context.Context, m *Message) error {
	switch {
	case p.o.SkipDeleted && m.Flags&store.Deleted != 0:
		return nil
	case p.tooLarge(m.Size):
		p.leave(m, fmt.Errorf("%w: %d octets", ErrTooLarge, m.Size))
		return nil
	}
	it := item{Message: m}
	if p.view && p.views.has(m.Print) {
		it.have = &record{State: double}
	} else if p.claims != nil {
		it.have = p.claims.take(m.Print)
	}
	if p.o.DryRun {
		p.preview(&it)
		return nil
	}
	p.batch = append(p.batch, it)
	if it.have == nil {
		p.size += max(m.Size, 0)
	}
	if len(p.batch) < p.o.BatchMessages && p.size < p.o.BatchBytes {
		return nil
	}
	return p.flush(ctx)
}

// preview counts what a run would do.
func (p *pass) preview(it *item) {
	switch {
	case it.have != nil && it.have.State == double:
		p.count(Totals{Doubles: 1})
	case it.have != nil:
		p.count(Totals{Matched: 1})
	default:
		p.count(Totals{Copied: 1, Bytes: max(0, it.Size)})
		p.prints = append(p.prints, it.Print)
	}
}

func (p *pass) tooLarge(size int64) bool {
	for _, limit := range [...]int64{p.o.MaxMessageBytes, p.box.run.dst.Rules().MaxMessage} {
		if limit > 0 && size > limit {
			return true
		}
	}
	return false
}

// leave skips a message; the next pass tries it again.
func (p *pass) leave(m *Message, err error) {
	p.skipped.Store(true)
	p.skip(Skip{ID: m.ID, Size: max(0, m.Size), Reason: reasonOf(err), Err: err})
}

// openWriter opens the target. What a batch that is not atomic may leave is noted
// before the first one.
func (p *pass) openWriter(ctx context.Context) error {
	if p.writer != nil {
		return nil
	}
	w, err := p.box.run.dst.Write(ctx, p.to)
	if err != nil {
		return err
	}
	p.writer = w
	if w.Atomic() || p.led.Match {
		return nil
	}
	p.led.Match, p.led.Done = true, ""
	return p.led.saveHeader(ctx)
}

// maxNoteKeywords bounds the octets of keywords that a record keeps.
const maxNoteKeywords = 4 << 10

func noteKeywords(list []string) []string {
	n := 0
	for i, k := range list {
		if n += len(k); n > maxNoteKeywords {
			return slices.Clone(list[:i])
		}
	}
	return slices.Clone(list)
}
