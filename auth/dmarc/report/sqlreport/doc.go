// Package sqlreport keeps what is counted for DMARC reports in a SQL database, so
// that it outlives a restart and several nodes count for one report.
//
//	db, err := sqlite.OpenDB(ctx, "reports.db", sqlite.Options{})
//	storage, err := sqlreport.New(ctx, db, sqlreport.Options{})
//	go collector.Run(ctx, storage, 0)
//	sender := &report.Sender{Storage: storage, ...}
//
// The database may be the one of a store and a queue. The component of its schema
// is "dmarcreport":
//
//	dmarc_report    day, domain (primary key), policy (JSON), records (how many)
//	dmarc_record    day, domain, hash (primary key), record (JSON), messages
//
// # Invariants
//
//   - I1: What Add has returned without an error is in exactly one Load until
//     the report is deleted. A crash loses none of it.
//   - I2: Add is one transaction: all of it or nothing.
//   - I3: A report has at most Options.MaxRecords records, and there are about
//     Options.MaxReports reports at most.
//
// An Add whose COMMIT has no answer (sqldb.ErrUnknown) may be there: what is added
// again then counts twice. These are statistics.
package sqlreport
