// Package table keeps one kind of queue.Entry in memory: a list that is read
// for each message and changed seldom, as rules and suppressions are.
//
// Who changes a [List] also writes a new random text under a name of its own in
// the kind's generations, in the same commit. A reader compares the generations once a
// second, one short query, and reads the list again only when they differ. A
// list that is longer than List.Max is not kept: what is asked for is looked up,
// in SQL with one query for each 32 keys.
//
// # Invariants
//
//   - T1: What List.Put or a commit with List.Changed wrote is seen by every List
//     of that kind, on whatever node, after Every.
//   - T2: The memory of a List is bounded by Max entries.
//   - T3: Where the storage cannot be read there is an error, and no old answer.
package table
