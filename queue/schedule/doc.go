// Package schedule decides whose turn it is: a [Table] knows the destinations
// of a queue that have something to do, or that something is known of, and says
// to which of them the next attempts go.
//
// # Turns
//
// Destinations that have due jobs stand in a ring. Each turn gives a
// destination a quantum (deficit round robin), from which the cost of its jobs
// is taken; so one with large messages, or with many, gets no more than its
// share. A turn costs O(1), whatever waits.
//
// # Feedback
//
// As many attempts run to a destination at a time as its window allows: 5 at
// first, 20 at most. Each attempt that reaches it adds 1/window, each that does
// not takes 1/window; when a whole cohort failed in a row it is left alone for a
// while, then tried with one attempt. That is the feedback of Postfix's queue
// manager.
//
// # Memory
//
// A destination is forgotten when nothing is under way and nothing is known
// against it. What waits in the storage for a destination needs no memory here.
//
// A Table is not for several goroutines at once, and has no clock: times are
// parameters.
package schedule
