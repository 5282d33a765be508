package storeaccount

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/store"
)

// Bodies up to smallBody are written several at a time, so that they share the
// store's syncs; greater ones while they are read.
const (
	smallBody = 64 << 10
	workers   = 8
)

// writer adds to one mailbox.
type writer struct {
	reader
	next store.UID // for messages without one, where UIDs are kept

	adds []*add
	wg   sync.WaitGroup
	room chan struct{} // one for each body that is being written
	free chan []byte   // buffers
}

// add is one message of the batch. The fields are set before wg is done.
type add struct {
	op  store.Append
	m   migrate.Message
	err error
}

// Write prepares a mailbox for writing.
func (x *Account) Write(ctx context.Context, m *migrate.Mailbox) (migrate.Writer, error) {
	id, err := idOf(m)
	if err != nil {
		return nil, err
	}
	w := &writer{reader: reader{x, id}, room: make(chan struct{}, workers), free: make(chan []byte, workers)}
	if x.imports {
		box, err := store.MailboxByID(ctx, x.a, id)
		if err != nil {
			return nil, answer(err)
		}
		w.next = max(1, box.UIDNext)
	}
	return w, nil
}

// Atomic is true: a batch is one Change.
func (w *writer) Atomic() bool { return true }

// Close waits for bodies that are being written.
func (w *writer) Close() error {
	w.Discard()
	return nil
}

// Discard drops the batch; the store collects its bodies.
func (w *writer) Discard() {
	w.wg.Wait()
	w.adds = w.adds[:0]
}

// Add stores a body. The ref it returns is the EmailID.
func (w *writer) Add(ctx context.Context, m *migrate.Message, body io.Reader) (string, error) {
	x := &add{m: *m}
	if x.m.EmailID == (store.EmailID{}) {
		x.m.EmailID = store.NewEmailID()
	}
	var buf []byte
	select {
	case buf = <-w.free:
	default:
		buf = make([]byte, smallBody)
	}
	n, err := io.ReadFull(body, buf)
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF && endsClean(body):
		w.background(ctx, x, buf, n)
	case err != nil:
		w.release(buf)
		return "", err
	default:
		x.prepare(ctx, w, io.MultiReader(bytes.NewReader(buf), body), -1)
		w.release(buf)
		if x.err != nil {
			return "", x.err
		}
	}
	w.adds = append(w.adds, x)
	return provisional + x.m.EmailID.String(), nil
}

// provisional is in front of the ref of a message whose UID is not known yet.
const provisional = "email-"

// endsClean reports whether a body that gave fewer octets than were asked for is
// at its end, and not cut off.
func endsClean(body io.Reader) bool {
	var one [1]byte
	n, err := io.ReadFull(body, one[:])
	return n == 0 && err == io.EOF
}

func (w *writer) release(buf []byte) {
	select {
	case w.free <- buf[:cap(buf)]:
	default:
	}
}

func (w *writer) background(ctx context.Context, x *add, buf []byte, n int) {
	w.room <- struct{}{}
	w.wg.Go(func() {
		x.prepare(ctx, w, bytes.NewReader(buf[:n]), int64(n))
		w.release(buf)
		<-w.room
	})
}

func (x *add) prepare(ctx context.Context, w *writer, body io.Reader, size int64) {
	op, err := store.PrepareAppend(ctx, w.x.s, store.NewMessage{
		Mailbox: w.id, Flags: x.m.Flags, Keywords: x.m.Keywords, Received: x.m.Received,
		Body: body, BodySize: size, IgnoreQuota: w.x.o.IgnoreQuota,
	})
	op.EmailID = x.m.EmailID
	x.op, x.err = op, err
}

// Commit adds the batch and the notes in one Change.
func (w *writer) Commit(ctx context.Context, notes []migrate.Note) ([]migrate.Placed, error) {
	w.wg.Wait()
	ops := make([]store.Op, 0, len(w.adds)+len(notes))
	for _, x := range w.adds {
		if x.err != nil {
			return nil, answer(x.err)
		}
		ops = append(ops, w.op(x))
	}
	n := len(ops)
	res, err := w.x.keeper.apply(ctx, ops, notes)
	if err != nil {
		w.adds = w.adds[:0]
		return nil, err
	}
	w.adds = w.adds[:0]
	placed := make([]migrate.Placed, n)
	for i := range placed {
		if i >= len(res.Ops) || len(res.Ops[i].Dest) == 0 {
			return nil, fmt.Errorf("storeaccount: the store did not say which UID message %d got", i)
		}
		placed[i].Ref = migrate.UIDString(res.Ops[i].Dest.Min())
	}
	return placed, nil
}

func (w *writer) op(x *add) store.Op {
	if !w.x.imports {
		return x.op
	}
	uid := x.m.UID
	if uid == 0 {
		uid = w.next
	}
	w.next = max(w.next, uid+1)
	op := store.Import{Append: x.op, UID: uid, Saved: x.m.Saved}
	return op
}

// Alter changes flags and expunges, in one Change with the notes.
func (w *writer) Alter(ctx context.Context, changes []migrate.Alteration, notes []migrate.Note) error {
	type key struct {
		mode     store.FlagsMode
		flags    store.Flags
		keywords string
	}
	sets := make(map[key]*store.SetFlags)
	var order []*store.SetFlags
	set := func(uid store.UID, mode store.FlagsMode, flags store.Flags, keywords []string) {
		keywords = slices.DeleteFunc(slices.Clone(keywords), func(k string) bool { return !store.ValidKeyword(k) })
		if flags == 0 && len(keywords) == 0 {
			return
		}
		k := key{mode, flags, strings.Join(keywords, " ")}
		if sets[k] == nil {
			sets[k] = &store.SetFlags{Mailbox: w.id, Mode: mode, Flags: flags, Keywords: keywords}
			order = append(order, sets[k])
		}
		sets[k].UIDs.Add(uid)
	}
	gone := store.Expunge{Mailbox: w.id}
	for i := range changes {
		c := &changes[i]
		uid, err := uidOf(c.Ref)
		if err != nil {
			return err
		}
		if c.Remove {
			gone.UIDs.Add(uid)
			continue
		}
		set(uid, store.FlagsAdd, c.Add, c.AddKeywords)
		set(uid, store.FlagsRemove, c.Clear, c.ClearKeywords)
	}
	var ops []store.Op
	for _, op := range order {
		ops = append(ops, *op)
	}
	if len(gone.UIDs) > 0 {
		ops = append(ops, gone)
	}
	_, err := w.x.keeper.apply(ctx, ops, notes)
	return err
}

// Resolve finds messages by their EmailIDs; each is found once.
func (w *writer) Resolve(ctx context.Context, refs []string) ([]string, error) {
	want := make(map[string][]int)
	for i, ref := range refs {
		want[ref] = append(want[ref], i)
	}
	out := make([]string, len(refs))
	for m, err := range w.x.a.Messages(ctx, w.id, store.Query{Fields: store.FieldIDs}) {
		if err != nil {
			return nil, answer(err)
		}
		ref := provisional + m.EmailID.String()
		if list := want[ref]; len(list) > 0 {
			out[list[0]], want[ref] = migrate.UIDString(m.UID), list[1:]
		}
	}
	return out, nil
}
