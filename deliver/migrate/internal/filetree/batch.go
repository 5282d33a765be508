package filetree

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/internal/vfs"
)

// syncs is how many files of a batch are synced at a time.
const syncs = 32

// Batch gathers files that become visible together. It is used by one goroutine.
type Batch struct {
	Tree *Tree
	Name string // see EntryName

	steps []Step
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

// Add takes a file of tmp/, gives it a time, syncs and closes it. A zero time
// leaves it as it is.
func (b *Batch) Add(f vfs.File, at time.Time, s Step) {
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
func (b *Batch) Commit(ctx context.Context, notes []migrate.Note) error {
	b.wg.Wait()
	if err := b.err; err != nil {
		b.Discard()
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	steps := b.steps
	b.steps = nil // from here on the files are the Tree's
	return b.Tree.Commit(ctx, b.Name, steps, notes)
}

// Discard removes the files.
func (b *Batch) Discard() {
	b.wg.Wait()
	for _, s := range b.steps {
		b.Tree.Drop(s.Temp)
	}
	b.steps, b.err = b.steps[:0], nil
}
