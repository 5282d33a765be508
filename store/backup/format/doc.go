// Package format reads and writes the objects of a backup archive, which
// docs/backup-format.md describes octet by octet: manifests, logs of rows, and
// packs of bodies, in a [Target]. Package backup makes archives of stores with
// it and restores them; a program that only looks into an archive needs no
// more than this.
//
//	ReadManifest ── Entry ── OpenChain ── Mailboxes, Messages, Entries
//	                                          │
//	                         Bodies ◀── Hash of the body
//
// # Invariants
//
//   - F1: an object that was not committed is not there; one that is there
//     never changes.
//   - F2: every octet is under a SHA-256 that is checked before the octet is
//     believed. ErrDamaged names the object.
//   - F3: what is read is bounded by [Limits], and by the constants of the
//     format, before memory is taken for it. ErrLimit.
//   - F4: a [Chain] yields what its logs say in order of mailbox and UID, with
//     memory for one row of each log.
//
// # Concurrency
//
// Targets and a [Bodies] whose packs are loaded may be used from any number of
// goroutines; Bodies.mu is a leaf. A Codec, the writers, readers of logs and
// chains belong to one goroutine.
package format
