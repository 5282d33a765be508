package queuetest

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/mailstead/mailstead/queue"
)

func (b *broken) PutEntries(ctx context.Context, entries ...queue.Entry) error {
	if b.putEntries != nil {
		return b.putEntries(ctx, entries...)
	}
	return b.Storage.PutEntries(ctx, entries...)
}

func (b *broken) Entries(ctx context.Context, f queue.EntryFilter) iter.Seq2[*queue.Entry, error] {
	if b.entries != nil {
		return b.entries(ctx, f)
	}
	return b.Storage.Entries(ctx, f)
}

// reads changes the filter of Entries, and what it yields; drop leaves it out.
func reads(filter func(*queue.EntryFilter), each func(*queue.Entry) (drop bool)) func(*broken) {
	return func(b *broken) {
		b.entries = func(ctx context.Context, f queue.EntryFilter) iter.Seq2[*queue.Entry, error] {
			if filter != nil {
				filter(&f)
			}
			return func(yield func(*queue.Entry, error) bool) {
				for e, err := range b.Storage.Entries(ctx, f) {
					if e != nil && each != nil && each(e) {
						continue
					}
					if !yield(e, err) {
						return
					}
				}
			}
		}
	}
}

// writes changes what PutEntries writes.
func writes(each func(*broken, context.Context, []queue.Entry) []queue.Entry) func(*broken) {
	return func(b *broken) {
		b.putEntries = func(ctx context.Context, entries ...queue.Entry) error {
			return b.Storage.PutEntries(ctx, each(b, ctx, slices.Clone(entries))...)
		}
	}
}

// entryFaults: what a Storage does wrong with its entries.
func entryFaults() []fault {
	return []fault{
		{name: "an entry keeps only so much of its value", caught: "Entries/keep every field", seed: reads(nil, func(e *queue.Entry) bool {
			e.Value = e.Value[:min(len(e.Value), 1000)]
			return false
		})},
		{name: "entries are shared", caught: "Entries/are the caller's own", seed: func(b *broken) {
			values := make(map[string][]byte)
			reads(nil, func(e *queue.Entry) bool {
				if string(e.Value) == "value" {
					if values[e.Key] == nil {
						values[e.Key] = e.Value
					}
					e.Value = values[e.Key]
				}
				return false
			})(b)
		}},
		{name: "the prefix ends at its last octet", caught: "Entries/by kind and prefix, in order", seed: reads(nil, func(e *queue.Entry) bool { return e.Key == "\xff\xff" })},
		{name: "a page of entries begins one too late", caught: "Entries/in pages", seed: reads(func(f *queue.EntryFilter) {
			if f.After == "x299" {
				f.After = "x300"
			}
		}, nil)},
		{name: "only the first keys are looked for", caught: "Entries/many keys", seed: reads(func(f *queue.EntryFilter) {
			f.Keys = f.Keys[:min(len(f.Keys), 32)]
		}, nil)},
		{name: "the latest count wins", caught: "Entries/Count adds up", seed: writes(func(_ *broken, _ context.Context, es []queue.Entry) []queue.Entry {
			if es[0].Kind == "n" {
				return slices.Insert(es, 0, queue.Entry{Kind: "n", Key: "k", Remove: true})
			}
			return es
		})},
		{name: "what was removed still counts", caught: "Entries/Remove begins anew", seed: writes(func(b *broken, ctx context.Context, es []queue.Entry) []queue.Entry {
			if len(es) == 2 && es[0].Remove && es[1].Key == es[0].Key {
				return es[1:]
			}
			return es
		})},
		{name: "entries are written up to the bad one", caught: "Entries/all or none", seed: func(b *broken) {
			b.putEntries = func(ctx context.Context, entries ...queue.Entry) error {
				for i := range entries {
					if queue.CheckEntries(entries[:i+1]) != nil {
						b.Storage.PutEntries(ctx, entries[:i]...)
					}
				}
				return b.Storage.PutEntries(ctx, entries...)
			}
		}},
		{name: "PutEntries does not look at the context", caught: "Entries/cancelled writes none", seed: func(b *broken) {
			b.putEntries = func(ctx context.Context, entries ...queue.Entry) error {
				err := b.Storage.PutEntries(context.WithoutCancel(ctx), entries...)
				if err == nil {
					err = ctx.Err()
				}
				return err
			}
		}},
		{name: "entries never expire", caught: "Entries/gone when they expire", seed: writes(func(_ *broken, _ context.Context, es []queue.Entry) []queue.Entry {
			for i := range es {
				if !es[i].Expires.After(time.Now()) {
					es[i].Expires = time.Time{}
				}
			}
			return es
		})},
		{name: "entries only with what is finished", caught: "Entries/with an outcome", seed: outcomes(func(o *queue.Outcome) {
			if len(o.Remaining) > 0 {
				o.Entries = nil
			}
		})},
		{name: "entries of a void outcome are written", caught: "Entries/not with a void outcome", seed: func(b *broken) {
			b.settle = func(ctx context.Context, out []queue.Outcome) error {
				err := b.Storage.Settle(ctx, out)
				if err != nil && len(out[0].Entries) > 0 {
					b.Storage.PutEntries(ctx, out[0].Entries...)
				}
				return err
			}
		}},
		{name: "entries of a job that is left out", caught: "Entries/with a job, if it is put", seed: func(b *broken) {
			b.put = func(ctx context.Context, jobs ...queue.Job) error {
				err := b.Storage.Put(ctx, jobs...)
				for i := range jobs {
					if err == nil && jobs[i].Once != "" && len(jobs[i].Entries) > 0 {
						b.Storage.PutEntries(ctx, jobs[i].Entries...)
					}
				}
				return err
			}
		}},
		{name: "a restart forgets entries of jobs", caught: "Entries/survive", seed: reads(nil, func(e *queue.Entry) bool { return e.Key == "j" })},
	}
}

// outcomes changes what is settled.
func outcomes(each func(*queue.Outcome)) func(*broken) {
	return func(b *broken) {
		b.settle = func(ctx context.Context, out []queue.Outcome) error {
			out = slices.Clone(out)
			for i := range out {
				each(&out[i])
			}
			return b.Storage.Settle(ctx, out)
		}
	}
}
