// Package metrics counts what a queue does, for whatever system of metrics a
// program has: a [Snapshot] is a struct of numbers, and nothing here knows of a
// format or a registry.
//
//	m := &metrics.Metrics{Runner: runner}
//	q.Event, runner.Event = m.Event, m.Event
//	...
//	snapshot, err := m.Snapshot(ctx) // whenever somebody asks
//
// A queue without it pays nothing: its hooks are nil. With it an event costs a few
// atomic additions and allocates nothing. A program that has a hook of its own
// calls both.
//
// # Counters and gauges
//
// Events, Deferred and Latency only grow, from zero at the start of the process;
// Load and Queue are of the moment. Queue is of the storage, so where several
// nodes share one, of all of them; it is asked for at most once each MaxAge,
// however often a Snapshot is taken.
//
// # Invariants
//
//	M1  Each event is counted once: the sum of Deferred is Events.Deferred, and the
//	    sum of Latency.Counts is Events.Delivered, once all calls of Event have returned.
//	M2  The memory is constant: nothing is kept by name of a host, sender or user.
//	M3  A storage that fails or hangs holds no counters back.
//
// # Concurrency
//
// Everything may be used from any number of goroutines, once the fields are set.
// Nothing is started. Event takes no lock; Snapshot never holds its own while the
// storage is asked.
package metrics
