// Package objects is what lies between blobs and an object store such as S3:
// the contract [Store], which package store/s3 implements, and the parts from
// which a blob.Blobs is made on it: [Writer], which finds out size and
// checksums before anything is sent, and [Reader], an io.ReaderAt in bounded
// windows. [Blobs] is a whole blob.Blobs with no catalogue but the listing of
// the object store; package store/sqlblob keeps a catalogue in a database.
//
// # Data model
//
// A body is one object with the octets of the body and nothing else, so that a
// bucket can be read without this package. Its key is made from 128 bits of time
// and chance and is used once. [Sums] are the checksums of its chunks; they
// lie in the metadata of the object and, where there is one, in the catalogue.
//
// # Invariants
//
//   - I1: octets are handed to a caller after the checksum of their chunk was
//     verified, else blob.ErrCorrupt.
//   - I2: nothing is sent before its size and its checksums are known.
//   - I3: an object under a key that was just made, with the size and the
//     checksum of the body, is the body: a Put whose reply was lost is done again,
//     and finds what it has stored.
//   - I4: a writer holds Options.Memory octets at most in memory, all
//     together Options.Budget; the rest lies in a temporary file that has no
//     name. A reader holds two windows.
//
// # What a crash leaves
//
//	power cut during   leaves                                  next
//	Write              nothing                                 nothing
//	Put                the object whole or not at all          Blobs: collected after MinAge
//	Delete             each object whole or gone               the next collection retries
//
// An open Blob stays readable when its blob is deleted by the process that has
// it open: Blobs fetches the rest into a temporary file first. Another process
// that has it open gets blob.ErrNoBlob: a collection with the default MinAge
// deletes only what nobody could open for 24 hours.
//
// # Lock order
//
// Reader.turn, then Blobs.mu. No lock but Reader.turn is held while the object
// store works.
package objects
