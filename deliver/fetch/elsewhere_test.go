package fetch_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/deliver/fetch"
)

func mark(t *testing.T, w *world, want fetch.Marks, messages ...fetch.Elsewhere) {
	t.Helper()
	got, err := fetch.MarkElsewhere(t.Context(), w.state, "ann@isp", messages)
	if err != nil || got != want {
		t.Fatalf("marked %+v, %v, want %+v", got, err, want)
	}
}

// What another program has is not fetched, and not deleted; what is new is both.
func TestElsewhere(t *testing.T) {
	for _, state := range []string{"entries", "queue"} {
		t.Run(state, func(t *testing.T) {
			w, r := newWorld(t), &remote{}
			if state == "queue" {
				w.state = &fetch.QueueState{Storage: w.q}
			}
			long := strings.Repeat("long", 20)
			for _, id := range []string{"a", "b", long, "d"} {
				r.add(id, letterText(id))
			}
			old := []fetch.Elsewhere{{ID: "a"}, {ID: long}, {ID: "gone"}, {ID: "a"}}
			mark(t, w, fetch.Marks{Marked: 3, Known: 1}, old...)
			mark(t, w, fetch.Marks{Known: 4}, old...)
			c, _ := w.collector(r)
			for range 2 {
				if err := c.Once(t.Context()); err != nil {
					t.Fatal(err)
				}
				wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "b", "d")
				wants(t, "server", r.ids(), "a", long)
				mark(t, w, fetch.Marks{Known: 4}, old...)
			}
		})
	}
	w := newWorld(t)
	if _, err := fetch.MarkElsewhere(t.Context(), w.state, "ann@isp", []fetch.Elsewhere{{}}); !errors.Is(err, fetch.ErrNoID) {
		t.Errorf("no ID: %v", err)
	}
}

// A loose mark counts where one message alone reads so.
func TestElsewhereLoose(t *testing.T) {
	w, r := newWorld(t), &remote{}
	for _, id := range []string{"1.7.a/b", "1.8.a/b", "x/y", "x-y", "z:z"} {
		r.add(id, letterText(id))
	}
	mark(t, w, fetch.Marks{Marked: 3}, fetch.Elsewhere{ID: "1.7.a.b", Loose: true}, fetch.Elsewhere{ID: "x-y", Loose: true}, fetch.Elsewhere{ID: "z-z", Loose: true})
	c, _ := w.collector(r)
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "1.8.a/b", "x/y", "x-y")
	wants(t, "server", r.ids(), "1.7.a/b", "z:z")
	mark(t, w, fetch.Marks{Known: 1}, fetch.Elsewhere{ID: "z-z", Loose: true})
}

// Two messages under one ID: a mark is of neither.
func TestElsewhereReusedID(t *testing.T) {
	w, r := newWorld(t), &remote{}
	r.add("a", letterText("one"))
	r.add("a", letterText("two"))
	mark(t, w, fetch.Marks{Marked: 1}, fetch.Elsewhere{ID: "a"})
	c, _ := w.collector(r)
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "one", "two")
}

// Keep.Elsewhere lets a message go when its time is over, and not another one that
// has got its ID since.
func TestElsewhereKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), &remote{}
		for _, id := range []string{"old", "young", "reused"} {
			r.add(id, letterText(id))
		}
		day := 24 * time.Hour
		now := time.Now()
		mark(t, w, fetch.Marks{Marked: 3}, fetch.Elsewhere{ID: "old", Fetched: now.Add(-9 * day)}, fetch.Elsewhere{ID: "young", Fetched: now.Add(-8 * day)}, fetch.Elsewhere{ID: "reused"})
		c, s := w.collector(r)
		s.Keep = fetch.Keep{For: 10 * day, Elsewhere: true}
		if err := c.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		wants(t, "server", r.ids(), "old", "young", "reused")
		i := slices.Index(r.ids(), "reused")
		r.messages[i].text = letterText("new")
		time.Sleep(day)
		if err := c.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		wants(t, "server", r.ids(), "young", "reused")
		wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"))
		time.Sleep(9 * day)
		if err := c.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "new")
	})
}

// Whatever fails while marks are taken, none is lost: nothing that is marked is
// fetched.
func TestElsewhereCrash(t *testing.T) {
	for n := range 30 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w, r := newWorld(t), &remote{}
			for i := range 4 {
				r.add(fmt.Sprint(i), letterText(fmt.Sprint(i)))
			}
			mark(t, w, fetch.Marks{Marked: 3}, fetch.Elsewhere{ID: "0"}, fetch.Elsewhere{ID: "1"}, fetch.Elsewhere{ID: "2", Loose: true})
			f := &faults{fail: func(i int, what string) fault {
				switch {
				case i != n/2+1:
					return none
				case n%2 == 0:
					return before
				}
				return after
			}}
			c, _ := w.collector(r)
			c.State = faultyState{w.state, f}
			_ = c.Once(t.Context())
			c.State = w.state
			if err := c.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "3")
			wants(t, "server", r.ids(), "0", "1", "2")
		})
	}
}
