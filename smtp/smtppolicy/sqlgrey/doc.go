// Package sqlgrey keeps what smtppolicy.Greylist remembers in a SQL database,
// so that it outlives a restart and several nodes share it.
//
//	db, err := sqlite.OpenDB(ctx, "greylist.db", sqlite.Options{})
//	grey, err := sqlgrey.New(ctx, db, sqlgrey.Options{})
//	g := &smtppolicy.Greylist{Store: grey}
//
// The database may be the one of a store and a queue: the table is greylist, the
// component of its schema "greylist".
//
//	greylist    key (hash, primary key), first, expires (seconds since 1970), passed
//
// # Invariants
//
//   - I1: An entry that has expired is never returned, and a new attempt takes
//     its place.
//   - I2: Of two processes that make one entry at once, one makes it and both
//     see the same.
//   - I3: The table holds about Options.MaxEntries rows at most; what expires
//     first goes first, which is what has not passed.
//   - I4: What is known needs no write: only first attempts, and what passes
//     for the first time, wait for a commit.
package sqlgrey
