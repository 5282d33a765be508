// Package history keeps for a time what became of messages: when each recipient
// was finished, how, after how many attempts, and what the next hop said last.
// It answers the question of every operator's week, "where is my mail of
// Tuesday?", when the queue has long forgotten the job.
//
// [History.Record] is a value for queue.Runner.Record: one entry of the queue for
// each outcome that finishes a recipient, written in the commit that settles it,
// so there is no further sync, and the history has neither gaps nor what did not
// happen. A recipient that an operator drops leaves no record.
//
// # Keys
//
//	history    time, descending / job / part   the record, as JSON
//	history.n  bucket of 10 min / process      rows written in it, and 64ths of their octets
//
// So a time range is a range of keys, the newest first; other conditions are
// checked while it is read.
//
// # Bounds
//
// A record expires after Keep, and is deleted by the storage. [History.Run] looks
// once a minute at the counts, and deletes the oldest buckets of more than
// MaxRows or MaxOctets; between two looks there may be more.
//
// # Invariants
//
//   - Y1: A record stands there if and only if its outcome was settled; a crash
//     between the next hop's 250 and the commit leaves none, and the attempt that
//     follows (RFC 1047) writes its own.
//   - Y2: No record holds more than MaxReply octets of what another host said, and
//     none holds what a message says.
package history
