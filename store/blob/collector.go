package blob

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// DefaultMinAge is the MinAge of a Collector that names none.
const DefaultMinAge = 24 * time.Hour

// defaultBatch bounds the Refs that a holder is asked about at once.
const defaultBatch = 1000

// ErrNoHolders: a Collector without holders would delete every blob.
var ErrNoHolders = errors.New("blob: collector without holders")

// Collector deletes the blobs that nobody holds (see "Blob life" in the
// package comment). Its fields are not changed while Collect runs.
type Collector struct {
	// Blobs is collected. Required.
	Blobs Blobs

	// Holders are all that may hold a Ref of Blobs: every store, queue,
	// backup and legal hold. Leaving one out loses its mail. At least one.
	Holders []Holder

	// MinAge spares younger blobs. Zero means DefaultMinAge; negative means
	// none, which is for tests only: between a Commit and the commit of its
	// row nothing but the age protects a blob.
	MinAge time.Duration

	// Batch is how many Refs a holder is asked about at once. Zero or less
	// means 1000.
	Batch int

	// Logger hears of batches that were kept because of an error. Nil means
	// slog.Default().
	Logger *slog.Logger
}

// Stats tells what one Collect did, in blobs and octets.
type Stats struct {
	Seen       int64 // listed
	Candidates int64 // of those, older than MinAge
	Held       int64 // of the candidates, held by somebody
	Skipped    int64 // of the candidates, kept because a holder or Delete failed
	Deleted    int64 // of the candidates
	Bytes      int64 // in the deleted ones
}

// Collect makes one pass over all blobs. A batch for which any holder fails
// is kept whole, and the pass goes on; the error joins all failures. A
// cancelled ctx ends the pass between batches. Several Collects may run at
// once, also on several nodes, to no use and no harm.
func (c *Collector) Collect(ctx context.Context) (Stats, error) {
	if len(c.Holders) == 0 {
		return Stats{}, ErrNoHolders
	}
	p := pass{c: c, before: time.Now().Add(-c.minAge())}
	size := c.Batch
	if size <= 0 {
		size = defaultBatch
	}
	for info, err := range c.Blobs.List(ctx, "") {
		if err != nil {
			p.fail("list", err)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		p.stats.Seen++
		if !info.Created.Before(p.before) {
			continue
		}
		p.batch = append(p.batch, info)
		if len(p.batch) >= size && !p.flush(ctx) {
			break
		}
	}
	p.flush(ctx)
	return p.stats, errors.Join(p.errs...)
}

func (c *Collector) minAge() time.Duration {
	switch {
	case c.MinAge == 0:
		return DefaultMinAge
	case c.MinAge < 0:
		return -2 * time.Second // Created is rounded up
	}
	return c.MinAge
}

// pass is the state of one Collect.
type pass struct {
	c      *Collector
	before time.Time // candidates were created before
	batch  []Info
	stats  Stats
	errs   []error
}

// fail keeps the first few errors; thousands of batches that fail for one
// reason are one reason.
func (p *pass) fail(what string, err error) {
	logger := p.c.Logger
	if logger == nil {
		logger = slog.Default()
	}
	logger.Warn("blob collection: kept a batch", "step", what, "error", err)
	if len(p.errs) < 10 {
		p.errs = append(p.errs, fmt.Errorf("blob: collect: %s: %w", what, err))
	}
}

// flush judges and empties the batch. It reports whether to go on.
func (p *pass) flush(ctx context.Context) bool {
	batch := p.batch
	p.batch = p.batch[:0]
	if len(batch) == 0 {
		return true
	}
	p.stats.Candidates += int64(len(batch))
	if err := ctx.Err(); err != nil {
		p.stats.Skipped += int64(len(batch))
		p.fail("cancelled", err)
		return false
	}
	free, err := p.free(ctx, batch)
	if err == nil && len(free) > 0 {
		free, err = p.delete(ctx, free)
	}
	if err != nil {
		p.stats.Skipped += int64(len(batch))
		p.fail("batch", err)
		return true
	}
	p.stats.Held += int64(len(batch) - len(free))
	p.stats.Deleted += int64(len(free))
	for _, info := range free {
		p.stats.Bytes += info.Size
	}
	return true
}

// delete takes away what nobody holds, and returns what is gone. Where the
// Blobs is a Condemner it asks the holders once more, behind the mark.
func (p *pass) delete(ctx context.Context, free []Info) ([]Info, error) {
	c, ok := As[Condemner](p.c.Blobs)
	if !ok {
		return free, p.c.Blobs.Delete(ctx, refsOf(free)...)
	}
	marked, err := c.Condemn(ctx, refsOf(free)...)
	if err != nil {
		return nil, err
	}
	if free, err = p.free(ctx, free); err != nil || len(free) == 0 {
		return nil, err
	}
	gone, err := marked.Delete(ctx, refsOf(free)...)
	if err != nil {
		return nil, err
	}
	deleted := make(map[Ref]bool, len(gone))
	for _, ref := range gone {
		deleted[ref] = true
	}
	return slices.DeleteFunc(free, func(info Info) bool { return !deleted[info.Ref] }), nil
}

func refsOf(infos []Info) []Ref {
	refs := make([]Ref, len(infos))
	for i, info := range infos {
		refs[i] = info.Ref
	}
	return refs
}

// free asks every holder and returns what none of them holds.
func (p *pass) free(ctx context.Context, batch []Info) (free []Info, err error) {
	ask := refsOf(batch)
	held := make(map[Ref]bool)
	for i, h := range p.c.Holders {
		refs, err := h.Holds(ctx, ask)
		if err != nil {
			return nil, fmt.Errorf("holder %d of %d: %w", i+1, len(p.c.Holders), err)
		}
		for _, ref := range refs {
			held[ref] = true
		}
	}
	for _, info := range batch {
		if !held[info.Ref] {
			free = append(free, info)
		}
	}
	return free, nil
}
