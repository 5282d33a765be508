// Package backup makes archives of a store: complete or incremental, while the
// store is in use, and restored into any engine. An [Archive] lies in a
// [Target], a directory ([Dir]) or a bucket; docs/backup-format.md describes
// every octet of it, and package format reads and writes them.
//
// # What a backup holds
//
//	Manifest ── Entry, one an account ── Log ── Parent ── Parent ─▶ full log
//	                                      │
//	                                      ├─ rows: mailboxes, messages, entries, tombstones
//	                                      └─ bodies: message → SHA-256 ─▶ packs
//
// A log holds what changed in an account since the ModSeq of its parent; a full
// one has none. All logs from the full one on, applied one after the other,
// are the account as it was at one ModSeq, byte for byte and ModSeq for
// ModSeq: mailboxes with ids, names, UIDVALIDITY, UIDNEXT and counters,
// messages with all their fields, entries, and the tombstones that the account
// still knew. Limits, state and holds stand in the Entry. Each body is kept
// once in the whole archive, by its hash, packed with zstd. Meta is computed
// again by a restore.
//
// An encrypted store is backed up above its wrapper: the archive then has the
// content in plain and no Message.Key, and can be restored into a store that
// does not encrypt, or has other keys. Below the wrapper lie rows that the
// wrapper alone can read; that is no backup. Whoever needs ciphertext in the
// archive encrypts in the Target.
//
// Not in an archive: Once keys, \Recent, leases of maildrops, passwords, and
// the queue.
//
// # How an account is taken
//
// First its rows, from one snapshot where the store has them
// ([store.ReadAccount]), which takes seconds; then the bodies that are new.
// What was expunged meanwhile can be read for 24 hours, since a store holds
// blobs for so long (invariant I11 of package store), and for as long as the
// backup runs when its [Holder] is among the Holders of the collector;
// in a mailbox that was deleted meanwhile, only what opens without a key.
//
// An account is taken in full the first time, when its chain is long
// ([BackupOptions]), after store.ErrResync (so after each restore), when it is another account of the
// same id, when its counters moved 2^20 ahead (an import), while it is being
// imported, and after a backup that missed a body or whose log is damaged.
//
// # Invariants
//
//   - B1: a manifest is written last: what it names is on stable storage
//     before. An object never changes under its name; Prune alone replaces
//     manifests, by ones that name other packs.
//   - B2: a manifest is complete: everything that a restore needs is named in
//     it, or in a log that it names.
//   - B3: nothing is removed that a backup which stays needs.
//   - B4: every octet is under a SHA-256, and a body is checked from its end
//     to end when it is restored.
//   - B5: what is read is bounded by [Limits] before memory is taken for it.
//   - B6: an interrupted Backup, Restore or Prune is gone on with by the next
//     one, and leaves whole what was whole.
//
// # What a crash leaves
//
//	power cut during            leaves                               next
//	Backup                      the backups before it, its mark in   the same Backup within 24 h
//	                            runs/, whole logs and packs, files   goes on; another one removes
//	                            that are not named yet               what it left
//	Backup, manifest written    the backup, and its mark             the next Backup removes the mark
//	Prune                       the backups that stay; some of       the next Prune
//	                            what is to go
//	Restore of an account       the account in state                 the same Restore goes on
//	                            AccountImporting, with some of it
//	Restore with Append         some of the messages                 the same Restore appends the rest
//
// # Who may run at once
//
// Backup and Prune lock the Target. Any number of Restores and Verifies read
// beside a Backup, and not beside a Prune. The methods of an Archive start no
// goroutine that outlives them; a restore writes up to 8 bodies at once.
//
// # Locks
//
// refCache.mu is a leaf; no callback runs under it.
package backup
