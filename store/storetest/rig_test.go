package storetest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/memstore"
)

// rig is a sound store with all that a Config can declare: a memstore with a
// Searcher, a Sorter, and storage that fails on demand.
type rig struct {
	*memstore.Store
	mu    sync.Mutex
	fault Fault
}

func newRig(t *testing.T) *rig { return &rig{Store: newMemstore(t)} }

func (r *rig) setFault(f Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = f
}

// failing is the error of what has to be written.
func (r *rig) failing() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch r.fault {
	case FaultNoSpace:
		return syscall.ENOSPC
	case FaultSync:
		return syscall.EIO
	}
	return nil
}

func (r *rig) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := r.Store.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	return &rigAccount{a, r}, nil
}

func (r *rig) Create(ctx context.Context, id store.AccountID, info store.AccountInfo) error {
	if err := r.failing(); err != nil {
		return err
	}
	return r.Store.Create(ctx, id, info)
}

func (r *rig) Blobs() blob.Blobs { return rigBlobs{r.Store.Blobs(), r} }

type rigBlobs struct {
	blob.Blobs
	r *rig
}

func (b rigBlobs) Create(ctx context.Context, size int64) (blob.Writer, error) {
	w, err := b.Blobs.Create(ctx, size)
	return rigWriter{w, b.r}, err
}

type rigWriter struct {
	blob.Writer
	r *rig
}

func (w rigWriter) Commit(ctx context.Context) (blob.Ref, error) {
	if err := w.r.failing(); err != nil {
		return "", err
	}
	return w.Writer.Commit(ctx)
}

type rigAccount struct {
	store.Account
	r *rig
}

func (a *rigAccount) Apply(ctx context.Context, c store.Change) (store.Result, error) {
	if err := a.r.failing(); err != nil {
		return store.Result{}, err
	}
	return a.Account.Apply(ctx, c)
}

// As serves Searcher and Sorter itself, and the rest from the memstore.
func (a *rigAccount) As(target any) bool {
	switch t := target.(type) {
	case *store.Searcher:
		*t = a
		return true
	case *store.Sorter:
		*t = a
		return true
	}
	return forward(a.Account, target)
}

// forward finds any of the optional capabilities.
func forward(a any, target any) (ok bool) {
	switch t := target.(type) {
	case *store.Searcher:
		*t, ok = store.As[store.Searcher](a)
	case *store.Sorter:
		*t, ok = store.As[store.Sorter](a)
	case *store.MaildropLocker:
		*t, ok = store.As[store.MaildropLocker](a)
	case *store.MetaWriter:
		*t, ok = store.As[store.MetaWriter](a)
	case *store.Snapshotter:
		*t, ok = store.As[store.Snapshotter](a)
	case *store.Holder:
		*t, ok = store.As[store.Holder](a)
	case *store.KeyWriter:
		*t, ok = store.As[store.KeyWriter](a)
	}
	return ok
}

// SearchText looks into the octets, and says of texts of less than four
// letters that it cannot tell, as an index of words does.
func (a *rigAccount) SearchText(ctx context.Context, q store.SearchQuery) (h store.SearchHits, err error) {
	for m, err := range a.Messages(ctx, q.Mailbox, store.Query{UIDs: q.UIDs}) {
		if err != nil {
			return h, err
		}
		if len(q.Text) < 4 {
			h.Unknown.Add(m.UID)
			continue
		}
		c, err := a.Content(ctx, q.Mailbox, m.UID)
		if err != nil {
			return h, err
		}
		b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
		if err = errors.Join(err, c.Close()); err != nil {
			return h, err
		}
		header, body, _ := strings.Cut(string(b), "\r\n\r\n")
		text := [...]string{header + "\r\n" + body, header, body}[q.In]
		if strings.Contains(strings.ToLower(text), strings.ToLower(q.Text)) {
			h.Match.Add(m.UID)
		}
	}
	return h, nil
}

func (a *rigAccount) SortMessages(ctx context.Context, q store.SortQuery) ([]store.UID, error) {
	q.Max = -1
	uids, err := store.Sort(ctx, withoutIndex{a.Account}, q)
	return slices.Clip(uids), err
}
