// Package sqlsts keeps the policies of MTA-STS in a SQL database, so that none is
// forgotten before its time, and so that several nodes know the same ones.
//
//	store, err := sqlsts.New(ctx, db)
//	policies := &mtasts.Cache{Resolver: resolver, Store: store}
//
// The database may be the one of a store and a queue. The component of its schema
// is "mtasts":
//
//	mtasts_policy   domain (primary key), policy (JSON), fetched and expires (seconds since 1970)
//
// # RFCs
//
//	RFC 8461  MTA-STS  §3.3, §10.2: policies outlive a restart (text not read whole)
//
// # Invariants
//
//   - I1: What Save has returned without an error is what Load returns, until a
//     policy that was fetched later takes its place.
//   - I2: A row that cannot be read is an error, never "no policy".
//
// # Crash table
//
//	before the COMMIT of Save   the policy is in memory alone, and fetched again after the restart
//	after it                    nothing is lost
//
// # Concurrency
//
// A Store may be used from any number of goroutines. Nothing is started.
package sqlsts
