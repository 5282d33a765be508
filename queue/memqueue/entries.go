package memqueue

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/mailstead/mailstead/queue"
)

type entryName struct{ kind, key string }

// PutEntries implements queue.Storage.
func (s *Storage) PutEntries(ctx context.Context, entries ...queue.Entry) error {
	if err := cmp.Or(ctx.Err(), queue.CheckEntries(entries)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeLocked(entries)
	return nil
}

func (s *Storage) writeLocked(entries []queue.Entry) {
	if len(entries) == 0 {
		return
	}
	now := time.Now()
	maps.DeleteFunc(s.entries, func(_ entryName, e queue.Entry) bool { return e.Expired(now) })
	if s.entries == nil {
		s.entries = make(map[entryName]queue.Entry)
	}
	for _, e := range entries {
		name := entryName{e.Kind, e.Key}
		if e.Remove {
			delete(s.entries, name)
			continue
		}
		e.Value = slices.Clone(e.Value)
		e.Count += s.entries[name].Count
		s.entries[name] = e
	}
}

// Entries implements queue.Storage.
func (s *Storage) Entries(ctx context.Context, f queue.EntryFilter) iter.Seq2[*queue.Entry, error] {
	return func(yield func(*queue.Entry, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(nil, err)
			return
		}
		for _, e := range s.selectEntries(&f) {
			if !yield(&e, nil) {
				return
			}
		}
	}
}

// selectEntries are copies of the entries that f selects.
func (s *Storage) selectEntries(f *queue.EntryFilter) (out []queue.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, e := range s.entries {
		if f.Match(&e) && !e.Expired(now) {
			e.Value = slices.Clone(e.Value)
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b queue.Entry) int { return cmp.Compare(a.Key, b.Key) })
	if f.Limit > 0 && len(out) > f.Limit {
		out = out[:f.Limit]
	}
	return out
}
