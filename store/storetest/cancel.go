package storetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

func cancelChecks() []check {
	return []check{
		{name: "CancelOpen", rule: "a context cancelled before Open ends it with its error", run: cancelled(func(e *env, h *handle, ctx context.Context) error {
			_, err := e.s.Open(ctx, h.id)
			return err
		})},
		{name: "CancelCreate", rule: "a context cancelled before Create ends it with its error, and makes no account", run: cancelCreate},
		{name: "CancelAccounts", rule: "a cancelled context ends Accounts with its error", run: cancelled(func(e *env, h *handle, ctx context.Context) (last error) {
			for _, err := range e.s.Accounts(ctx, "") {
				last = err
			}
			return last
		})},
		{name: "CancelMailboxes", rule: "a context cancelled before Mailboxes ends it with its error", run: cancelled(func(e *env, h *handle, ctx context.Context) error {
			_, _, err := h.Mailboxes(ctx, 0)
			return err
		})},
		{name: "CancelUsage", rule: "a context cancelled before Usage ends it with its error", run: cancelled(func(e *env, h *handle, ctx context.Context) error {
			_, err := h.Usage(ctx)
			return err
		})},
		{name: "CancelContent", rule: "a context cancelled before Content ends it with its error", run: cancelled(func(e *env, h *handle, ctx context.Context) error {
			_, err := h.Content(ctx, h.inbox, h.uids(h.inbox).Min())
			return err
		})},
		{name: "CancelEntries", rule: "a context cancelled before Entries ends it with its error", run: cancelled(func(e *env, h *handle, ctx context.Context) (last error) {
			for _, err := range h.Entries(ctx, store.EntryQuery{}) {
				last = err
			}
			return last
		})},
		{name: "CancelHolds", rule: "a context cancelled before Holds ends it with its error: an empty answer would let the collector take all", run: cancelled(func(e *env, h *handle, ctx context.Context) error {
			_, err := e.s.Holds(ctx, []blob.Ref{e.blob("x")})
			return err
		})},
		{name: "CancelMidway", rule: "I5: a context cancelled while Apply runs leaves the whole Change or nothing, as its error says", run: cancelMidway},
	}
}

// cancelled runs f on an account with a message and an entry.
func cancelled(f func(e *env, h *handle, ctx context.Context) error) func(e *env) {
	return func(e *env) {
		h := e.account("alice")
		h.do(h.message(h.inbox, "x"), store.PutEntry{Key: "k", Value: []byte("v")})
		ctx, cancel := context.WithCancel(e.ctx)
		e.ok("the call before", f(e, h, ctx))
		cancel()
		e.is("the call", f(e, h, ctx), context.Canceled)
	}
}

func cancelCreate(e *env) {
	ctx, cancel := context.WithCancel(e.ctx)
	cancel()
	e.is("Create", e.s.Create(ctx, "alice", store.AccountInfo{}), context.Canceled)
	e.account("alice")
}

// cancelMidway cancels at every moment of an Apply.
func cancelMidway(e *env) {
	h := e.account("alice")
	op := h.message(h.inbox, "x")
	applied := int64(0)
	for i := range 60 {
		ctx, cancel := context.WithCancel(e.ctx)
		go cancel()
		c := store.Change{Once: fmt.Sprint(i), Ops: []store.Op{op, store.PutEntry{Key: "n", Value: fmt.Append(nil, i)}}}
		_, err := h.Apply(ctx, c)
		<-ctx.Done()
		switch {
		case err == nil:
			applied++
		case errors.Is(err, store.ErrUnknown):
			applied = h.state(h.inbox).Messages
		case !errors.Is(err, context.Canceled):
			e.errorf("Apply: %v", err)
		}
		if n := h.state(h.inbox).Messages; n != applied {
			e.fatalf("%d Changes were acknowledged, %d messages are there (the last error: %v)", applied, n, err)
		}
		if r := h.change(c); r.Repeated != (err == nil) && !errors.Is(err, store.ErrUnknown) {
			e.fatalf("the Change that ended with %v is repeated: %v", err, r.Repeated)
		}
		applied = h.state(h.inbox).Messages
	}
	e.same("messages", applied, int64(60))
}
