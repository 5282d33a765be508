// Package suppress keeps a list of recipients and domains that get no mail: who
// complained, what an operator stopped, and, where that is wanted, addresses
// that do not exist. Mail to them goes on being sent by others for years, and
// receivers judge a host by how much of its mail goes nowhere.
//
// [List.Router] stands in front of a queue.Router: a suppressed recipient fails
// at the attempt, without a connection, with 550 5.7.1 (RFC 3463 §3.8) and the
// reason; its sender gets the DSN that NOTIFY asks for, as of every failure.
// [List.Record] is a value for queue.Runner.Record, and writes the addresses of
// hard bounces in the commit that settles them.
//
// The list lies in the queue's entries. Lookups are those of package queue/table:
// in memory, or where the list is long with one query for each 16 recipients.
//
// # Invariants
//
//   - S1: A suppressed recipient is not attempted, on whatever node, one second
//     after the entry was written.
//   - S2: Where the list cannot be read the job is deferred.
//   - S3: Only what another host, or the DNS, said of an address is recorded: never
//     what is refused here, nor local mail.
//
// Addresses are compared as queue.FoldPath says: ASCII letters without regard to
// case.
package suppress
