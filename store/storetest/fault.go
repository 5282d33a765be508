package storetest

import (
	"errors"
	"io"
	"strings"

	"github.com/mailstead/mailstead/store"
)

// Fault is a way in which storage fails.
type Fault uint8

// The faults.
const (
	FaultNone    Fault = iota // storage works
	FaultNoSpace              // what would make a file longer fails with ENOSPC
	FaultSync                 // every fsync fails with EIO
)

func faultChecks() []check {
	list := []check{
		{name: "FaultNoSpace", rule: "I6: without space Apply fails, and nothing of its Change is seen", run: func(e *env) { faultRefused(e, FaultNoSpace) }},
		{name: "FaultNoSpaceBlob", rule: "without space a blob's Commit fails", run: func(e *env) { faultBlob(e, FaultNoSpace) }},
		{name: "FaultNoSpaceReads", rule: "without space everything can be read", run: faultReads},
		{name: "FaultNoSpaceHeals", rule: "when there is space again Changes are accepted, and no number comes twice", run: faultHeals},
		{name: "FaultNoSpaceCreate", rule: "I6: without space Create fails and makes no account", run: faultCreate},
		{name: "FaultSync", rule: "I6: nothing is acknowledged whose fsync failed", run: func(e *env) { faultAcknowledged(e) }},
		{name: "FaultSyncBlob", rule: "a blob whose fsync failed is not acknowledged", run: func(e *env) { faultBlob(e, FaultSync) }},
		{name: "FaultSyncReopened", rule: "I5, I6: after a failed fsync, reopened, all that was acknowledged is there, and each other Change whole or not", persistent: true, run: faultReopened},
		{name: "FaultSyncOnce", rule: "I9: a Change whose fsync failed is applied once by its repeat after the store is opened again", persistent: true, run: faultOnce},
	}
	for i := range list {
		list[i].faults = true
	}
	return list
}

// fault makes the storage fail, or heals it.
func (e *env) fault(f Fault) { e.c.Faults(e.t, e.s, f) }

// large is a Change that needs space.
func (h *handle) large(once string) store.Change {
	h.e.r.Helper()
	op := h.message(h.inbox, "x")
	op.Prefix = []byte(strings.Repeat("P", 60<<10))
	return store.Change{Once: once, Ops: []store.Op{op, store.PutEntry{Key: "large" + once, Value: op.Prefix}}}
}

// untilRefused applies Changes until the fault is felt: an engine may have
// some room left. It returns how many were acknowledged.
func (h *handle) untilRefused(c store.Change) (acknowledged int) {
	h.e.r.Helper()
	for acknowledged < 1000 {
		if _, err := h.Apply(h.e.ctx, c); err != nil {
			return acknowledged
		}
		acknowledged++
	}
	h.e.fatalf("1000 Changes are acknowledged while storage fails")
	return 0
}

func faultRefused(e *env, f Fault) {
	h := e.account("alice")
	h.put(h.inbox, 2)
	c := h.large("")
	e.fault(f)
	n := h.untilRefused(c)
	e.same("messages", len(h.all(h.inbox)), 2+n)
	e.fault(FaultNone)
	e.same("messages", len(h.all(h.inbox)), 2+n)
	e.sameUsage(h)
}

// faultAcknowledged: what fails in the commit may be seen or not, until the
// store is opened again; it is not acknowledged.
func faultAcknowledged(e *env) {
	h := e.account("alice")
	h.put(h.inbox, 2)
	c := h.large("sync")
	c.Once = ""
	e.fault(FaultSync)
	for range 3 {
		if _, err := h.Apply(e.ctx, c); err == nil {
			e.errorf("Apply is acknowledged though no fsync succeeds")
		}
	}
	e.fault(FaultNone)
}

func faultBlob(e *env, f Fault) {
	e.account("alice")
	e.fault(f)
	defer e.fault(FaultNone)
	body := strings.Repeat("blob", 64<<10)
	for n := range 100 {
		err := writeBlob(e, body)
		switch {
		case err != nil && e.ctx.Err() != nil: // the end of the test is no refusal
			e.fatalf("%d blobs are acknowledged while storage fails; then the time was up", n)
		case err != nil:
			return
		}
	}
	e.errorf("100 blobs are acknowledged while storage fails")
}

func writeBlob(e *env, body string) error {
	w, err := e.s.Blobs().Create(e.ctx, -1)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.WriteString(w, body); err != nil {
		return err
	}
	_, err = w.Commit(e.ctx)
	return err
}

func faultReads(e *env) {
	h := e.account("alice")
	op := h.message(h.inbox, "readable")
	uid := h.do(op, store.PutEntry{Key: "k", Value: []byte("v")}).Ops[0].Dest.Min()
	before := e.dump(h)
	e.fault(FaultNoSpace)
	e.sameDump("the account without space", e.dump(e.open("alice")), before)
	e.same("content", h.read(h.inbox, uid), "readable")
	e.holds("without space", true, op.Blob)
	e.fault(FaultNone)
}

func faultHeals(e *env) {
	h := e.account("alice")
	last := h.put(h.inbox, 2).Max()
	c := h.large("heal")
	c.Once = ""
	e.fault(FaultNoSpace)
	h.untilRefused(c)
	last = max(last, h.uids(h.inbox).Max())
	at := h.modSeq()
	e.fault(FaultNone)
	r := h.change(c)
	if uid := r.Ops[0].Dest.Min(); uid <= last || r.ModSeq <= at {
		e.errorf("UID %d after %d, ModSeq %d after %d", uid, last, r.ModSeq, at)
	}
}

func faultCreate(e *env) {
	e.account("alice")
	e.fault(FaultNoSpace)
	id := store.AccountID("new")
	for i := 0; ; i++ {
		if err := e.s.Create(e.ctx, id, store.AccountInfo{}); err != nil {
			break
		}
		if id += "x"; i > 200 {
			e.fatalf("200 accounts are acknowledged without space")
		}
	}
	e.fault(FaultNone)
	_, err := e.s.Open(e.ctx, id)
	e.is("Open of the account whose Create failed", err, store.ErrNoAccount)
	e.account(id)
}

func faultReopened(e *env) {
	h := e.account("alice")
	h.put(h.inbox, 2)
	last := h.uids(h.inbox).Max()
	c := h.large("")
	e.fault(FaultSync)
	_, err := h.Apply(e.ctx, c)
	if err == nil {
		e.errorf("Apply is acknowledged though its fsync failed")
	}
	e.fault(FaultNone)
	e.reopen()
	h = e.open("alice")
	n, entries := len(h.all(h.inbox)), len(h.entries(store.EntryQuery{All: true}))
	if n-2 != entries || n > 3 {
		e.errorf("%d messages and %d entries; 2 messages were acknowledged, and one Change of each failed", n, entries)
	}
	if uid := h.put(h.inbox, 1).Min(); uid <= last {
		e.errorf("UID %d is given out again", uid)
	}
	e.sameUsage(h)
}

func faultOnce(e *env) {
	h := e.account("alice")
	c := h.large("delivery 1")
	e.fault(FaultSync)
	if _, err := h.Apply(e.ctx, c); err == nil || errors.Is(err, store.ErrOverQuota) {
		e.errorf("Apply whose fsync failed: %v", err)
	}
	e.fault(FaultNone)
	e.reopen()
	h = e.open("alice")
	h.change(c)
	e.same("Repeated", h.change(c).Repeated, true)
	e.same("messages", len(h.all(h.inbox)), 1)
}
