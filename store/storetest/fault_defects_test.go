package storetest

import (
	"context"
	"errors"
	"syscall"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// acknowledges says OK to a large Change with this key that failed so.
func acknowledges(errno error, key string) func() hooks {
	return applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
		r, err := b.Account.Apply(ctx, c)
		if op, ok := c.Ops[len(c.Ops)-1].(store.PutEntry); ok && op.Key == key && errors.Is(err, errno) {
			return store.Result{Ops: make([]store.OpResult, len(c.Ops))}, nil
		}
		return r, err
	})
}

type hastyBlobs struct {
	blob.Blobs
	errno error
}

func (b hastyBlobs) Create(ctx context.Context, size int64) (blob.Writer, error) {
	w, err := b.Blobs.Create(ctx, size)
	return hastyWriter{w, b.errno}, err
}

type hastyWriter struct {
	blob.Writer
	errno error
}

func (w hastyWriter) Commit(ctx context.Context) (blob.Ref, error) {
	ref, err := w.Writer.Commit(ctx)
	if errors.Is(err, w.errno) {
		return "lost", nil
	}
	return ref, err
}

func hasty(errno error) func() hooks {
	return always(hooks{blobs: func(b *broken) blob.Blobs { return hastyBlobs{b.Store.Blobs(), errno} }})
}

func faultDefects() []defect {
	return []defect{
		{"acknowledges what there is no space for", "FaultNoSpace", acknowledges(syscall.ENOSPC, "large")},
		{"acknowledges blobs that there is no space for", "FaultNoSpaceBlob", hasty(syscall.ENOSPC)},
		{"cannot be asked for holds without space", "FaultNoSpaceReads", always(hooks{holds: func(b *broken, ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
			if err := b.rig.failing(); err != nil {
				return nil, err
			}
			return b.Store.Holds(ctx, refs)
		}})},
		{"stays full when there is space again", "FaultNoSpaceHeals", applying(func(b *brokenAccount, ctx context.Context, c store.Change) (store.Result, error) {
			if op, ok := c.Ops[len(c.Ops)-1].(store.PutEntry); ok && op.Key == "largeheal" {
				return store.Result{}, syscall.ENOSPC
			}
			return b.Account.Apply(ctx, c)
		})},
		{"acknowledges accounts that there is no space for", "FaultNoSpaceCreate", always(hooks{create: func(b *broken, ctx context.Context, id store.AccountID, info store.AccountInfo) error {
			err := b.Store.Create(ctx, id, info)
			if errors.Is(err, syscall.ENOSPC) {
				return nil
			}
			return err
		}})},
		{"acknowledges what was not synced", "FaultSync", acknowledges(syscall.EIO, "largesync")},
		{"acknowledges blobs that were not synced", "FaultSyncBlob", hasty(syscall.EIO)},
		{"acknowledges what a crash takes back", "FaultSyncReopened", acknowledges(syscall.EIO, "large")},
		{"acknowledges a delivery that was not synced", "FaultSyncOnce", acknowledges(syscall.EIO, "largedelivery 1")},
	}
}
