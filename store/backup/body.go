package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup/format"
	"github.com/mailstead/mailstead/store/blob"
)

// takeBodies copies the bodies of the messages whose facts stand in rows, each
// that is not in the archive yet, and writes their hashes. nil: there are
// none. missing counts those that cannot be read, but were not expunged.
func (t *take) takeBodies(ctx context.Context, rows *format.LogReader, name string) (_ *Object, missing int64, err error) {
	if o, missing, ok, err := t.takenBodies(ctx, name); ok || err != nil {
		return o, missing, err
	}
	w, err := format.NewLogWriter(ctx, t.Target, name, t.c)
	if err != nil {
		return nil, 0, err
	}
	defer w.Abort()
	for part := range rows.Parts {
		if err := w.NextPart(); err != nil {
			return nil, 0, err
		}
		for _, x := range rows.Ordered(part) {
			n, err := t.sectionBodies(ctx, w, rows.Section(part, x.Mailbox), x.Mailbox)
			if err != nil {
				return nil, 0, err
			}
			missing += n
		}
	}
	if len(w.Sections) == 0 {
		return nil, missing, nil
	}
	o, err := w.Commit(ctx, &rows.Meta)
	return &o, missing, err
}

// takenBodies is what an interrupted run wrote, if all that it names is in
// packs that are whole.
func (t *take) takenBodies(ctx context.Context, name string) (_ *Object, missing int64, ok bool, err error) {
	if !t.report.Resumed {
		return nil, 0, false, nil
	}
	l, err := format.OpenLog(ctx, t.Target, name, t.c, t.limits.Index)
	if err != nil {
		return nil, 0, false, t.ignoreDamage(err)
	}
	defer l.Close()
	for part := range l.Parts {
		for _, x := range l.Ordered(part) {
			c := l.Section(part, x.Mailbox)
			for err := range c.All() {
				if err != nil {
					return nil, 0, false, t.ignoreDamage(err)
				}
				if c.Kind == format.RowNoBody {
					missing++
					continue
				}
				if _, _, there, err := t.bodies.Find(ctx, c.Row.Body); !there {
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
	if err != nil && format.IsDamage(err) {
		return nil
	}
	return err
}

func (t *take) sectionBodies(ctx context.Context, w *format.LogWriter, c *format.UIDCursor, id store.MailboxID) (missing int64, err error) {
	begun := false
	for err := range c.All() {
		if err != nil {
			return missing, err
		}
		if c.Kind != format.RowMessage {
			continue
		}
		if err := ctx.Err(); err != nil {
			return missing, err
		}
		if !begun {
			begun = true
			w.Begin(id)
		}
		h, size, err := t.body(ctx, id, &c.Row.Message)
		var lost *Problem
		switch {
		case errors.As(err, &lost):
			if !errors.Is(err, store.ErrExpunged) {
				missing++
				t.report.Missing++
				t.problem(err)
			}
			err = w.PutMessage(func(b []byte) []byte { return format.AppendNoBody(b, c.Row.UID) })
		case err == nil:
			err = w.PutMessage(func(b []byte) []byte { return format.AppendBody(b, c.Row.UID, h, size) })
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
// A row has no Ref where the backend has none, or the body opens only with a
// key: then the account, which knows, is asked; so it is for a Ref that does
// not open.
func (t *take) open(ctx context.Context, id store.MailboxID, m *store.Message) (store.Content, error) {
	var c store.Content
	err := blob.ErrNoBlob
	if m.Blob != "" {
		c, err = store.OpenContent(ctx, t.acct, id, m)
	}
	if errors.Is(err, blob.ErrNoBlob) || errors.Is(err, blob.ErrNoKey) {
		c, err = t.acct.Content(ctx, id, m.UID)
	}
	gone := errors.Is(err, store.ErrExpunged) || errors.Is(err, store.ErrNoMailbox) || errors.Is(err, store.ErrNoMessage)
	if !gone {
		return c, err
	}
	if m.Blob != "" {
		if b, err := t.s.Blobs().Open(ctx, m.Blob); err == nil {
			return store.NewContent(m.Prefix, b), nil
		}
	}
	return nil, fmt.Errorf("%w: %w", store.ErrExpunged, err)
}

// lost makes a Problem of an error that is about this message alone.
func (t *take) lost(id store.MailboxID, m *store.Message, err error) error {
	for _, known := range [...]error{store.ErrCorrupt, store.ErrExpunged, store.ErrNoBlob, blob.ErrCorrupt, blob.ErrNoBlob, blob.ErrNoKey, ErrLimit} {
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
	if size <= format.SmallBody {
		err = t.pack.Add(h, t.buf[:size])
	} else if _, err = body.Seek(0, io.SeekStart); err == nil {
		err = t.pack.Stream(h, size, body)
	}
	if err != nil {
		return h, err
	}
	t.inPack[h] = true
	t.added(size)
	if t.pack.Written() >= packSize || len(t.pack.Entries) >= packEntries {
		return h, t.endPack(ctx)
	}
	return h, nil
}

// hash reads a body; a small one stays in buf.
func (t *take) hash(body io.Reader, size int64) (Hash, error) {
	if size > format.SmallBody {
		sum := sha256.New()
		_, err := io.Copy(sum, body)
		return Hash(sum.Sum(nil)), err
	}
	if t.buf == nil {
		t.buf = make([]byte, format.SmallBody)
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
	_, _, ok, err := r.bodies.Find(ctx, h)
	if err != nil && format.IsDamage(err) { // it is kept once more
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
	r.pack, err = format.NewPackWriter(ctx, r.Target, packName(r.id, r.numbers), r.c)
	return err
}

// endPack ends the pack that is being written.
func (r *run) endPack(ctx context.Context) error {
	if r.pack == nil {
		return nil
	}
	o, err := r.pack.Commit(ctx)
	if err != nil {
		return err
	}
	r.pack = nil
	r.packs = append(r.packs, o)
	clear(r.inPack)
	if err := r.bodies.Load(ctx, o.Name); err != nil {
		return err
	}
	r.bodies.Order()
	return nil
}
