// Package activity remembers for operators and users what happened at the door:
// the last login of each account, the failures since, and the latest failures
// of all, also of users that do not exist.
//
//	log := &activity.Log{Store: entries}
//	svc := &login.Service{Backend: users, Observe: log.Observe}
//	...
//	err := log.Flush(ctx, false) // every minute
//	...
//	err := log.Flush(ctx, true) // at the end
//
// Observing costs a lock and no I/O. What was observed is added to the store by
// Flush, so several nodes may keep one account, and a crash loses what happened
// since. Logins that differ from the stored one in nothing but their time are
// stored once an hour.
//
// # Invariants
//
//   - I1: Observe neither blocks nor allocates without bound: at most
//     maxAccounts accounts and maxRecent failures are remembered.
//   - I2: No secret is seen: an event has none.
//   - I3: What Flush could not store is kept for the next Flush.
//
// # Concurrency
//
// A Log may be used from any number of goroutines. Its lock is a leaf: it is
// not held while the Store works.
package activity
