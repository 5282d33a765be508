package storetest

import (
	"github.com/mailstead/mailstead/store"
)

func wrapChecks() []check {
	return []check{
		{name: "WrapDeclared", rule: "As finds each optional capability that is declared, and no other", run: wrapDeclared},
		{name: "WrapTransparent", rule: "As finds a capability through layers that have Unwrap alone", run: wrapTransparent},
		{name: "WrapRefuses", rule: "a layer with As decides alone what is found through it", run: wrapRefuses},
		{name: "WrapCounts", rule: "a layer that stands in for a capability is what As finds, and serves it", needs: Metas, run: wrapCounts},
	}
}

// optional lists the capabilities, with what looks for each.
func optional() []struct {
	name string
	bit  Capability
	find func(a any) bool
} {
	return []struct {
		name string
		bit  Capability
		find func(a any) bool
	}{
		{"Searcher", Searches, finds[store.Searcher]},
		{"Sorter", Sorts, finds[store.Sorter]},
		{"MaildropLocker", Locks, finds[store.MaildropLocker]},
		{"MetaWriter", Metas, finds[store.MetaWriter]},
		{"Snapshotter", Snapshots, finds[store.Snapshotter]},
		{"Holder", Retains, finds[store.Holder]},
		{"KeyWriter", Keys, finds[store.KeyWriter]},
	}
}

func finds[T any](a any) bool {
	_, ok := store.As[T](a)
	return ok
}

// transparent adds nothing, opaque lets nothing through, and counting stands
// in for one capability.
type transparent struct{ store.Account }

func (l transparent) Unwrap() any { return l.Account }

type opaque struct{ transparent }

func (opaque) As(any) bool { return false }

type counting struct {
	transparent
	store.MetaWriter
	calls *int
}

func (c counting) As(target any) bool {
	if t, ok := target.(*store.MetaWriter); ok {
		*c.calls++
		*t = c.MetaWriter
		return true
	}
	return false
}

func wrapDeclared(e *env) {
	h := e.account("alice")
	for _, c := range optional() {
		if found := c.find(h.Account); found != (e.c.Has&c.bit != 0) {
			e.errorf("As finds a %s: %v; Config.Has declares: %v", c.name, found, !found)
		}
	}
}

func wrapTransparent(e *env) {
	h := e.account("alice")
	for _, c := range optional() {
		if want := c.find(h.Account); c.find(transparent{transparent{h.Account}}) != want {
			e.errorf("As finds a %s: %v, and through two layers: %v", c.name, want, !want)
		}
	}
}

func wrapRefuses(e *env) {
	h := e.account("alice")
	for _, c := range optional() {
		if c.find(opaque{transparent{h.Account}}) || c.find(transparent{opaque{transparent{h.Account}}}) {
			e.errorf("As finds a %s past a layer that refuses it", c.name)
		}
	}
}

func wrapCounts(e *env) {
	h := e.account("alice")
	uid := h.put(h.inbox, 1).Min()
	calls := 0
	layer := transparent{counting{transparent{h.Account}, capability[store.MetaWriter](h), &calls}}
	e.ok("OfferMeta", store.OfferMeta(e.ctx, layer, h.inbox, uid, []byte("\x01meta")))
	e.same("calls of the layer", calls, 1)
	e.same("Meta", string(h.one(h.inbox, uid).Meta), "\x01meta")
	for _, c := range optional() {
		if c.bit != Metas && c.find(layer) {
			e.errorf("As finds a %s past a layer that stands in for another", c.name)
		}
	}
}
