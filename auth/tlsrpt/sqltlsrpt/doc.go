// Package sqltlsrpt keeps what is counted for TLS reports in a SQL database, so that
// it outlives a restart and several nodes count for one report.
//
//	storage, err := sqltlsrpt.New(ctx, db, sqltlsrpt.Options{})
//	go collector.Run(ctx, storage, 0, log)
//	sender := &tlsrpt.Sender{Collector: collector, Storage: storage, ...}
//
// The database may be the one of a store and a queue. The component of its schema
// is "tlsrpt":
//
//	tlsrpt_count   day, domain, hash (primary key), entry (JSON), sessions (how many)
//
// # Invariants
//
//   - I1: What Add has returned without an error is in exactly one Load until it is
//     deleted. A crash loses none of it.
//   - I2: Add is one transaction: all of it or nothing.
//   - I3: A report has at most Options.MaxKinds rows, and the table about
//     Options.MaxRows.
//
// An Add whose COMMIT has no answer (sqldb.ErrUnknown) may be there: what is added
// again then counts twice. These are statistics.
//
// # Concurrency
//
// A Storage may be used from any number of goroutines. Nothing is started.
package sqltlsrpt
