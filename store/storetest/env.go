package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// env is what a check works with.
type env struct {
	r    reporter
	t    *testing.T
	c    Config
	ctx  context.Context
	rule string
	s    store.Store

	others []store.Store // the other nodes

	refs   map[string]blob.Ref // bodies that are stored
	keys   map[blob.Ref][]byte // those of them that have one
	anyKey *bool               // see keyed; nil = not known yet
}

// errorf reports a broken rule and goes on; fatalf ends the check.
func (e *env) errorf(format string, args ...any) {
	e.r.Helper()
	e.r.Errorf("rule broken: %s\n\t%s", e.rule, fmt.Sprintf(format, args...))
}

func (e *env) fatalf(format string, args ...any) {
	e.r.Helper()
	e.r.Fatalf("rule broken: %s\n\t%s", e.rule, fmt.Sprintf(format, args...))
}

// ok ends the check when a call failed that must not.
func (e *env) ok(what string, err error) {
	e.r.Helper()
	if err != nil {
		e.fatalf("%s failed: %v", what, err)
	}
}

// is reports an error that is not want.
func (e *env) is(what string, err, want error) {
	e.r.Helper()
	if !errors.Is(err, want) {
		e.errorf("%s: error %v, want %v", what, err, want)
	}
}

// same reports what differs.
func (e *env) same(what string, got, want any) {
	e.r.Helper()
	if g, ok := got.(store.UIDSet); ok {
		got = g.String()
	}
	if w, ok := want.(store.UIDSet); ok {
		want = w.String()
	}
	if !reflect.DeepEqual(got, want) {
		e.errorf("%s = %v, want %v", what, got, want)
	}
}

// within runs f and ends the check when it does not return.
func (e *env) within(what string, f func()) {
	e.r.Helper()
	done, whole := make(chan struct{}), false
	go func() {
		defer close(done)
		defer e.caught()
		f()
		whole = true
	}()
	e.await(what, done)
	if !whole { // fatalf ended f
		e.r.FailNow()
	}
}

func (e *env) await(what string, done <-chan struct{}) {
	e.r.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), e.c.Patience)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
		e.fatalf("%s does not return (waited %v)", what, e.c.Patience)
	}
}

// blob stores a body, each only once.
func (e *env) blob(body string) blob.Ref {
	e.r.Helper()
	if ref, ok := e.refs[body]; ok {
		return ref
	}
	w, err := e.s.Blobs().Create(e.ctx, int64(len(body)))
	e.ok("Blobs.Create", err)
	defer w.Abort()
	_, err = strings.NewReader(body).WriteTo(w)
	e.ok("Writer.Write", err)
	ref, err := w.Commit(e.ctx)
	e.ok("Writer.Commit", err)
	if e.refs == nil {
		e.refs, e.keys = make(map[string]blob.Ref), make(map[blob.Ref][]byte)
	}
	e.refs[body], e.keys[ref] = ref, blob.KeyOf(w)
	return ref
}

// reopen closes the store and opens it again.
func (e *env) reopen() {
	e.s = e.c.Reopen(e.t, e.s)
}

// some is how often a check repeats what it does: full times, or less where
// less has to do.
func (e *env) some(full int) int {
	switch {
	case e.c.small:
		return max(3, full/5)
	case testing.Short():
		return max(3, full/2)
	}
	return full
}

// caught reports a panic as a broken rule, where the suite is held against
// broken stores; elsewhere the stack is worth more.
func (e *env) caught() {
	if !e.c.small {
		return
	}
	if p := recover(); p != nil {
		e.errorf("panic: %v", p)
	}
}
