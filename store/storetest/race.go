package storetest

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/mailstead/mailstead/store"
)

func raceChecks() []check {
	return []check{
		{name: "RaceUnchangedSince", rule: "I15: of SetFlags with one UNCHANGEDSINCE at the same time, one wins each message", run: raceUnchanged},
		{name: "RaceIfModSeq", rule: "I15: a counter kept with IfModSeq by many writers loses no step", run: raceIfModSeq},
		{name: "RaceQuotaExact", rule: "I10: 32 writers of messages of any size end exactly where no further one fits", run: raceQuota},
		{name: "RaceQuotaCopy", rule: "I10: Copies by many writers do not get beyond the limit", run: raceQuotaCopy},
		{name: "RaceQuotaMailboxes", rule: "I10: mailboxes made by many writers do not get beyond the limit", run: raceMailboxes},
		{name: "RaceCreateName", rule: "I13: of Creates of one name at the same time one wins (ErrExists)", run: raceName},
		{name: "RaceRename", rule: "I13: of renames to one name at the same time one wins (ErrExists)", run: raceRename},
		{name: "RaceCreateAccount", rule: "of Creates of one account at the same time one wins (ErrExists)", run: raceAccount},
		{name: "RaceExpunge", rule: "I5: of Expunges of one message at the same time one has it in Changed, the others in Missing", run: raceExpunge},
		{name: "RaceMove", rule: "I5: of Moves of one message at the same time one moves it", run: raceMove},
		{name: "RaceDeleteAppend", rule: "I5: an Append to a mailbox that is deleted meanwhile is in it before, or ErrNoMailbox", run: raceDelete},
		{name: "RaceFlags", rule: "I5: keywords added by many writers at once are all there", run: raceFlags},
	}
}

// all runs f in n goroutines that begin together, and waits.
func (e *env) all(n int, f func(i int)) {
	e.r.Helper()
	start := make(chan struct{})
	done := e.writers(n, func(i int) { <-start; f(i) })
	close(start)
	e.await(fmt.Sprintf("%d calls at once", n), done)
}

// outcome applies ops, and reports whether they were accepted; the only error
// that is allowed is refusal.
func (h *handle) outcome(refusal error, ops ...store.Op) (store.Result, bool) {
	r, err := h.Apply(h.e.ctx, store.Change{Ops: ops})
	if err != nil && !errors.Is(err, refusal) {
		h.e.errorf("Apply: %v", err)
	}
	return r, err == nil
}

func raceUnchanged(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 5)
	for round := range e.some(20) {
		since := h.modSeq()
		var won atomic.Int64
		e.all(16, func(i int) {
			op := store.SetFlags{
				Mailbox: h.inbox, UIDs: uids, Mode: store.FlagsReplace, UnchangedSince: &since,
				Keywords: []string{fmt.Sprintf("r%dw%d", round, i)},
			}
			if r, ok := h.outcome(nil, op); ok {
				won.Add(r.Ops[0].Changed.Len())
				if r.Ops[0].Changed.Len()+r.Ops[0].Modified.Len() != 5 {
					e.errorf("Changed %v, Modified %v of 5 messages", r.Ops[0].Changed, r.Ops[0].Modified)
				}
			}
		})
		e.same("messages won by the 16 writers together", won.Load(), int64(5))
	}
}

func raceIfModSeq(e *env) {
	const writers, each = 8, 10
	h := e.account("alice")
	h.do(store.PutEntry{Key: "n", Value: []byte("0")})
	e.all(writers, func(int) {
		for n := 0; n < each; {
			for entry, err := range h.Entries(e.ctx, store.EntryQuery{Prefix: "n"}) {
				if err != nil {
					e.errorf("Entries: %v", err)
					return
				}
				v, _ := strconv.Atoi(string(entry.Value))
				op := store.PutEntry{Key: "n", Value: strconv.AppendInt(nil, int64(v+1), 10), IfModSeq: &entry.ModSeq}
				if _, ok := h.outcome(store.ErrConflict, op); ok {
					n++
				}
			}
			if e.ctx.Err() != nil {
				return
			}
		}
	})
	e.same("the counter", h.entries(store.EntryQuery{}), []string{fmt.Sprintf("n=%d", writers*each)})
}

func raceQuota(e *env) {
	h := e.account("alice")
	h.limit(store.Limits{Bytes: 1000})
	var ops [32]store.Append
	for i := range ops {
		ops[i] = h.message(h.inbox, long(1+i))
	}
	var octets atomic.Int64
	e.all(32, func(i int) {
		for range 4 {
			if _, ok := h.outcome(store.ErrOverQuota, ops[i]); ok {
				octets.Add(ops[i].Size)
			}
		}
	})
	u, err := h.Usage(e.ctx)
	e.ok("Usage", err)
	e.same("Usage.Bytes", u.Bytes, octets.Load())
	if u.Bytes > 1000 {
		e.errorf("%d octets of 1000", u.Bytes)
	}
	for u.Bytes < 1000 { // what is left is still there for one who fits
		h.do(ops[0])
		u.Bytes++
	}
	h.refused(store.ErrOverQuota, ops[0])
}

func raceQuotaCopy(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 3)
	h.limit(store.Limits{Messages: 12})
	var accepted atomic.Int64
	e.all(16, func(int) {
		if _, ok := h.outcome(store.ErrOverQuota, store.Copy{Source: h.inbox, UIDs: uids, Dest: h.inbox}); ok {
			accepted.Add(1)
		}
	})
	e.same("Copies accepted", accepted.Load(), int64(3))
	e.same("messages", h.state(h.inbox).Messages, int64(12))
}

func raceMailboxes(e *env) {
	h := e.account("alice")
	h.limit(store.Limits{Mailboxes: 5})
	e.all(16, func(i int) {
		h.outcome(store.ErrOverQuota, store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: fmt.Sprint("m", i)})
	})
	e.same("mailboxes", len(h.names()), 5)
}

func raceName(e *env) {
	h := e.account("alice")
	for i := range e.some(10) {
		var won atomic.Int64
		e.all(8, func(int) {
			op := store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: fmt.Sprintf("top%d/box", i)}
			if _, ok := h.outcome(store.ErrExists, op); ok {
				won.Add(1)
			}
		})
		e.same("winners", won.Load(), int64(1))
		e.same("mailboxes", len(h.names()), 1+2*(i+1))
	}
}

func raceRename(e *env) {
	h := e.account("alice")
	var ids [8]store.MailboxID
	for i := range ids {
		ids[i] = h.create(fmt.Sprint("m", i))
	}
	var won atomic.Int64
	e.all(len(ids), func(i int) {
		if _, ok := h.outcome(store.ErrExists, store.PutMailbox{ID: ids[i], Name: "target"}); ok {
			won.Add(1)
		}
	})
	e.same("winners", won.Load(), int64(1))
	e.same("mailboxes", len(h.names()), 1+len(ids))
}

func raceAccount(e *env) {
	for i := range e.some(10) {
		var won atomic.Int64
		e.all(8, func(int) {
			err := e.s.Create(e.ctx, store.AccountID(fmt.Sprint("a", i)), store.AccountInfo{})
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, store.ErrExists) {
				e.errorf("Create: %v", err)
			}
		})
		e.same("winners", won.Load(), int64(1))
	}
}

func raceExpunge(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 20)
	var gone, missing atomic.Int64
	e.all(8, func(int) {
		if r, ok := h.outcome(nil, store.Expunge{Mailbox: h.inbox, UIDs: uids}); ok {
			gone.Add(r.Ops[0].Changed.Len())
			missing.Add(r.Ops[0].Missing.Len())
		}
	})
	e.same("expunged by all writers together", gone.Load(), int64(20))
	e.same("missing to the others", missing.Load(), int64(7*20))
}

func raceMove(e *env) {
	h := e.account("alice")
	work := h.create("Work")
	uids := h.put(h.inbox, 20)
	var moved atomic.Int64
	e.all(8, func(int) {
		if r, ok := h.outcome(nil, store.Copy{Source: h.inbox, UIDs: uids, Dest: work, Move: true}); ok {
			moved.Add(r.Ops[0].Dest.Len())
		}
	})
	e.same("moved by all writers together", moved.Load(), int64(20))
	e.same("messages in the target", h.state(work).Messages, int64(20))
}

func raceDelete(e *env) {
	h := e.account("alice")
	for i := range e.some(10) {
		id := h.create(fmt.Sprint("m", i))
		op := h.message(id, "x")
		var before atomic.Int64
		e.all(4, func(n int) {
			if n == 0 {
				h.outcome(nil, store.PutMailbox{ID: id, Delete: true})
				return
			}
			if _, ok := h.outcome(store.ErrNoMailbox, op); ok {
				before.Add(1)
			}
		})
		u, err := h.Usage(e.ctx)
		e.ok("Usage", err)
		e.same("usage after the mailbox went", u, store.Usage{Mailboxes: 1})
	}
}

func raceFlags(e *env) {
	h := e.account("alice")
	uids := h.put(h.inbox, 2)
	e.all(16, func(i int) {
		h.outcome(nil, store.SetFlags{Mailbox: h.inbox, UIDs: uids, Keywords: []string{fmt.Sprint("k", i)}})
	})
	for _, m := range h.all(h.inbox) {
		e.same("number of keywords", len(m.Keywords), 16)
	}
}
