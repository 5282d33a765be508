package sqlite_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
)

// someEntry is one of a few names, with something in it.
func someEntry(r *rand.Rand, now time.Time) queue.Entry {
	letters := []string{"a", "b", "\x00", "\xff", "é"}
	e := queue.Entry{Kind: []string{"k", "kk"}[r.IntN(2)], Count: int64(r.IntN(5)) - 2}
	for range 1 + r.IntN(3) {
		e.Key += letters[r.IntN(len(letters))]
	}
	switch r.IntN(5) {
	case 0:
		e.Remove = true
	case 1:
		e.Expires = now.Add(-time.Hour)
	case 2:
		e.Expires = now.Add(time.Hour)
	}
	if r.IntN(2) == 0 {
		e.Value = fmt.Append(nil, r.IntN(100))
	}
	return e
}

func someEntryFilter(r *rand.Rand, now time.Time) queue.EntryFilter {
	e := someEntry(r, now)
	f := queue.EntryFilter{Kind: e.Kind, Limit: r.IntN(4)}
	switch r.IntN(4) {
	case 0:
		f.Prefix = e.Key[:1]
	case 1:
		f.After = e.Key
	case 2:
		f.Prefix, f.After = e.Key[:1], someEntry(r, now).Key
	case 3:
		f.Keys = []string{e.Key, someEntry(r, now).Key, e.Key}
	}
	return f
}

func listEntries(t *testing.T, s queue.Storage, f queue.EntryFilter) (out []string) {
	t.Helper()
	for e, err := range s.Entries(t.Context(), f) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%q %q %q %d %v", e.Kind, e.Key, e.Value, e.Count, e.Expires.UnixNano()))
	}
	return out
}

// TestQueueEntriesMix: after any mix of writes the table says what one in memory
// does, also when it was opened again.
func TestQueueEntriesMix(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	now := time.Now().Truncate(time.Microsecond)
	q, model := openQueue(t, t.TempDir()), &memqueue.Storage{}
	for round := range 120 {
		var es []queue.Entry
		for range 1 + r.IntN(20) {
			es = append(es, someEntry(r, now))
		}
		for _, s := range []queue.Storage{q, model} {
			if err := s.PutEntries(t.Context(), es...); err != nil {
				t.Fatal(err)
			}
		}
		f := someEntryFilter(r, now)
		if got, want := listEntries(t, q, f), listEntries(t, model, f); !slices.Equal(got, want) {
			t.Fatalf("round %d: %+v\ngot  %q\nwant %q", round, f, got, want)
		}
	}
	if err := q.engine.Close(); err != nil {
		t.Fatal(err)
	}
	again := openQueue(t, q.dir)
	for _, kind := range []string{"k", "kk"} {
		f := queue.EntryFilter{Kind: kind}
		if got, want := listEntries(t, again, f), listEntries(t, model, f); !slices.Equal(got, want) || len(got) < 10 {
			t.Errorf("opened again: %s\ngot  %q\nwant %q", kind, got, want)
		}
	}
}

// TestQueueEntriesShareACommit: entries of messages that are put and settled
// cost no commit of their own.
func TestQueueEntriesShareACommit(t *testing.T) {
	q := openQueue(t, t.TempDir())
	commits := func(f func()) int64 {
		before := q.db.Stats().Commits
		f()
		return int64(q.db.Stats().Commits - before)
	}
	with := func(id string) queue.Job {
		j := queued(id, "d")
		for i := range 20 {
			j.Entries = append(j.Entries, queue.Entry{Kind: "k", Key: fmt.Sprint(id, i), Count: 1})
		}
		return j
	}
	if n := commits(func() { q.put(t, with("a"), with("b")) }); n != 1 {
		t.Errorf("a Put of two jobs with entries: %d commits", n)
	}
	ls := q.leaseAll(t, "d")
	n := commits(func() {
		var wg sync.WaitGroup
		out := queue.Outcome{Token: ls[0].Token, Attempted: true, Entries: with("c").Entries, Next: []queue.Job{with("n")}}
		wg.Go(func() {
			if err := q.Settle(context.Background(), []queue.Outcome{out}); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
	})
	if n != 1 {
		t.Errorf("a Settle with entries, and a job with some: %d commits", n)
	}
	if n := q.int(t, `SELECT COUNT(*) FROM queue_entry`); n != 80 {
		t.Errorf("%d entries, want 80", n)
	}
}
