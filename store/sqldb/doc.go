// Package sqldb is a SQL database that a message store and a delivery queue
// share: one group committer for all writes, a pool of connections for short
// reads, and versioned migrations.
//
// # Group commit
//
// Whoever wants to write hands a [Work] to [DB.Commit]. One goroutine takes
// all Work that waits, in turn by [Work.Key], runs it in one transaction,
// commits once, and wakes everyone. Nothing waits for a timer: while one batch
// is being made durable the next one gathers. Work with a Cost above [Large] is a
// batch of its own, and other Work comes between two of them, so a bulk change
// never holds up everyone.
//
// Where other processes change the same database, a [Locker] locks what a batch
// will change before any of it is done, in order of Key. Such Work may be
// spread over several committers ([Options.Committers]), each with a
// connection: what is said of "the committer" then holds for the Work of one
// Key, and for all Work without a Locker.
//
// # Invariants
//
//   - I1: Commit returns nil only after the database said that the transaction
//     is committed.
//   - I2: Work runs on one goroutine, one at a time, in an order in which the
//     effects of each are seen by the next. After-commit hooks run in that
//     order too, before anyone is told of the outcome.
//   - I3: A Work that fails has no effect. The others of its batch have the
//     effects that they would have had without it.
//   - I4: State kept in memory beside the database is changed only together
//     with [Tx.OnRollback], which drops it.
//   - I5: When the outcome of a COMMIT cannot be known, those who wait get
//     [ErrUnknown]. The DB then takes no more writes, unless its dialect
//     reconnects: then it goes on with a new connection, and what was locked
//     stays locked until the database has decided.
//
// # Failure
//
//	what fails                        what happens
//	a Do, before its first write      it alone gets its error; nothing is undone
//	a Do, after its first write       ROLLBACK; the others run again without it
//	a statement of a Do, where that   ROLLBACK; the others run again without it
//	aborts the transaction
//	a statement, for the whole        ROLLBACK; the whole batch gets the error
//	database (disk full, I/O error)
//	a transaction, because of others  ROLLBACK; the batch runs again, 10 times at most
//	the connection, before COMMIT     the batch runs again on a new one, twice at most
//	a Locker                          ROLLBACK; the whole batch gets the error
//	COMMIT, certainly not committed   ROLLBACK; the whole batch gets the error
//	COMMIT, otherwise                 ErrUnknown for the batch, then ErrPoisoned;
//	                                  with Dialect.Reconnects a new connection
//	power cut                         no one of an uncommitted batch was told
//
// Statements are written once for all dialects: `?` for parameters,
// `ON CONFLICT ... DO UPDATE` for upserts, and the names in braces that
// [Dialect] explains for types. A limit that is a parameter is written
// `LIMIT CAST(? AS {int})`: SQLite plans a statement anew on every run when the
// value of a bare parameter may change the plan.
package sqldb
