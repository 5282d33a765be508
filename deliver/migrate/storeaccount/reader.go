package storeaccount

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/store"
)

// reader reads one mailbox.
type reader struct {
	x  *Account
	id store.MailboxID
}

// Open prepares a mailbox for reading.
func (x *Account) Open(_ context.Context, m *migrate.Mailbox) (migrate.Reader, error) {
	id, err := idOf(m)
	if err != nil {
		return nil, err
	}
	return &reader{x, id}, nil
}

// Close does nothing.
func (r *reader) Close() error { return nil }

// List yields the messages by UID.
func (r *reader) List(ctx context.Context, prints bool) iter.Seq2[*migrate.Message, error] {
	return func(yield func(*migrate.Message, error) bool) {
		q := store.Query{Fields: store.FieldDates | store.FieldIDs}
		if prints {
			q.Fields |= store.FieldContent
		}
		for m, err := range r.x.a.Messages(ctx, r.id, q) {
			if err != nil {
				yield(nil, answer(err))
				return
			}
			x := &migrate.Message{
				ID: migrate.UIDString(m.UID), UID: m.UID, Flags: m.Flags, Keywords: slices.Clone(m.Keywords),
				Received: m.Received, Saved: m.Saved, Size: m.Size, EmailID: m.EmailID,
			}
			if prints {
				if x.Print, err = r.print(ctx, m); err != nil {
					yield(nil, answer(err))
					return
				}
			}
			if !yield(x, nil) {
				return
			}
		}
	}
}

// print is zero for a message that cannot be read.
func (r *reader) print(ctx context.Context, m *store.Message) (migrate.Print, error) {
	c, err := store.OpenContent(ctx, r.x.a, r.id, m)
	if err != nil {
		return 0, broken(err)
	}
	defer c.Close()
	head, err := migrate.ReadHeader(io.NewSectionReader(c, 0, c.Size()))
	if err != nil {
		return 0, broken(err)
	}
	return migrate.MakePrint(head, m.Size, m.Received), nil
}

// broken drops an error that is one message's alone.
func broken(err error) error {
	if err = answer(err); errors.Is(err, migrate.ErrBroken) || errors.Is(err, migrate.ErrGone) {
		return nil
	}
	return err
}

// Fetch yields bodies; what went meanwhile is left out.
func (r *reader) Fetch(ctx context.Context, ms []*migrate.Message) iter.Seq2[*migrate.Body, error] {
	return func(yield func(*migrate.Body, error) bool) {
		var uids store.UIDSet
		for _, m := range ms {
			uids.Add(m.UID)
		}
		if len(uids) == 0 {
			return
		}
		for m, err := range r.x.a.Messages(ctx, r.id, store.Query{UIDs: uids, Fields: store.FieldContent}) {
			if err != nil {
				yield(nil, answer(err))
				return
			}
			if !r.body(ctx, m, yield) {
				return
			}
		}
	}
}

func (r *reader) body(ctx context.Context, m *store.Message, yield func(*migrate.Body, error) bool) bool {
	b := &migrate.Body{ID: migrate.UIDString(m.UID)}
	c, err := store.OpenContent(ctx, r.x.a, r.id, m)
	if err != nil {
		b.Err = answer(err)
		return yield(b, nil)
	}
	defer c.Close()
	b.Reader = &answering{io.NewSectionReader(c, 0, c.Size())}
	return yield(b, nil)
}

// answering gives errors of the store their name.
type answering struct{ r io.Reader }

// Read implements io.Reader.
func (r *answering) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		err = answer(err)
	}
	return n, err
}

// uidOf is the UID of a ref.
func uidOf(ref string) (store.UID, error) {
	n, err := strconv.ParseUint(ref, 10, 32)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%w: %q is no UID", migrate.ErrState, ref)
	}
	return store.UID(n), nil
}
