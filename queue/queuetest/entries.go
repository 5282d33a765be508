package queuetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/queue"
)

func entryCases() []kase {
	return []kase{
		{name: "Entries/keep every field", do: entriesFields},
		{name: "Entries/are the caller's own", do: entriesCopies},
		{name: "Entries/by kind and prefix, in order", do: entriesPrefix},
		{name: "Entries/in pages", do: entriesPages},
		{name: "Entries/many keys", do: entriesKeys},
		{name: "Entries/Count adds up", do: entriesCount},
		{name: "Entries/Remove begins anew", do: entriesRemove},
		{name: "Entries/all or none", do: entriesAll},
		{name: "Entries/cancelled writes none", do: entriesCancelled},
		{name: "Entries/gone when they expire", do: entriesExpire},
		{name: "Entries/with an outcome", do: entriesSettled},
		{name: "Entries/not with a void outcome", do: entriesVoid},
		{name: "Entries/with a job, if it is put", do: entriesPut},
		{name: "Entries/survive", reopens: true, do: entriesReopen},
	}
}

func (c *check) putEntries(entries ...queue.Entry) {
	c.Helper()
	if err := c.s.PutEntries(c.ctx, entries...); err != nil {
		c.Fatalf("PutEntries: %v", err)
	}
}

func (c *check) entries(f queue.EntryFilter) []queue.Entry {
	c.Helper()
	var out []queue.Entry
	for e, err := range c.s.Entries(c.ctx, f) {
		if err != nil {
			c.Fatalf("Entries: %v", err)
		}
		out = append(out, *e)
	}
	return out
}

// wantKeys compares the keys of what f selects.
func (c *check) wantKeys(what string, f queue.EntryFilter, want ...string) {
	c.Helper()
	var keys []string
	for _, e := range c.entries(f) {
		keys = append(keys, e.Key)
	}
	if !slices.Equal(keys, want) {
		c.Errorf("%s: keys %.100q, want %.100q", what, keys, want)
	}
}

// wantEntry compares the entry of a kind and key.
func (c *check) wantEntry(what string, want queue.Entry) {
	c.Helper()
	es := c.entries(queue.EntryFilter{Kind: want.Kind, Keys: []string{want.Key}})
	if len(es) != 1 {
		c.Errorf("%s: %d entries, want 1", what, len(es))
		return
	}
	if e := es[0]; e.Kind != want.Kind || e.Key != want.Key || !bytes.Equal(e.Value, want.Value) || e.Count != want.Count || !e.Expires.Equal(want.Expires) || e.Remove {
		c.Errorf("%s: %+v, want %+v", what, e, want)
	}
}

func entriesFields(c *check) {
	octets := "\x00\xff'\"\x01é" + strings.Repeat("k", queue.MaxEntryKey-7)
	full := queue.Entry{
		Kind: strings.Repeat("K", queue.MaxEntryKind), Key: octets, Value: bytes.Repeat([]byte{0, 255}, queue.MaxEntryValue/2),
		Count: -1 << 60, Expires: c.now.Add(time.Hour + 1),
	}
	least := queue.Entry{Kind: "k", Key: "\x00"}
	c.putEntries(full, least)
	c.wantEntry("every field", full)
	c.wantEntry("no field", least)
	changed := queue.Entry{Kind: full.Kind, Key: full.Key, Value: []byte("v"), Count: 1 << 60}
	c.putEntries(changed)
	changed.Count = 0
	c.wantEntry("changed", changed)
}

func entriesCopies(c *check) {
	e := queue.Entry{Kind: "k", Key: "a", Value: []byte("value")}
	c.putEntries(e)
	e.Value[0] = '?'
	want := queue.Entry{Kind: "k", Key: "a", Value: []byte("value")}
	c.wantEntry("after the caller changed what it wrote", want)
	for got := range c.s.Entries(c.ctx, queue.EntryFilter{Kind: "k"}) {
		got.Value[1] = '?'
	}
	c.wantEntry("after the caller changed what it read", want)
}

func entriesPrefix(c *check) {
	for _, key := range []string{"b", "a\xff\xff", "a", "a\xff", "A", "é", "\xff\xff", "a\x00", "\xff"} {
		c.putEntries(queue.Entry{Kind: "k", Key: key}, queue.Entry{Kind: "kk", Key: "a" + key})
	}
	c.wantKeys("a kind", queue.EntryFilter{Kind: "k"}, "A", "a", "a\x00", "a\xff", "a\xff\xff", "b", "é", "\xff", "\xff\xff")
	c.wantKeys("a prefix", queue.EntryFilter{Kind: "k", Prefix: "a"}, "a", "a\x00", "a\xff", "a\xff\xff")
	c.wantKeys("a prefix of the last octet", queue.EntryFilter{Kind: "k", Prefix: "a\xff"}, "a\xff", "a\xff\xff")
	c.wantKeys("the last prefix", queue.EntryFilter{Kind: "k", Prefix: "\xff"}, "\xff", "\xff\xff")
	c.wantKeys("another kind", queue.EntryFilter{Kind: "K"})
}

func entriesPages(c *check) {
	var want []string
	all := []queue.Entry{{Kind: "k", Key: "a"}, {Kind: "k", Key: "z"}}
	for i := range 700 {
		want = append(want, fmt.Sprintf("x%03d", i))
		all = append(all, queue.Entry{Kind: "k", Key: want[i]})
	}
	c.putEntries(all...)
	c.wantKeys("all of a prefix", queue.EntryFilter{Kind: "k", Prefix: "x"}, want...)
	c.wantKeys("the first", queue.EntryFilter{Kind: "k", Prefix: "x", Limit: 300}, want[:300]...)
	c.wantKeys("those behind", queue.EntryFilter{Kind: "k", Prefix: "x", After: want[299], Limit: 300}, want[300:600]...)
	c.wantKeys("the last", queue.EntryFilter{Kind: "k", After: want[699]}, "z")
	c.wantKeys("behind all", queue.EntryFilter{Kind: "k", Prefix: "x", After: "z"})
}

func entriesKeys(c *check) {
	var want []string
	var all []queue.Entry
	for i := range 101 {
		want = append(want, fmt.Sprintf("x%03d", i))
		all = append(all, queue.Entry{Kind: "k", Key: want[i]}, queue.Entry{Kind: "k", Key: "y" + want[i]})
	}
	c.putEntries(all...)
	ask := append(slices.Clone(want), "none", want[0])
	slices.Reverse(ask)
	c.wantKeys("keys", queue.EntryFilter{Kind: "k", Keys: ask}, want...)
	c.wantKeys("some keys", queue.EntryFilter{Kind: "k", Keys: ask, After: want[1], Limit: 2}, want[2:4]...)
	c.wantKeys("no keys", queue.EntryFilter{Kind: "k", Keys: []string{}})
}

func entriesCount(c *check) {
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			e := queue.Entry{Kind: "n", Key: "k", Value: []byte("v"), Count: int64(i)}
			if err := c.nodes[i%len(c.nodes)].PutEntries(c.ctx, e, e); err != nil {
				c.Errorf("PutEntries: %v", err)
			}
		})
	}
	wg.Wait()
	c.wantEntry("written by 16, twice each", queue.Entry{Kind: "n", Key: "k", Value: []byte("v"), Count: 240})
}

func entriesRemove(c *check) {
	a, b := queue.Entry{Kind: "k", Key: "a", Value: []byte("v"), Count: 3}, queue.Entry{Kind: "k", Key: "b", Count: 1}
	gone := queue.Entry{Kind: "k", Key: "a", Remove: true}
	c.putEntries(a, b)
	c.putEntries(gone, queue.Entry{Kind: "k", Key: "none", Remove: true})
	c.wantKeys("what is left", queue.EntryFilter{Kind: "k"}, "b")
	c.putEntries(a)
	c.putEntries(gone, a)
	c.wantEntry("removed and written at once", a)
	c.putEntries(a, gone)
	c.wantKeys("written and removed at once", queue.EntryFilter{Kind: "k"}, "b")
}

func entriesAll(c *check) {
	good := queue.Entry{Kind: "k", Key: "a"}
	for _, bad := range []queue.Entry{
		{Key: "a"},
		{Kind: "k"},
		{Kind: strings.Repeat("k", queue.MaxEntryKind+1), Key: "a"},
		{Kind: "k", Key: strings.Repeat("a", queue.MaxEntryKey+1)},
		{Kind: "k", Key: "b", Value: make([]byte, queue.MaxEntryValue+1)},
	} {
		if err := c.s.PutEntries(c.ctx, good, bad); !errors.Is(err, queue.ErrEntry) {
			c.Errorf("an entry out of bounds: %v, want ErrEntry", err)
		}
		j := c.job("a", "d")
		j.Entries = []queue.Entry{good, bad}
		if err := c.s.Put(c.ctx, j); !errors.Is(err, queue.ErrEntry) {
			c.Errorf("a job with an entry out of bounds: %v, want ErrEntry", err)
		}
	}
	c.wantKeys("what was written", queue.EntryFilter{Kind: "k"})
	c.wantAll("jobs")
}

func entriesCancelled(c *check) {
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	if err := c.s.PutEntries(ctx, queue.Entry{Kind: "k", Key: "a"}); !errors.Is(err, context.Canceled) {
		c.Errorf("got %v, want context.Canceled", err)
	}
	c.wantKeys("what was written", queue.EntryFilter{Kind: "k"})
}

func entriesExpire(c *check) {
	past, later := c.now.Add(-time.Second), c.now.Add(time.Hour)
	c.putEntries(
		queue.Entry{Kind: "k", Key: "a", Count: 5, Expires: past},
		queue.Entry{Kind: "k", Key: "b", Count: 5, Expires: past},
		queue.Entry{Kind: "k", Key: "c", Count: 5, Expires: later},
	)
	c.wantKeys("what has not expired", queue.EntryFilter{Kind: "k"}, "c")
	c.wantKeys("of two keys", queue.EntryFilter{Kind: "k", Keys: []string{"a", "c"}}, "c")
	c.putEntries(queue.Entry{Kind: "k", Key: "b", Count: 1}, queue.Entry{Kind: "k", Key: "c", Count: 1})
	c.wantEntry("written after it expired", queue.Entry{Kind: "k", Key: "b", Count: 1})
	c.wantEntry("written before it did", queue.Entry{Kind: "k", Key: "c", Count: 6})
}

func entriesSettled(c *check) {
	c.put(c.job("a", "d"), c.job("b", "d"))
	es := []queue.Entry{{Kind: "k", Key: "old", Count: 1}, {Kind: "k", Key: "z"}}
	c.putEntries(queue.Entry{Kind: "k", Key: "old", Count: 1}, queue.Entry{Kind: "k", Key: "gone"})
	ls := c.lease("d", 2)
	if len(ls) != 2 {
		c.Fatalf("%d leases, want 2", len(ls))
	}
	c.settle(
		queue.Outcome{Token: ls[0].Token, Attempted: true, Entries: es},
		queue.Outcome{
			Token: ls[1].Token, Attempted: true, Remaining: ls[1].Job.Recipients, Due: c.now.Add(time.Hour),
			Entries: []queue.Entry{{Kind: "k", Key: "gone", Remove: true}, {Kind: "k", Key: "kept"}},
		},
	)
	c.wantKeys("after both", queue.EntryFilter{Kind: "k"}, "kept", "old", "z")
	c.wantEntry("added to", queue.Entry{Kind: "k", Key: "old", Count: 2})
}

func entriesVoid(c *check) {
	c.put(c.job("a", "d"), c.job("b", "e"))
	a, b := c.leaseOne("d"), c.leaseOne("e")
	void := queue.Outcome{Token: a.Token, Attempted: true, Entries: []queue.Entry{{Kind: "k", Key: "void"}}}
	void.Token.Fence += 1000
	good := queue.Outcome{Token: b.Token, Attempted: true, Entries: []queue.Entry{{Kind: "k", Key: "good"}}}
	if err := c.s.Settle(c.ctx, []queue.Outcome{void, good}); !errors.Is(err, queue.ErrLeaseLost) {
		c.Errorf("got %v, want ErrLeaseLost", err)
	}
	c.wantKeys("what was written", queue.EntryFilter{Kind: "k"}, "good")
}

func entriesPut(c *check) {
	with := func(j queue.Job, key string) queue.Job {
		j.Entries = []queue.Entry{{Kind: "k", Key: key, Count: 1}}
		return j
	}
	c.put(with(c.once("a", "o"), "a"), with(c.job("b", "d"), "b"))
	c.put(with(c.once("c", "o"), "c"), with(c.job("d", "d"), "d"))
	c.wantKeys("what was written", queue.EntryFilter{Kind: "k"}, "a", "b", "d")
	if n := len(c.get("a").Entries); n > 0 {
		c.Errorf("a job that was put has %d entries", n)
	}
	l := c.leaseAt("d", 1, c.now, ttl)[0]
	c.settle(queue.Outcome{Token: l.Token, Attempted: true, Next: []queue.Job{with(c.job("n", "n"), "n")}})
	c.wantKeys("with a job that an outcome calls for", queue.EntryFilter{Kind: "k", Prefix: "n"}, "n")
}

func entriesReopen(c *check) {
	e := queue.Entry{Kind: "k", Key: "a", Value: []byte("v"), Count: 7, Expires: c.now.Add(time.Hour)}
	c.putEntries(e, queue.Entry{Kind: "k", Key: "b"})
	c.putEntries(queue.Entry{Kind: "k", Key: "b", Remove: true})
	j := c.job("j", "d")
	j.Entries = []queue.Entry{{Kind: "k", Key: "j"}}
	c.put(j)
	c.reopen()
	c.wantEntry("after a restart", e)
	c.wantKeys("after a restart", queue.EntryFilter{Kind: "k"}, "a", "j")
}
