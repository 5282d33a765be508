package encrypt

import (
	"context"
	"crypto/cipher"
	"errors"
	"iter"

	"github.com/mailstead/mailstead/store"
)

// Messages implements store.Account. A message whose key or fields cannot be
// decrypted is listed, without Key, Prefix and Meta: what it has of state
// counts, and other messages are none the worse for it. Whoever opens its
// octets gets the error.
func (a *account) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	return a.openMessages(ctx, id, q, a.Account.Messages)
}

// lister is Account.Messages or Snapshot.Messages.
type lister = func(context.Context, store.MailboxID, store.Query) iter.Seq2[*store.Message, error]

func (a *account) openMessages(ctx context.Context, id store.MailboxID, q store.Query, list lister) iter.Seq2[*store.Message, error] {
	want := q.Fields
	if want&(store.FieldContent|store.FieldMeta) == 0 {
		return list(ctx, id, q)
	}
	q.Fields |= store.FieldContent | store.FieldIDs
	return func(yield func(*store.Message, error) bool) {
		o := opener{account: a, box: id}
		defer o.report(ctx)
		var out store.Message
		for m, err := range list(ctx, id, q) {
			if err != nil {
				yield(nil, err)
				return
			}
			out = *m
			if !out.Gone {
				o.open(ctx, &out, want)
			}
			if !yield(&out, nil) {
				return
			}
		}
	}
}

// opener decrypts the messages of one listing.
type opener struct {
	*account
	box     store.MailboxID
	damaged int
	first   error // of those that are damaged
}

func (o *opener) open(ctx context.Context, m *store.Message, want store.Fields) {
	err := o.openRow(ctx, m, want)
	if err != nil {
		m.Meta = nil
		if _, ok := errors.AsType[metaError](err); !ok {
			m.Key, m.Prefix = nil, nil
		}
		if o.damaged++; o.damaged == 1 {
			o.first = o.fail("messages", o.box, m.UID, err)
		}
	}
	if want&store.FieldContent == 0 {
		m.Blob, m.Key, m.Prefix = "", nil, nil
	}
	if want&store.FieldMeta == 0 {
		m.Meta = nil
	}
}

// report logs what was damaged, once a listing.
func (o *opener) report(ctx context.Context) {
	if o.damaged > 0 {
		o.s.log.WarnContext(ctx, "messages cannot be decrypted", "account", string(o.id), "mailbox", o.box.String(),
			"messages", o.damaged, "first", o.first)
	}
}

// openRow decrypts the fields of a message that are wanted.
func (a *account) openRow(ctx context.Context, m *store.Message, want store.Fields) error {
	if len(m.Key) == 0 {
		if !a.s.plain {
			return ErrPlain
		}
		return nil
	}
	w, err := a.rowWrapped(m)
	if err != nil || w.scope == "" {
		return err
	}
	seal := m.Key[w.size:]
	m.Key = m.Key[:w.size:w.size]
	prefix := want&store.FieldContent != 0 && len(m.Prefix)+len(seal) > 0
	meta := want&store.FieldMeta != 0 && len(m.Meta) > 0
	if !prefix && !meta {
		return nil
	}
	aead, err := a.rowKey(ctx, &w, m)
	if err != nil {
		return err
	}
	id := rowID{a.id, m.EmailID, m.Blob}
	if prefix {
		if m.Prefix, err = id.openPrefix(aead, m.Prefix, seal); err != nil {
			return err
		}
	}
	if meta {
		if m.Meta, err = id.openMeta(aead, m.Meta); err != nil {
			return metaError{err}
		}
	}
	return nil
}

// metaError: only the Meta is damaged, which can be computed again.
type metaError struct{ error }

func (e metaError) Unwrap() error { return e.error }

// rowWrapped reads the key of a row. That of another account is no key here,
// or else whoever writes to the store below could move mail between accounts.
// That of the queue is from before: only the body of its row is encrypted.
func (a *account) rowWrapped(m *store.Message) (wrapped, error) {
	w, err := consumeKey(m.Key)
	switch {
	case err != nil, w.scope == string(a.id), w.scope == "" && a.s.plain:
		return w, err
	case w.scope == "":
		return w, ErrPlain
	}
	return w, corrupt("the key is that of another account")
}

func (a *account) rowKey(ctx context.Context, w *wrapped, m *store.Message) (cipher.AEAD, error) {
	data, err := a.s.keys.unwrap(ctx, w, a.s.inner(m.Blob))
	if err != nil {
		return nil, err
	}
	return data.row()
}
