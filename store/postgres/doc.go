// Package postgres keeps mail and queues in PostgreSQL, for any number of
// nodes on the same data. It is package sqlstore with the driver (pgx), the
// dialect, the settings, and LISTEN and NOTIFY; bodies lie in a blob.Blobs that
// all nodes share.
//
//	e, err := postgres.Open(ctx, "postgres://mail@db.example.org/mail", postgres.Options{Blobs: bodies})
//	...
//	defer e.Close()
//	serve(e.Store())
//
// Each node calls [Open] once. Its Store is a store.Store, its DB the database
// on which a queue keeps its tables. PostgreSQL 12 or later; connections must be
// to the server itself or to a pooler that gives each client one of its own, as
// statements are prepared and settings are those of the session.
//
// # Durability
//
// A commit is acknowledged when the server says that it is on stable storage.
// Open asks the server for that and refuses it with [ErrNotDurable] where
// synchronous_commit or fsync is off. What else the promise needs is the
// operator's:
//
//   - full_page_writes is on, unless the file system never tears a page.
//   - Where a standby may take over, replication is synchronous
//     (synchronous_standby_names is set, and synchronous_commit is on or
//     remote_apply): else the standby lacks what was acknowledged last.
//   - Nobody cancels a backend that waits for a standby (pg_cancel_backend): the
//     server then reports a commit that only it has.
//
// After a failover that may have lost commits, or a restore of an older state,
// sqlstore.Store.Jump moves the counters 2^20 ahead before the nodes take up
// work again, so that no UID and no ModSeq is given out twice.
//
// # Several nodes
//
// Package sqlstore says how nodes share the data; see "Several nodes" there. A
// batch locks the rows of its accounts in the order of their names and holds
// the locks until its commit. It holds at most 64 Changes; with
// Options.OneAccount those of one account, so that the schema also suits
// databases that speak PostgreSQL's protocol and spread rows over machines by
// their account. Every key begins with the account, there are no foreign keys,
// no sequences and no advisory locks.
//
// NOTIFY is sent behind the commits, on a connection of its own, for all
// accounts that were changed meanwhile: in the transaction of a delivery it would
// make all commits of the database wait for each other. Where the connection is
// lost, and where Options.NoListen is set, nodes find changes by asking for the
// accounts that somebody waits for, every half a second.
//
// # Plans
//
// Every statement reads by an index that begins with the account, or says in
// the tests why not. Connections run with enable_seqscan and enable_bitmapscan
// off and with generic plans, so that this does not depend on what ANALYZE knew
// of the tables before they were loaded. Let autovacuum run as usual; after a
// large restore VACUUM ANALYZE saves it the work.
//
// # What a crash leaves
//
//	what ends                   leaves                              next
//	the server, before COMMIT   nothing of the batch                the batch runs again when it is there soon, else ErrTemporary
//	the server, in COMMIT       the batch whole or not at all       Once finds out; without it ErrUnknown
//	the connection, likewise    as above; the server notices later  the account's lock is held until it did
//	a node                      its batch whole or not at all       leases of maildrops end by the server's clock
//	a node that hangs           its locks, for a minute             the server ends its transaction
//	listening or telling        hints are lost                      nodes ask every half a second
//
// # Goroutines
//
// An Engine has those of sqlstore and sqldb, one that listens and one that
// tells. Close waits for all.
package postgres
