package auth

import (
	"sync"

	"github.com/mailstead/mailstead/internal/fanout"
)

// tasks are the goroutines of a message.
type tasks struct {
	own   sync.WaitGroup
	all   *sync.WaitGroup
	crash fanout.Crash
}

func (t *tasks) run(f func()) {
	t.all.Add(1)
	t.own.Go(func() {
		defer t.all.Done()
		defer t.crash.Catch()
		f()
	})
}

// wait waits for all. A panic in one of them goes on in the goroutine that waits,
// whose caller contains it.
func (t *tasks) wait() {
	t.own.Wait()
	t.crash.Raise()
}
