package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// takeBodies copies the bodies of the messages whose facts stand in rows, each
// that is not in the archive yet, and writes their hashes. nil: there are
// none. missing counts those that cannot be read, but were not expunged.
func (t *take) takeBodies(ctx context.Context, rows *logReader, name string) (_ *Object, missing int64, err error) {
	if o, missing, ok, err := t.takenBodies(ctx, name); ok || err != nil {
		return o, missing, err
	}
	w, err := newLogWriter(ctx, t.Target, name, t.c)
	if err != nil {
		return nil, 0, err
	}
	defer w.abort()
	for part := range rows.parts {
		if err := w.nextPart(); err != nil {
			return nil, 0, err
		}
		for _, x := range rows.orderOfSections(part) {
			n, err := t.sectionBodies(ctx, w, rows.section(part, x.mailbox), x.mailbox)
			if err != nil {
				return nil, 0, err
			}
			missing += n
		}
	}
	if len(w.sections) == 0 {
		return nil, missing, nil
	}
	o, err := w.commit(ctx, &rows.meta)
	return &o, missing, err
}

// takenBodies is what an interrupted run wrote, if all that it names is in
// packs that are whole.
func (t *take) takenBodies(ctx context.Context, name string) (_ *Object, missing int64, ok bool, err error) {
	if !t.report.Resumed {
		return nil, 0, false, nil
	}
	l, err := openLog(ctx, t.Target, name, t.c, t.limits.Index)
	if err != nil {
		return nil, 0, false, t.ignoreDamage(err)
	}
	defer l.close()
	for part := range l.parts {
		for _, x := range l.orderOfSections(part) {
			c := l.section(part, x.mailbox)
			for err := range c.all() {
				if err != nil {
					return nil, 0, false, t.ignoreDamage(err)
				}
				if c.kind == rowNoBody {
					missing++
					continue
				}
				if _, _, there, err := t.bodies.find(ctx, c.m.body); !there {
					return nil, 0, false, t.ignoreDamage(err)
				}
			}
		}
	}
	o, err := t.describe(ctx, name)
	t.report.Missing += missing
	return &o, missing, err == nil, err
}

func (t *take) ignoreDamage(err error) error {
	if err != nil && isDamage(err) {
		return nil
	}
	return err
}

func (t *take) sectionBodies(ctx context.Context, w *logWriter, c *uidCursor, id store.MailboxID) (missing int64, err error) {
	begun := false
	for err := range c.all() {
		if err != nil {
			return missing, err
		}
		if c.kind != rowMessage {
			continue
		}
		if err := ctx.Err(); err != nil {
			return missing, err
		}
		if !begun {
			begun = true
			w.begin(id)
		}
		h, size, err := t.body(ctx, id, &c.m.Message)
		var lost *Problem
		switch {
		case errors.As(err, &lost):
			if !errors.Is(err, store.ErrExpunged) {
				missing++
				t.report.Missing++
				t.problem(err)
			}
			err = w.putMessage(func(b []byte) []byte { return appendNoBody(b, c.m.UID) })
		case err == nil:
			err = w.putMessage(func(b []byte) []byte { return appendBody(b, c.m.UID, h, size) })
		}
		if err != nil {
			return missing, err
		}
	}
	return missing, nil
}

// body sees to it that the body of a message is in the archive. A *Problem
// says that it cannot be read, and that others can.
func (t *take) body(ctx context.Context, id store.MailboxID, m *store.Message) (Hash, int64, error) {
	c, err := t.open(ctx, id, m)
	if err != nil {
		return Hash{}, 0, t.lost(id, m, err)
	}
	defer c.Close()
	if c.Size() != m.Size {
		err := fmt.Errorf("%w: %d octets, want %d", store.ErrCorrupt, c.Size(), m.Size)
		return Hash{}, 0, t.lost(id, m, err)
	}
	size := m.Size - int64(len(m.Prefix))
	body := io.NewSectionReader(c, int64(len(m.Prefix)), size)
	h, err := t.keep(ctx, body, size)
	if err != nil {
		return Hash{}, 0, t.lost(id, m, err)
	}
	return h, size, nil
}

// open opens a message as it was when the rows were taken. What was expunged
// since can be read for 24 hours, and after that while a Holder keeps its blob.
func (t *take) open(ctx context.Context, id store.MailboxID, m *store.Message) (store.Content, error) {
	c, err := store.OpenContent(ctx, t.acct, id, m)
	gone := errors.Is(err, store.ErrExpunged) || errors.Is(err, store.ErrNoMailbox) || errors.Is(err, store.ErrNoMessage)
	if !gone {
		return c, err
	}
	if m.Blob != "" && len(m.Key) == 0 {
		if b, err := t.s.Blobs().Open(ctx, m.Blob); err == nil {
			return store.NewContent(m.Prefix, b), nil
		}
	}
	return nil, fmt.Errorf("%w: %w", store.ErrExpunged, err)
}

// lost makes a Problem of an error that is about this message alone.
func (t *take) lost(id store.MailboxID, m *store.Message, err error) error {
	for _, known := range [...]error{store.ErrCorrupt, store.ErrExpunged, store.ErrNoBlob, blob.ErrCorrupt, blob.ErrNoBlob, ErrLimit} {
		if errors.Is(err, known) {
			return &Problem{Account: t.info.ID, Mailbox: id.String(), UID: m.UID, Err: err}
		}
	}
	var p *Problem
	if errors.As(err, &p) { // of the archive: not about the message
		return fmt.Errorf("backup: %w", errors.Unwrap(p))
	}
	return err
}

// keep puts a body into a pack unless it is in one.
func (t *take) keep(ctx context.Context, body *io.SectionReader, size int64) (Hash, error) {
	if size > t.limits.Body {
		return Hash{}, fmt.Errorf("%w: a body of %d octets", ErrLimit, size)
	}
	h, err := t.hash(body, size)
	if err != nil {
		return h, err
	}
	if there, err := t.has(ctx, h); there || err != nil {
		return h, err
	}
	if err := t.makePack(ctx); err != nil {
		return h, err
	}
	if size <= smallBody {
		err = t.pack.add(h, t.buf[:size])
	} else if _, err = body.Seek(0, io.SeekStart); err == nil {
		err = t.pack.stream(h, size, body)
	}
	if err != nil {
		return h, err
	}
	t.inPack[h] = true
	t.added(size)
	if t.pack.off >= packSize || len(t.pack.entries) >= packEntries {
		return h, t.endPack(ctx)
	}
	return h, nil
}

// hash reads a body; a small one stays in buf.
func (t *take) hash(body io.Reader, size int64) (Hash, error) {
	if size > smallBody {
		sum := sha256.New()
		_, err := io.Copy(sum, body)
		return Hash(sum.Sum(nil)), err
	}
	if t.buf == nil {
		t.buf = make([]byte, smallBody)
	}
	_, err := io.ReadFull(body, t.buf[:size])
	return sha256.Sum256(t.buf[:size]), err
}

func (t *take) added(size int64) {
	t.report.Bodies++
	t.report.Bytes += size
	t.progress.Bodies++
	t.progress.Bytes += size
	t.tell()
}

// has reports whether a body is in the archive.
func (r *run) has(ctx context.Context, h Hash) (bool, error) {
	if r.inPack[h] {
		return true, nil
	}
	_, _, ok, err := r.bodies.find(ctx, h)
	if err != nil && isDamage(err) { // it is kept once more
		r.problem(err)
		err = nil
	}
	return ok, err
}

func (r *run) makePack(ctx context.Context) (err error) {
	if r.pack != nil {
		return nil
	}
	r.numbers++
	r.pack, err = newPackWriter(ctx, r.Target, packName(r.id, r.numbers), r.c)
	return err
}

// endPack ends the pack that is being written.
func (r *run) endPack(ctx context.Context) error {
	if r.pack == nil {
		return nil
	}
	o, err := r.pack.commit(ctx)
	if err != nil {
		return err
	}
	r.pack = nil
	r.packs = append(r.packs, o)
	clear(r.inPack)
	if err := r.bodies.load(ctx, o.Name); err != nil {
		return err
	}
	r.bodies.order()
	return nil
}
