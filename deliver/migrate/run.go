package migrate

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Run migrates from src to dst what earlier runs have not. The Report is never
// nil. The error is nil only when all that was to be migrated is in the target,
// durably: ErrLoss and ErrDiffers say that the Report has more. Whatever ends a
// run, the next one with the same Job goes on, loses nothing and doubles nothing.
func Run(ctx context.Context, src Source, dst Target, o Options) (*Report, error) {
	start := time.Now()
	r, err := newRun(src, dst, o)
	if err != nil {
		return &r.report, err
	}
	err = r.locked(ctx, r.migrate)
	r.report.Took = time.Since(start)
	r.tell(Event{Kind: Finished, Err: err})
	return &r.report, err
}

// Verify compares dst with src and with what the runs of the Job have copied, and
// changes nothing. Options.Verify zero means VerifyBodies.
func Verify(ctx context.Context, src Source, dst Target, o Options) (*Report, error) {
	start := time.Now()
	if o.Verify == VerifyNone {
		o.Verify = VerifyBodies
	}
	o.DryRun = true
	r, err := newRun(src, dst, o)
	if err != nil {
		return &r.report, err
	}
	err = r.locked(ctx, func(ctx context.Context) error {
		if err := r.plan(ctx); err != nil {
			return err
		}
		r.tell(Event{Kind: Started})
		return cmp.Or(r.verify(ctx), r.report.Err())
	})
	r.report.Took = time.Since(start)
	r.tell(Event{Kind: Finished, Err: err})
	return &r.report, err
}

// run is one Run or Verify.
type run struct {
	src  Source
	dst  Target
	o    Options
	keep Keeper
	log  *slog.Logger

	boxes    []*box
	messages pace
	octets   pace
	spent    atomic.Int64 // octets that were copied, or are about to be
	views    viewPrints
	there    []Mailbox       // in the target, when the run began
	roster   map[string]bool // hashes of the keys of mailboxes that were enrolled
	missing  []enrolled      // that the source has no more

	mu     sync.Mutex // guards what follows, and the order of events
	report Report
	names  *placer
}

func newRun(src Source, dst Target, o Options) (*run, error) {
	o.defaults(src)
	r := &run{src: src, dst: dst, o: o, keep: dst.Keeper(), log: o.Log}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.keep == nil {
		r.keep = o.State
	}
	r.messages.rate, r.octets.rate = o.PerSecond, float64(o.BytesPerSecond)
	if r.keep == nil {
		return r, ErrNoKeeper
	}
	return r, nil
}

func (o *Options) defaults(src Source) {
	if o.Job == "" {
		o.Job = src.Name()
	}
	o.Parallel = max(1, or(o.Parallel, 4))
	o.Attempts = max(1, or(o.Attempts, 5))
	o.Backoff = or(o.Backoff, 2*time.Second)
	o.BatchMessages = min(max(1, or(o.BatchMessages, 200)), 5000)
	o.BatchBytes = max(1, or(o.BatchBytes, 16<<20))
}

func or[T comparable](v, otherwise T) T { return cmp.Or(v, otherwise) }

// locked does the work while no other run of the job is at it. A run that writes
// nothing needs no lock.
func (r *run) locked(ctx context.Context, work func(context.Context) error) error {
	if r.o.DryRun {
		return work(ctx)
	}
	release, err := r.keep.Acquire(ctx, r.o.Job)
	if err != nil {
		return err
	}
	return errors.Join(work(ctx), release())
}

func (r *run) migrate(ctx context.Context) error {
	if err := r.plan(ctx); err != nil {
		return err
	}
	r.tell(Event{Kind: Started})
	if err := r.copyAll(ctx); err != nil {
		return err
	}
	if r.report.Err() == nil && !r.o.DryRun {
		if err := r.goneBoxes(ctx, r.there); err != nil {
			return err
		}
	}
	if r.o.Verify != VerifyNone && !r.o.DryRun {
		if err := r.verify(ctx); err != nil {
			return err
		}
	}
	if err := r.report.Err(); err != nil {
		return err
	}
	if r.o.Final && !r.o.DryRun {
		return r.dst.Finish(ctx)
	}
	return nil
}

// copyAll migrates the mailboxes, several at a time, then the views, which need to
// know what the others have.
func (r *run) copyAll(ctx context.Context) error {
	first := slices.IndexFunc(r.boxes, func(b *box) bool { return b.view })
	if first < 0 {
		first = len(r.boxes)
	}
	if err := r.each(ctx, r.boxes[:first], (*box).migrate); err != nil || first == len(r.boxes) {
		return err
	}
	if err := r.views.load(ctx, r.boxes[:first]); err != nil {
		return err
	}
	for _, b := range r.boxes[first:] {
		if err := r.each(ctx, []*box{b}, (*box).migrate); err != nil {
			return err
		}
		if err := r.views.load(ctx, []*box{b}); err != nil {
			return err
		}
	}
	return nil
}

// each does work on mailboxes, several at a time. An error ends them all; what
// concerns one mailbox alone is in its report.
func (r *run) each(ctx context.Context, boxes []*box, work func(*box, context.Context) error) error {
	n := min(r.o.Parallel, len(boxes))
	for _, most := range [...]int{r.src.MaxOpen(), r.dst.MaxOpen()} {
		if most > 0 {
			n = min(n, most)
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(boxes) {
					return
				}
				if err := work(boxes[i], ctx); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// tell passes an event on, with the totals of the run unless it has some.
func (r *run) tell(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tellLocked(e)
}

func (r *run) tellLocked(e Event) {
	if r.o.Progress == nil {
		return
	}
	if e.Kind != Begun && e.Kind != Ended && e.Kind != WentAway {
		e.Totals = r.report.Totals
	}
	e.Expected = r.report.Expected
	r.o.Progress(e)
}

// fatal reports whether an error of one mailbox ends the run.
func fatal(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return true
	}
	for _, e := range [...]error{ErrLogin, ErrLimit, ErrBusy, ErrState, ErrNoKeeper} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
