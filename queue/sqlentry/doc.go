// Package sqlentry is the table of a queue's entries (queue.Entry) in a SQL
// database, for package sqlqueue, whose batches it takes part in.
//
//	queue_entry  one row an entry; kind and key are octets, so their order is that
//	             of octets in every database
//
// It is a component of its own in the migrations of the database, so that a node
// of a version without entries goes on beside one with them.
//
// # Invariants
//
//   - E1: What a Batch writes to an entry is one row written once, and its rows are
//     written and removed in the order of kind and key: of several nodes none waits
//     for another in a circle.
//   - E2: An entry that has expired is as one that is not there, whether or not
//     its row was deleted yet.
package sqlentry
