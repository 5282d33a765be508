package filetree

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/internal/vfs"
)

// syncs is how many files of a batch are synced at a time.
const syncs = 32

// Batch gathers files that become visible together: most of a migrate.Writer. It
// is used by one goroutine.
type Batch struct {
	Tree *Tree
	Name string // see EntryName

	steps []Step
	refs  []migrate.Placed
	wg    sync.WaitGroup
	room  chan struct{}

	mu  sync.Mutex
	err error // of a sync
}

// EntryName names the journal entry of a mailbox that has a name of any kind.
func EntryName(mailbox string) string {
	sum := sha256.Sum256([]byte(mailbox))
	return hex.EncodeToString(sum[:])
}

// Put takes a file of tmp/, gives it a time, syncs and closes it. A zero time
// leaves it as it is.
func (b *Batch) Put(f vfs.File, at time.Time, s Step, placed migrate.Placed) {
	b.refs = append(b.refs, placed)
	if b.room == nil {
		b.room = make(chan struct{}, syncs)
	}
	b.steps = append(b.steps, s)
	b.room <- struct{}{}
	b.wg.Go(func() {
		defer func() { <-b.room }()
		var err error
		if !at.IsZero() {
			err = b.Tree.SetTime(s.Temp, at)
		}
		err = errors.Join(err, f.Sync(), f.Close())
		if err != nil {
			b.mu.Lock()
			b.err = errors.Join(b.err, err)
			b.mu.Unlock()
		}
	})
}

// Commit makes the files visible and writes the notes, as a whole.
func (b *Batch) Commit(ctx context.Context, notes []migrate.Note) ([]migrate.Placed, error) {
	b.wg.Wait()
	if err := b.err; err != nil {
		b.Discard()
		return nil, Answer(err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	steps := b.steps
	b.steps = nil // from here on the files are the Tree's
	if err := b.Tree.Commit(ctx, b.Name, steps, notes); err != nil {
		return nil, Answer(err)
	}
	placed := slices.Clone(b.refs)
	b.refs = b.refs[:0]
	return placed, nil
}

// Atomic is true: see the package.
func (b *Batch) Atomic() bool { return true }

// Resolve returns refs as they are: those of Add are final.
func (b *Batch) Resolve(_ context.Context, refs []string) ([]string, error) { return refs, nil }

// Discard removes the files.
func (b *Batch) Discard() {
	b.wg.Wait()
	for _, s := range b.steps {
		b.Tree.Drop(s.Temp)
	}
	b.steps, b.refs, b.err = b.steps[:0], b.refs[:0], nil
}
