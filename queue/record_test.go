package queue_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
)

// kept are the keys of a kind.
func (w *world) kept(kind string) (keys []string) {
	w.t.Helper()
	for e, err := range w.store.Entries(w.t.Context(), queue.EntryFilter{Kind: kind}) {
		if err != nil {
			w.t.Fatal(err)
		}
		keys = append(keys, e.Key)
	}
	return keys
}

// TestRecord: entries of an outcome stand with it, and what is wrong with them
// keeps no mail.
func TestRecord(t *testing.T) {
	one := func(j *queue.Job, results []queue.Result, _ time.Time) []queue.Entry {
		return []queue.Entry{{Kind: "one", Key: j.Destination + " " + results[0].State.String()}}
	}
	bad := func(j *queue.Job, _ []queue.Result, _ time.Time) []queue.Entry {
		switch j.Destination {
		case "panic.test":
			panic("record")
		case "bounds.test":
			return []queue.Entry{{Kind: "two"}}
		}
		return []queue.Entry{{Kind: "two", Key: "k"}}
	}
	inWorld(t, func(w *world) {
		w.r.Record = queue.Records(one, bad)
		defer w.run()()
		w.send("bob@a.test", "bob@panic.test", "bob@bounds.test")
		pass(soon)
		w.wantJobs(0)
		if one, two := w.kept("one"), w.kept("two"); !slices.Equal(one, []string{"a.test delivered"}) || !slices.Equal(two, []string{"k"}) {
			t.Errorf("kept %q and %q", one, two)
		}
	})
}

// TestBadNotices: no mail waits for a notifier whose jobs cannot be put, or that
// panics.
func TestBadNotices(t *testing.T) {
	for name, bad := range map[string]func() []queue.Job{
		"panic": func() []queue.Job { panic("notify") },
		"entries": func() []queue.Job {
			return []queue.Job{{ID: "n", Destination: "n.test", Entries: []queue.Entry{{Kind: "k"}}}}
		},
		"no id": func() []queue.Job { return []queue.Job{{Destination: "n.test"}} },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.q.Notify = func([]queue.Event) []queue.Job { return bad() }
				defer w.run()()
				w.send("bob@a.test")
				pass(soon)
				w.wantJobs(0)
				w.set(func() {
					if len(w.tries) != 1 {
						t.Errorf("tried %d times", len(w.tries))
					}
				})
			})
		})
	}
}

// TestHoldStays: what was put on hold on its way to the queue is not released by
// a Hold that has nothing against it.
func TestHoldStays(t *testing.T) {
	inWorld(t, func(w *world) {
		w.q.Hold = func(j *queue.Job) string {
			if j.Destination == "b.test" {
				return "asked"
			}
			return ""
		}
		jobs := []queue.Job{
			{ID: "1", Destination: "a.test", Hold: "before"},
			{ID: "2", Destination: "b.test", Hold: "before"},
			{ID: "3", Destination: "b.test"},
		}
		if err := w.q.Put(t.Context(), jobs...); err != nil {
			t.Fatal(err)
		}
		var holds []string
		for j, err := range w.store.List(t.Context(), queue.Filter{}) {
			if err != nil {
				t.Fatal(err)
			}
			holds = append(holds, j.Hold)
		}
		if !slices.Equal(holds, []string{"before", "before", "asked"}) {
			t.Errorf("holds %q", holds)
		}
	})
}

// TestAdmit: jobs that are admitted on hold are told of, and their entries are
// written with them.
func TestAdmit(t *testing.T) {
	inWorld(t, func(w *world) {
		w.q.Event = w.r.Event
		w.q.Admit = queue.Admissions(
			func(_ context.Context, jobs []queue.Job) error {
				jobs[0].Entries = append(jobs[0].Entries, queue.Entry{Kind: "k", Key: "1"})
				return nil
			},
			func(_ context.Context, jobs []queue.Job) error {
				for i := range jobs {
					if jobs[i].Destination == "b.test" {
						jobs[i].Hold = "too much"
					}
				}
				jobs[0].Entries = append(jobs[0].Entries, queue.Entry{Kind: "k", Key: "2"})
				return nil
			})
		defer w.run()()
		w.send("bob@a.test", "bob@b.test")
		pass(soon)
		w.wantJobs(1)
		if keys := w.kept("k"); !slices.Equal(keys, []string{"1", "2"}) {
			t.Errorf("kept %q", keys)
		}
		var held []string
		w.set(func() {
			for _, e := range w.events {
				if e.Kind == queue.EventHeld {
					held = append(held, e.Job.Destination+" "+e.Job.Hold+" "+e.Kind.String())
				}
			}
		})
		if !slices.Equal(held, []string{"b.test too much held"}) {
			t.Errorf("held %q", held)
		}
	})
}
