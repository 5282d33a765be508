package fetch_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/smtp"
)

func TestKeep(t *testing.T) {
	for _, test := range []struct {
		name   string
		keep   fetch.Keep
		change func(*remote)
		after  time.Duration
		left   string
	}{
		{"nothing", fetch.Keep{}, nil, 0, ""},
		{"always", fetch.Keep{Always: true}, nil, 0, "a b c"},
		{"a day", fetch.Keep{For: 24 * time.Hour}, nil, 23 * time.Hour, "a b c"},
		{"a day, over", fetch.Keep{For: 24 * time.Hour}, nil, 24 * time.Hour, ""},
		{"until seen", fetch.Keep{UntilSeen: true}, func(r *remote) { r.messages[1].Seen = true }, 0, "a c"},
		{"a day and seen", fetch.Keep{UntilSeen: true, For: time.Hour}, func(r *remote) { r.messages[1].Seen = true }, time.Minute, "a b c"},
		{"size", fetch.Keep{Always: true, MaxSize: 1000}, nil, 0, "a c"},
		{"bytes", fetch.Keep{Always: true, MaxBytes: 2500}, nil, 0, "b c"},
		{"percent", fetch.Keep{Always: true, MaxPercent: 50}, func(r *remote) { r.limit = 5000 }, 0, "b c"},
		{"percent, below", fetch.Keep{Always: true, MaxPercent: 50}, func(r *remote) { r.limit = 6000 }, 0, "a b c"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, r := newWorld(t), &remote{}
				for _, id := range []string{"a", "b", "c"} {
					text := letterText(id)
					if id == "b" {
						text += strings.Repeat("x", 2000)
					}
					r.add(id, text)
				}
				c, s := w.collector(r)
				s.Keep, s.MaxMessages = test.keep, 1 // so that the order of fetching is known
				for i := range 3 {
					if i == 2 && test.change != nil {
						test.change(r)
					}
					if err := c.Once(t.Context()); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
				}
				time.Sleep(test.after)
				if err := c.Once(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(r.ids(), " "); got != test.left {
					t.Errorf("left %q, want %q", got, test.left)
				}
				wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "a", "b", "c")
			})
		})
	}
}

// Too large, as the server says or as it is: it stays, and is told once.
func TestTooLarge(t *testing.T) {
	w, r := newWorld(t), &remote{}
	r.add("1", letterText("large")+strings.Repeat("x", 2000))
	r.add("2", letterText("lie")+strings.Repeat("x", 2000)).Size = 10
	r.add("3", letterText("small"))
	c, s := w.collector(r)
	s.MaxSize = 1000
	for range 3 {
		c.Once(t.Context()) // the second message costs a connection
	}
	wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "small")
	wants(t, "server", r.ids(), "1", "2")
	if n := w.events(fetch.EventSkipped); n != 2 {
		t.Errorf("told %d times", n)
	}
	s.MaxSize = -1
	if err := c.Once(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, "INBOX", w.subjects("ann@example.org", "INBOX"), "small", "large", "lie")
}

// Records of messages that are gone are forgotten, but not soon.
func TestForget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), &remote{}
		r.add("1", letterText("one"))
		count := func(want int) {
			t.Helper()
			n := 0
			for _, err := range w.state.Records(t.Context(), "ann@isp") {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n != want {
				t.Errorf("%d records, want %d", n, want)
			}
		}
		c, s := w.collector(r)
		s.Recipients = fetch.RecipientsFunc(func(context.Context, *fetch.Message) (fetch.Decision, error) {
			return fetch.Decision{Recipients: []smtp.ForwardPath{path("ann@example.org")}, Guessed: true}, nil
		})
		for _, step := range []struct { // a record of the message, and one of its copies
			wait time.Duration
			want int
		}{{0, 2}, {time.Hour, 2}, {30 * 24 * time.Hour, 1}, {2 * time.Hour, 0}} {
			time.Sleep(step.wait)
			if err := c.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			count(step.want)
		}
	})
}

// Records survive, in a store and beside a queue.
func TestState(t *testing.T) {
	w := newWorld(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	full := fetch.Record{
		Key: fetch.Key{Kind: fetch.KindCopy, ID: "=x/\x00\xff"}, Print: fetch.Print{1, 2}, Size: -1, Fetched: now, Done: []string{"a", "b"},
		Missing: now.Add(1), Generation: "g",
	}
	for _, s := range []fetch.State{w.state, &fetch.QueueState{Storage: w.q}} {
		second := full
		second.Kind = fetch.KindMessage
		if err := s.Put(t.Context(), "a", full, second); err != nil {
			t.Fatal(err)
		}
		if err := s.Put(t.Context(), "a/b", fetch.Record{Key: full.Key}); err != nil {
			t.Fatal(err)
		}
		full.Size++
		if err := s.Put(t.Context(), "a", full); err != nil {
			t.Fatal(err)
		}
		if err := s.Remove(t.Context(), "a", second.Key, fetch.Key{ID: "none"}); err != nil {
			t.Fatal(err)
		}
		var got []string
		for r, err := range s.Records(t.Context(), "a") {
			got = append(got, fmt.Sprintf("%+v %v", r, err))
		}
		wants(t, "records", got, fmt.Sprintf("%+v %v", full, error(nil)))
	}
}
