package memqueue_test

import (
	"slices"
	"testing"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/queue/queuetest"
)

func TestStorage(t *testing.T) {
	queuetest.Run(t, queuetest.Config{
		Nodes: func(_ testing.TB, n int) []queue.Storage {
			return slices.Repeat([]queue.Storage{&memqueue.Storage{}}, n)
		},
		New:    func(testing.TB) queue.Storage { return &memqueue.Storage{} },
		Reopen: func(_ testing.TB, s queue.Storage) queue.Storage { return s.(*memqueue.Storage).Reopen() },
	})
}
