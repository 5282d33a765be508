// Package sqlqueue is a queue.Storage in a SQL database. Every write is a Work
// of the database's group committer, so that what many put and settle at once
// shares one commit, also with a store in the same database.
//
// # Tables
//
//	queue_job       one row a job: columns for picking and filters, and the
//	                job itself as a versioned, checksummed record; of one
//	                process, in the order in which they came
//	queue_lane      one row for each destination and rank (priority and class of
//	                senders, see queue.Job.Rank) that has jobs: when the first
//	                of them falls due
//	queue_once      the keys of Job.Once, for 30 days
//	queue_released  blobs whose job ended, in periods of 8 h, for 24 to 32 h
//	queue_count     exact numbers of jobs; with several nodes, each one's share
//	queue_lease     with several nodes: who works on what, until when
//	queue_hint      with several nodes: lanes that an EnqueueTx needs
//	queue_entry     entries, see package sqlentry
//
// Picking goes by destination first: the lanes in order of their next due
// time, then inside a lane its jobs in that order. Both are a range of an
// index, so a destination that does not take its mail costs nothing to
// others, however much waits for it.
//
// # Leases of one process
//
// A database without a clock of its own (SQLite) has one owner. Leases live in its memory, bounded by what is
// under way; they are void after a restart. A Settle claims its lease when its
// Work runs, so that it cannot expire between there and the commit.
//
// What is leased stands in a file beside the database, named as it is with
// "-attempts" behind, which is never synced: it outlives the process. New counts
// a crash for each job in it, and empties it before.
//
// # Leases of several nodes
//
// Where the database has a clock of its own (sqldb.Dialect.Now), any number of
// nodes may have a Storage on it, and a lease is a row with a fence and the time
// by that clock at which it ends. It is written by the committer, like all else:
// it is durable before the attempt begins, and picks that are asked for at once
// share a commit.
//
// A pick locks free jobs of a lane, and passes over those that are locked (FOR
// UPDATE SKIP LOCKED). Of two nodes that both saw a lease end, the second to
// insert gets no row. A Settle claims its lease by deleting the row in the
// transaction that writes the outcome; where it is not there any more, or has
// another fence, or its time is over, the outcome does nothing (fencing).
// An Edit changes the job at once, and notes in the lease what the outcome must
// leave alone. Nothing but time ends the lease of a node that died.
//
// No row is one that all nodes write. A counter is the sum of the nodes' shares.
// A lane's row is a lower bound: who adds a job that it fits only shares a lock
// on it, and who finds it too low while looking has it raised or deleted in the
// next commit, if nobody holds it then. An EnqueueTx writes rows of its own
// alone, however long the application's transaction lasts.
//
// # Invariants
//
//   - I1: queue_lane holds the lowest next of the jobs of each lane, and has no
//     row for a lane without jobs; queue_count holds the numbers of jobs. Both
//     change in the transaction that changes queue_job. With several nodes a
//     lane's next may be lower, and a lane without jobs may have a row: for every
//     job that is committed there is a row that is not later, or a hint.
//
//   - I2: A job is leased on a row that no later commit has changed: a pick
//     passes over jobs that were settled or edited while it was reading.
//
//   - I3: A damaged record is never changed or deleted but by an operator's
//     drop. It is held, named in the log, and stops no other job.
//
//   - I4: With several nodes, at most one row of queue_lease has not ended for a
//     job, and an outcome is written in the transaction that deletes it.
//
// # Lock order
//
// Storage.picking, then leases.mu, or nodes.mu alone; no lock is held while the
// database works, but picking.
//
// In the database of several nodes: keys of Once and the rows of jobs in the order
// of the Works, each job before its lease; then, at the end of the batch and each
// in ascending order, released blobs, lanes, the node's own counters, entries.
// Picks and repairs wait for nobody.
package sqlqueue
