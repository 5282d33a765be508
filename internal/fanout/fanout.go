// Package fanout runs functions beside each other, for packages whose goroutines
// call what others wrote, such as a resolver: a panic there does not end the
// process, but goes on where somebody waits, who can contain it.
package fanout

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Each calls f with 0 to n−1, all at the same time, and returns when all have
// ended; the first of them is in the goroutine of the caller. A panic in one goes
// on in the caller then.
func Each(n int, f func(i int)) {
	if n <= 0 {
		return
	}
	var all sync.WaitGroup
	var crash Crash
	one := func(i int) {
		defer crash.Catch()
		f(i)
	}
	for i := 1; i < n; i++ {
		all.Go(func() { one(i) })
	}
	one(0)
	all.Wait()
	crash.Raise()
}

// Crash is the first panic of several goroutines. Its zero value is none. Its
// methods may be called from any number of goroutines.
type Crash struct{ text atomic.Pointer[string] }

// Catch is deferred in a goroutine. It ends a panic and notes it, with its stack.
func (c *Crash) Catch() {
	if v := recover(); v != nil {
		text := fmt.Sprintf("%v\n%s", v, debug.Stack())
		c.text.CompareAndSwap(nil, &text)
	}
}

// Raise panics with the text of what was caught, if anything was.
func (c *Crash) Raise() {
	if text := c.text.Load(); text != nil {
		panic(*text)
	}
}
