package auth

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// tasks are the goroutines of a message.
type tasks struct {
	own   sync.WaitGroup
	all   *sync.WaitGroup
	crash atomic.Pointer[string] // the first panic in one of them
}

func (t *tasks) run(f func()) {
	t.all.Add(1)
	t.own.Go(func() {
		defer t.all.Done()
		defer func() {
			if v := recover(); v != nil {
				text := fmt.Sprintf("%v\n%s", v, debug.Stack())
				t.crash.CompareAndSwap(nil, &text)
			}
		}()
		f()
	})
}

// wait waits for all. A panic in one of them goes on in the goroutine that waits,
// whose caller contains it.
func (t *tasks) wait() {
	t.own.Wait()
	if text := t.crash.Load(); text != nil {
		panic(*text)
	}
}
