package encrypt

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// Store is a store.Store that encrypts what it writes to another one. Its
// methods may be called from any number of goroutines.
type Store struct {
	store.Store
	keys  *keys
	plain bool
	log   *slog.Logger
}

var _ store.Store = (*Store)(nil)

// New encrypts the rows of s, whose Blobs encrypt the bodies: Blobs of this
// package with the same ring, or compress.Blobs above them. Closing it closes
// s.
func New(s store.Store, ring KeyRing, o Options) (*Store, error) {
	if s == nil || ring == nil {
		return nil, errors.New("encrypt: a Store and a KeyRing are needed")
	}
	if _, ok := s.Blobs().(blob.Keyed); !ok {
		return nil, errors.New("encrypt: the bodies of this store are not encrypted: open it over NewBlobs")
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Store{Store: s, keys: &keys{ring: ring}, plain: o.AllowPlain, log: o.Logger}, nil
}

// As finds no capability: those of a store are its accounts' (see store.As).
func (s *Store) As(any) bool { return false }

// Open implements store.Store.
func (s *Store) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.open(ctx, id)
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (s *Store) open(ctx context.Context, id store.AccountID) (*account, error) {
	a, err := s.Store.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	return &account{a, s, id}, nil
}

// inner is the Ref under which the encrypted octets of a body lie, to which
// its key is bound.
func (s *Store) inner(ref blob.Ref) blob.Ref {
	b := s.Blobs()
	for {
		w, ok := b.(blob.Wrapper)
		if !ok {
			return ref
		}
		below, next, err := w.Below(ref)
		if err != nil {
			return ref
		}
		b, ref = below, next
	}
}

// account encrypts what goes into an account.
type account struct {
	store.Account
	s  *Store
	id store.AccountID
}

// As lets through what has nothing to do with octets, and serves itself what
// has. A search index or an order made below would be one of ciphertext; the
// keys below are this package's own.
func (a *account) As(target any) (ok bool) {
	switch t := target.(type) {
	case *store.MaildropLocker:
		*t, ok = store.As[store.MaildropLocker](a.Account)
	case *store.Holder:
		*t, ok = store.As[store.Holder](a.Account)
	case *store.MetaWriter:
		if _, ok = store.As[store.MetaWriter](a.Account); ok {
			*t = a
		}
	case *store.Snapshotter:
		if _, ok = store.As[store.Snapshotter](a.Account); ok {
			*t = a
		}
	case *store.ContentOpener:
		*t, ok = a, true
	}
	return ok
}

// fail says where an error was met.
func (a *account) fail(op string, box store.MailboxID, uid store.UID, err error) error {
	if errors.Is(err, blob.ErrCorrupt) && !errors.Is(err, store.ErrCorrupt) {
		err = fmt.Errorf("%w: %w", store.ErrCorrupt, err)
	}
	if errors.Is(err, blob.ErrVersion) && !errors.Is(err, store.ErrVersion) {
		err = fmt.Errorf("%w: %w", store.ErrVersion, err)
	}
	e := &store.Error{Op: op, Account: a.id, UID: uid, Err: err}
	if !box.IsZero() {
		e.Mailbox = box.String()
	}
	return e
}

// Apply implements store.Account.
func (a *account) Apply(ctx context.Context, c store.Change) (store.Result, error) {
	if err := c.Check(); err != nil {
		return store.Result{}, a.fail("apply", store.MailboxID{}, 0, err)
	}
	sealed := store.Change{Once: c.Once, Ops: make([]store.Op, len(c.Ops))}
	s := sealer{account: a}
	for i, op := range c.Ops {
		var err error
		if sealed.Ops[i], err = s.seal(ctx, op); err != nil {
			return store.Result{}, err
		}
	}
	return a.Account.Apply(ctx, sealed)
}

// Entries implements store.Account. After an entry that cannot be decrypted
// the sequence goes on, if the loop does.
func (a *account) Entries(ctx context.Context, q store.EntryQuery) iter.Seq2[store.Entry, error] {
	return a.openEntries(ctx, a.Account.Entries(ctx, q))
}

func (a *account) openEntries(ctx context.Context, list iter.Seq2[store.Entry, error]) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		for e, err := range list {
			if err == nil && !e.Gone {
				e.Value, err = a.openEntry(ctx, &e)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

func (a *account) openEntry(ctx context.Context, e *store.Entry) ([]byte, error) {
	value, err := a.s.keys.openEntry(ctx, entryOf{a.id, e.Mailbox, e.Key}, e.Value)
	if errors.Is(err, ErrPlain) && a.s.plain {
		return e.Value, nil
	}
	if err != nil {
		return nil, a.fail(fmt.Sprintf("entry %q", e.Key), e.Mailbox, 0, err)
	}
	return value, nil
}
