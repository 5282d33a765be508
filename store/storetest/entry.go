package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mailstead/mailstead/store"
)

func entryChecks() []check {
	return []check{
		{name: "EntryPut", rule: "PutEntry writes, replaces and removes; a value is any octets, also none", run: entryPut},
		{name: "EntryOrder", rule: "Entries come in order of (MailboxID, Key), limited by mailbox and prefix; All is all", run: entryOrder},
		{name: "EntrySince", rule: "I8: Entries since M are those written after M, with tombstones for the removed", run: entrySince},
		{name: "EntryIfAbsent", rule: "I15: IfAbsent refuses the Change when there is an entry (ErrConflict)", run: entryIfAbsent},
		{name: "EntryIfModSeq", rule: "I15: IfModSeq refuses the Change unless it is the entry's; 0 = absent", run: entryIfModSeq},
		{name: "EntryExpires", rule: "an expired entry is not there: not listed, and absent for IfAbsent and IfModSeq", run: entryExpires},
		{name: "EntryLimits", rule: "keys of 1 to MaxEntryKey octets, values up to MaxEntryValue; more is ErrLimit", run: entryLimits},
		{name: "EntryConcurrent", rule: "I15: of many writers with IfAbsent one wins", run: entryConcurrent},
		{name: "EntryLoop", rule: "I12: no lock is held while a loop over Entries runs its body", run: entryLoop},
	}
}

func (h *handle) entries(q store.EntryQuery) []string {
	h.e.r.Helper()
	out := []string{}
	for entry, err := range h.Entries(h.e.ctx, q) {
		h.e.ok("Entries", err)
		s := entry.Key + "=" + string(entry.Value)
		if entry.Gone {
			s = "-" + entry.Key
		}
		out = append(out, s)
	}
	return out
}

func entryPut(e *env) {
	h := e.account("alice")
	r := h.do(store.PutEntry{Key: "k", Value: []byte("one")})
	for entry, err := range h.Entries(e.ctx, store.EntryQuery{}) {
		e.ok("Entries", err)
		e.same("ModSeq of the entry", entry.ModSeq, r.ModSeq)
		entry.Value[0] = 'X' // the caller's own copy
	}
	e.same("entries", h.entries(store.EntryQuery{}), []string{"k=one"})
	binary := string([]byte{0, 255, '\'', 0})
	h.do(store.PutEntry{Key: "k", Value: []byte(binary)}, store.PutEntry{Key: "K", Value: []byte{}})
	e.same("entries (case counts, no octets are a value)", h.entries(store.EntryQuery{}), []string{"K=", "k=" + binary})
	h.do(store.PutEntry{Key: "k"})
	e.same("entries after removal", h.entries(store.EntryQuery{}), []string{"K="})
	before := h.modSeq()
	e.same("ModSeq of a removal that finds nothing", h.do(store.PutEntry{Key: "k"}).ModSeq, before)
	h.refused(store.ErrNoMailbox, store.PutEntry{Mailbox: store.NewMailboxID(), Key: "k", Value: []byte("v")})
}

func entryOrder(e *env) {
	h := e.account("alice")
	a, b := store.MailboxID{1}, store.MailboxID{2}
	h.do(store.PutMailbox{ID: b, Create: true, Name: "a"}, store.PutMailbox{ID: a, Create: true, Name: "b"})
	for _, id := range []store.MailboxID{b, {}, a} {
		for _, key := range []string{"/x/b", "/x/a", "/x%", "/X/a", "/y", "/x"} {
			h.do(store.PutEntry{Mailbox: id, Key: key, Value: []byte{id[0] + '0'}})
		}
	}
	keys := func(who string) []string {
		out := []string{}
		for _, k := range []string{"/X/a", "/x", "/x%", "/x/a", "/x/b", "/y"} {
			out = append(out, k+"="+who)
		}
		return out
	}
	e.same("of the account", h.entries(store.EntryQuery{}), keys("0"))
	e.same("of a mailbox", h.entries(store.EntryQuery{Mailbox: b}), keys("2"))
	e.same("of all", h.entries(store.EntryQuery{All: true, Mailbox: b}), append(append(keys("0"), keys("1")...), keys("2")...))
	e.same("with a prefix", h.entries(store.EntryQuery{Mailbox: a, Prefix: "/x"}), keys("1")[1:5])
	e.same("with a prefix that is a pattern elsewhere", h.entries(store.EntryQuery{Prefix: "/x%"}), []string{"/x%=0"})
}

func entrySince(e *env) {
	h := e.account("alice")
	h.do(store.PutEntry{Key: "a", Value: []byte("1")}, store.PutEntry{Key: "b", Value: []byte("1")}, store.PutEntry{Key: "c", Value: []byte("1")})
	since := h.modSeq()
	e.same("entries since now", h.entries(store.EntryQuery{Since: since}), []string{})
	h.do(store.PutEntry{Key: "b", Value: []byte("2")})
	h.do(store.PutEntry{Key: "c"})
	e.same("entries since", h.entries(store.EntryQuery{Since: since}), []string{"b=2", "-c"})
	e.same("entries", h.entries(store.EntryQuery{}), []string{"a=1", "b=2"})
	h.do(store.PutEntry{Key: "c", Value: []byte("3")})
	e.same("entries since, where one came back", h.entries(store.EntryQuery{Since: since}), []string{"b=2", "c=3"})
}

func entryIfAbsent(e *env) {
	h := e.account("alice")
	put := func(v string) store.PutEntry { return store.PutEntry{Key: "k", Value: []byte(v), IfAbsent: true} }
	h.do(put("1"))
	h.refused(store.ErrConflict, put("2"))
	h.refused(store.ErrConflict, h.message(h.inbox, "x"), put("2"))
	h.refused(store.ErrConflict, store.PutEntry{Key: "other", Value: []byte("1")}, store.PutEntry{Key: "other", Value: []byte("2"), IfAbsent: true})
	e.same("entries", h.entries(store.EntryQuery{}), []string{"k=1"})
	e.same("messages", len(h.all(h.inbox)), 0)
	h.do(store.PutEntry{Key: "k"})
	h.do(put("3"))
	e.same("entries", h.entries(store.EntryQuery{}), []string{"k=3"})
}

func entryIfModSeq(e *env) {
	h := e.account("alice")
	put := func(v string, at store.ModSeq) store.PutEntry {
		return store.PutEntry{Key: "k", Value: []byte(v), IfModSeq: &at}
	}
	h.refused(store.ErrConflict, put("1", 1))
	first := h.do(put("1", 0)).ModSeq
	h.refused(store.ErrConflict, put("2", 0))
	second := h.do(put("2", first)).ModSeq
	h.refused(store.ErrConflict, put("3", first))
	remove := store.PutEntry{Key: "k", IfModSeq: &first}
	h.refused(store.ErrConflict, remove)
	remove.IfModSeq = &second
	h.do(remove)
	h.refused(store.ErrConflict, put("4", second))
	h.do(put("5", 0))
	e.same("entries", h.entries(store.EntryQuery{}), []string{"k=5"})
}

func entryExpires(e *env) {
	h := e.account("alice")
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	h.do(store.PutEntry{Key: "past", Value: []byte("1"), Expires: past}, store.PutEntry{Key: "future", Value: []byte("1"), Expires: future})
	e.same("entries", h.entries(store.EntryQuery{}), []string{"future=1"})
	for entry := range h.Entries(e.ctx, store.EntryQuery{}) {
		if d := entry.Expires.Sub(future).Abs(); d > time.Second {
			e.errorf("Expires = %v, want %v", entry.Expires, future)
		}
	}
	for entry := range h.Entries(e.ctx, store.EntryQuery{Since: 1}) {
		if entry.Key == "past" && !entry.Gone {
			e.errorf("the expired entry is listed since 1")
		}
	}
	zero := store.ModSeq(0)
	h.do(store.PutEntry{Key: "past", Value: []byte("2"), Expires: past, IfAbsent: true})
	h.do(store.PutEntry{Key: "past", Value: []byte("3"), IfModSeq: &zero})
	h.refused(store.ErrConflict, store.PutEntry{Key: "future", Value: []byte("2"), IfAbsent: true})
	e.same("entries", h.entries(store.EntryQuery{}), []string{"future=1", "past=3"})
}

func entryLimits(e *env) {
	h := e.account("alice")
	big := bytes.Repeat([]byte("v"), store.MaxEntryValue)
	h.do(store.PutEntry{Key: long(store.MaxEntryKey), Value: big})
	for entry := range h.Entries(e.ctx, store.EntryQuery{}) {
		if entry.Key != long(store.MaxEntryKey) || !bytes.Equal(entry.Value, big) {
			e.errorf("key of %d and value of %d octets", len(entry.Key), len(entry.Value))
		}
	}
	h.refused(store.ErrInvalid, store.PutEntry{Value: []byte("v")})
	h.refused(store.ErrLimit, store.PutEntry{Key: long(store.MaxEntryKey + 1), Value: []byte("v")})
	h.refused(store.ErrLimit, store.PutEntry{Key: "k", Value: append(big, 'v')})
	h.do(store.PutEntry{Key: "of a wrapper", Value: append(big, 'v'), Overhead: 1})
	h.refused(store.ErrLimit, store.PutEntry{Key: "k", Value: append(big, "vv"...), Overhead: 1})
}

func entryConcurrent(e *env) {
	h := e.account("alice")
	var won atomic.Int64
	done := e.writers(16, func(i int) {
		_, err := h.Apply(e.ctx, store.Change{Ops: []store.Op{store.PutEntry{Key: "k", Value: fmt.Append(nil, i), IfAbsent: true}}})
		if err == nil {
			won.Add(1)
		} else if !errors.Is(err, store.ErrConflict) {
			e.errorf("Apply: %v", err)
		}
	})
	e.await("16 Applies", done)
	e.same("winners", won.Load(), int64(1))
}

func entryLoop(e *env) {
	h := e.account("alice")
	for i := range 10 {
		h.do(store.PutEntry{Key: strings.Repeat("k", i+1), Value: []byte("v")})
	}
	e.within("a loop over Entries whose body calls Apply", func() {
		for entry, err := range h.Entries(e.ctx, store.EntryQuery{}) {
			e.ok("Entries", err)
			h.do(store.PutEntry{Key: entry.Key})
		}
	})
	e.same("entries", h.entries(store.EntryQuery{}), []string{})
}
