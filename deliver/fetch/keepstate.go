package fetch

import (
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store"
)

// EntryState is the State in the entries of an account of a store.
type EntryState struct{ Account store.Account }

// QueueState is the State in the entries beside a queue, where there is no store.
type QueueState struct{ Storage queue.Storage }
