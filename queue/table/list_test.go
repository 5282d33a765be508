package table_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/queue/table"
)

// counted counts the reads of a storage, and fails them.
type counted struct {
	queue.Storage
	lists, gens, keys int
	fail              error
}

func (c *counted) Entries(ctx context.Context, f queue.EntryFilter) iter.Seq2[*queue.Entry, error] {
	if c.fail != nil {
		return func(yield func(*queue.Entry, error) bool) { yield(nil, c.fail) }
	}
	switch {
	case f.Keys != nil:
		c.keys++
	case f.Kind == "k":
		c.lists++
	default:
		c.gens++
	}
	return c.Storage.Entries(ctx, f)
}

func get(t *testing.T, l *table.List, key string, want bool) {
	t.Helper()
	got, err := l.Get(t.Context(), "other", key)
	if _, ok := got[key]; err != nil || ok != want {
		t.Errorf("%s: %v, %v; want %v", key, got, err, want)
	}
}

// TestList: what another node wrote is seen after a second, and the list is read
// when it has changed only.
func TestList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counted{Storage: &memqueue.Storage{}}
		here, there := &table.List{Storage: s, Kind: "k"}, &table.List{Storage: s.Storage, Kind: "k"}
		get(t, here, "a", false)
		if err := here.Put(t.Context(), queue.Entry{Key: "a"}); err != nil {
			t.Fatal(err)
		}
		get(t, here, "a", true) // at once
		for range 1000 {
			get(t, here, "a", true)
			time.Sleep(100 * time.Millisecond)
		}
		if s.lists != 2 || s.gens > 110 || s.keys != 0 {
			t.Errorf("in 100 s the list was read %d times, the generations %d, keys %d", s.lists, s.gens, s.keys)
		}
		get(t, here, "b", false)
		if err := there.Put(t.Context(), queue.Entry{Key: "b", Expires: time.Now().Add(time.Minute)}, queue.Entry{Key: "a", Remove: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		get(t, here, "b", true)
		get(t, here, "a", false)
		time.Sleep(time.Minute)
		get(t, here, "b", false)
		s.fail = errors.New("no")
		time.Sleep(time.Second)
		if _, err := here.Get(t.Context(), "a"); !errors.Is(err, s.fail) {
			t.Errorf("got %v, want the storage's error", err)
		}
	})
}

// TestListIdle: a change is seen also where the number of the change before has
// expired, and counts from one again.
func TestListIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &table.List{Storage: &memqueue.Storage{}, Kind: "k"}
		if err := l.Put(t.Context(), queue.Entry{Key: "a"}); err != nil {
			t.Fatal(err)
		}
		get(t, l, "a", true)
		time.Sleep(3 * 24 * time.Hour)
		if err := l.Put(t.Context(), queue.Entry{Key: "b"}, queue.Entry{Key: "a", Remove: true}); err != nil {
			t.Fatal(err)
		}
		get(t, l, "b", true)
		get(t, l, "a", false)
	})
}

// TestListLong: what does not fit is looked up, one query a call.
func TestListLong(t *testing.T) {
	s := &counted{Storage: &memqueue.Storage{}}
	l := &table.List{Storage: s, Kind: "k", Max: 10}
	for i := range 11 {
		if err := l.Put(t.Context(), queue.Entry{Key: fmt.Sprintf("k%02d", i)}); err != nil {
			t.Fatal(err)
		}
		get(t, l, fmt.Sprintf("k%02d", i), true)
	}
	if s.keys != 1 {
		t.Errorf("%d queries for keys", s.keys)
	}
	get(t, l, "k00", true)
	if all, _, err := l.All(t.Context()); err != nil || len(all) != 10 {
		t.Errorf("%d of the list, %v", len(all), err)
	}
}

// stuck is a storage that answers for keys when it is let.
type stuck struct {
	queue.Storage
	asked, answer chan struct{}
}

func (s *stuck) Entries(ctx context.Context, f queue.EntryFilter) iter.Seq2[*queue.Entry, error] {
	if f.Keys != nil {
		s.asked <- struct{}{}
		<-s.answer
	}
	return s.Storage.Entries(ctx, f)
}

// TestLookTogether: who looks keys up does not wait for another one's answer.
func TestLookTogether(t *testing.T) {
	s := &stuck{&memqueue.Storage{}, make(chan struct{}), make(chan struct{})}
	l := &table.List{Storage: s, Kind: "k", Max: 1}
	if err := l.Put(t.Context(), queue.Entry{Key: "a"}, queue.Entry{Key: "b"}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { get(t, l, "a", true) })
	}
	<-s.asked
	select {
	case <-s.asked:
	case <-time.After(5 * time.Second):
		t.Error("the second waits for the first")
		go func() { <-s.asked }()
	}
	close(s.answer)
	wg.Wait()
}
