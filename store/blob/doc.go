// Package blob is the contract for keeping immutable sequences of octets: the
// bodies of messages. It is a leaf: stores, queues, backups and holds share
// one [Blobs], so that a message is accepted once and written once, however
// many recipients and queues refer to it.
//
// # Data model
//
// A blob comes to life in [Writer.Commit], which returns its [Ref], and never
// changes afterwards. Whoever wants to keep it writes the Ref into a row of
// its own, together with whatever it knows about the message. Blobs keeps
// octets, their number, their checksum and the time of the commit; nothing
// about who refers to them.
//
// # Invariants
//
//   - I1: a Ref stands for the same octets for ever. It is never given to
//     other octets, not after Delete, a crash or a compaction.
//   - I2: when Commit returns nil the blob survives a power cut. When it
//     returns an error the blob may exist or not; nobody has its Ref, so it
//     is collected.
//   - I3: Open returns the octets that were written or an error. Octets that
//     do not match their checksum are ErrCorrupt, never data.
//   - I4: List yields committed blobs only, each once, in ascending Ref order;
//     nothing torn is ever listed.
//   - I5: an open Blob stays readable until it is closed, whatever happens to
//     its Ref in between.
//   - I6: a Ref that was deleted is ErrNoBlob from the return of Delete on,
//     also after a power cut.
//   - I7: engines never destroy octets that they cannot read: damage is set
//     aside and reported.
//
// # Blob life
//
// There are no reference counters: a counter that is wrong once loses mail. A
// blob is needed while some [Holder] says so.
//
//	Create ──▶ Commit ──▶ held by a row ──▶ released ──▶ MinAge passes ──▶ collected
//	              │                             ▲
//	              └──── never adopted ──────────┘
//
// [Collector] alone calls Delete. A candidate is older than MinAge and no
// holder, which also answers for what it released less than MinAge ago, keeps
// it. A Ref may be adopted by a new row only while a writer's lease or another
// holder keeps it, else the adopter returns ErrNoBlob. So a row without its
// blob never exists, and a blob without a row is harmless.
//
// Between the answer of the last holder and Delete a Ref may pass from one
// holder to the next unseen. Age rules that out on one machine. Where several
// nodes share a catalogue in their database, [Adopter] and [Condemner] do:
// who adopts locks the catalogue's row in its own transaction, and the
// Collector marks what nobody holds, asks again, and deletes only what kept
// its mark.
//
// MinAge must exceed the longest time between a Commit and the commit of the
// row that adopts it, and where metadata can be restored to an earlier point
// in time, the reach of such a restore.
//
// # What a crash leaves
//
//	power cut during        leaves                                   next
//	Create, Write           nothing, or octets without a Ref         the engine frees them
//	Commit                  the blob or nothing; nobody has the Ref  collected after MinAge
//	after Commit, no row    a blob that nobody holds                 collected after MinAge
//	Delete                  each blob whole or gone                  the next collection retries
//
// # Lock order
//
// An engine takes its own locks last: none is held while a Holder is asked,
// while the body of a List loop runs, or while a Writer waits for its caller.
//
// # Engines
//
// Package segment keeps blobs in append-only files on one machine, package
// memblob in memory. Package blobtest judges any engine.
package blob
