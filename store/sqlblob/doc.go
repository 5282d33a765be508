// Package sqlblob is a blob.Blobs for several nodes: its catalogue is a table in
// the database that the nodes share, small bodies lie in that table, and larger
// ones in an object store (package objects), such as store/s3. It speaks
// database/sql through package sqldb alone; its tests stand where the drivers
// are.
//
// # Data model
//
//	blob_body  one row a blob: state, size, checksums, when it was committed,
//	           and the octets where they are few
//
// A blob is a row that is whole. An object is named by its row's Ref, which is
// made of time and chance and used once.
//
//	          row       object   then
//	writing   intent    maybe    Commit makes it whole, or Sweep gives it up
//	whole     the blob  there    Delete
//	gone      none      maybe    Sweep removes the object, then the row
//
// # Invariants
//
//   - I1: the row of an object is committed before the object is sent. So every
//     object has a row, and nothing has to be listed to find what was left
//     behind.
//   - I2: a row becomes whole when the object store said that the object is
//     durable, and only from writing: a row that was given up never does.
//   - I3: a transaction that adopts a Ref holds its row locked to its end, and
//     fails with blob.ErrNoBlob where the row is not whole. One that is deleted
//     is deleted in a transaction that finds the mark of its collector, and no
//     lock of somebody who adopts.
//   - I4: an object is removed Options.GoneFor after its row was, so that
//     other nodes may read on what they have open; never while this process has it
//     open.
//   - I5: octets are handed out after their checksum was verified.
//
// # What a crash leaves
//
//	power cut, kill or lost network during   leaves                     next
//	the commit of the intent                 nothing, or an intent      given up after WritingFor
//	the upload                               an intent, an object or    given up after WritingFor,
//	                                         none                       then removed
//	the commit that makes it whole           a blob, of which nobody    collected after MinAge
//	                                         has the Ref, or an intent
//	Condemn                                  a mark, which hinders      the next collection
//	                                         nobody
//	Delete                                   the row gone, an object    Sweep removes it
//	Sweep                                    a row that is gone         Sweep goes on
//
// Where the database can be restored to an earlier moment, GoneFor together
// with the collector's MinAge must exceed the reach of such a restore.
//
// # Lock order
//
// Blobs.mu alone. No lock is held while the database or the object store works.
// In the database the rows of blobs are locked last in a transaction, those of
// one batch in ascending order at once. A collector waits for no lock of who
// adopts: it leaves the blob alone.
package sqlblob
