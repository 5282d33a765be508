// Package sqlqueue is a queue.Storage in a SQL database. Every write is a Work
// of the database's group committer, so that what many put and settle at once
// shares one commit, also with a store in the same database.
//
// # Tables
//
//	queue_job       one row a job: columns for picking and filters, and the
//	                job itself as a versioned, checksummed record
//	queue_lane      one row for each destination and priority that has jobs:
//	                when the first of them falls due
//	queue_once      the keys of Job.Once, for 30 days
//	queue_released  blobs whose job ended, in periods of 8 h, for 24 to 32 h
//	queue_count     exact numbers of jobs
//
// Picking goes by destination first: the lanes in order of their next due
// time, then inside a lane its jobs in that order. Both are a range of an
// index, so a destination that does not take its mail costs nothing to
// others, however much waits for it.
//
// # Leases
//
// One process owns the database. Leases live in its memory, bounded by what is
// under way; they are void after a restart. A Settle claims its lease when its
// Work runs, so that it cannot expire between there and the commit.
//
// # Invariants
//
//   - I1: queue_lane holds the lowest next of the jobs of each lane, and has no
//     row for a lane without jobs; queue_count holds the numbers of jobs. Both
//     change in the transaction that changes queue_job.
//   - I2: A job is leased on a row that no later commit has changed: a pick
//     passes over jobs that were settled or edited while it was reading.
//   - I3: A damaged record is never changed or deleted but by an operator's
//     drop. It is held, named in the log, and stops no other job.
//
// # Lock order
//
// Storage.picking, then leases.mu; no lock is held while the database works,
// but picking.
package sqlqueue
