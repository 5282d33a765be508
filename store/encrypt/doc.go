// Package encrypt keeps mail encrypted in any store: bodies in a blob.Blobs,
// rows in a store.Store. Whoever has the disks, the database, the object store
// or a backup of them, and not the keys, reads no mail.
//
//	ring, err := encrypt.OpenKeyFile("/etc/mail/keys")
//	bodies, err := encrypt.NewBlobs(segments, ring, encrypt.Options{})
//	rows, err := sqlstore.New(ctx, db, bodies, sqlstore.Options{})
//	mail, err := encrypt.New(rows, ring, encrypt.Options{})
//
// mail is what servers and local delivery get, and mail.Blobs() is what the
// queue gets. NewBlobs without New encrypts the bodies alone. Compression
// (package compress) goes above NewBlobs: compressed first, then encrypted.
// The guide docs/guide/encryption.md goes through it step by step.
//
// # Keys
//
//	master key ── HMAC ─▶ key of the queue, keys of each account
//	                          │ wraps (XChaCha20-Poly1305)
//	                          ▼
//	                      data key, random, one a blob ── HKDF ─▶ key of the row beside it
//	                          │                                     │
//	                          ▼                                     ▼
//	                      the body (age format)                   Prefix, Meta
//
// A [KeyRing] holds the master keys, several versions, one of them current. A
// blob's data key travels beside its Ref, wrapped: under the queue's key in
// queue.Job.Key, under the account's key in the rows of a store. At the
// hand-over it is wrapped anew, and the body stays as it is; so one body serves
// the queue and all recipients. What is wrapped says which version of the master
// key is needed. Entries are encrypted under a key of the account.
//
// A wrapped key is bound to its blob and its scope, what stands in a row to
// the account, the EmailID and the Ref, the value of an entry to the account,
// the mailbox and its key: what is moved elsewhere does not open.
//
// # What is encrypted, and what is not
//
//	bodies                        encrypted, authenticated in chunks of 64 KiB, the length too
//	Prefix, Meta, values of       encrypted
//	entries
//	hashes for threads, subjects  HMAC under a key of the account: equal ones show that
//	                              they are equal, within an account
//	names of accounts, mailboxes  plain: the store looks for them
//	and entries, Once, holds
//	flags, keywords, UIDs,        plain: the store counts and compares them
//	ModSeqs, sizes, dates,
//	EmailIDs, ThreadIDs, Refs
//	envelope, Prefix and peer     plain; the queue's storage is not wrapped
//	in the queue
//	a search index below          never found: see As
//
// The size of a stored body tells that of the content exactly, and with
// compression how well it compresses (see package compress).
//
// Somebody who can write to the store below can delete, restore what was there
// before, and copy a whole row within its account; all that without being able
// to read or forge a message. Neither he nor who reads the memory of the
// server is kept away from anything else by this package.
//
// # Invariants
//
//   - I1: those of the store below, with its durability, and those of package
//     blob. Durable is also the key: it is in the row that refers to the blob.
//   - I2: octets that are given out are those that were written. All else is an
//     error that names account, mailbox and message: store.ErrCorrupt for
//     damage, ErrNoKey for a key that is not there, ErrPlain for what nobody
//     encrypted, store.ErrVersion for what a newer version wrote. There is no
//     fallback to plain text.
//   - I3: a message that cannot be decrypted is listed with its state, and
//     keeps no other from being read. It has no Key, Prefix and Meta then, so
//     that it can neither be copied nor shown half. Damaged Meta alone is Meta
//     that is computed again.
//   - I4: no message is made whose body its Key does not open.
//   - I5: Rewrap changes no octet of a body and no ModSeq.
//
// # Capabilities
//
// MaildropLocker and Holder of the store below are let through, MetaWriter and
// Snapshotter are served with encryption, ContentOpener too. Searcher and
// Sorter are not found, since below there is only ciphertext to look at; nor
// is KeyWriter, which this package needs itself: without it Content finds no
// expunged messages, and Rewrap is store.ErrUnsupported. A store that writes
// plain files for other programs (package maildir) cannot be wrapped to any
// purpose.
//
// # What a crash leaves
//
//	power cut during       leaves                                    next
//	a body                 as in package blob; its key with nobody   the collector takes it
//	Apply                  as in package store
//	Rewrap                 some rows under the new key, some under   Rewrap again
//	                       the old
//	a change of a KeyFile  the file from before, or the new one      nothing
//
// # Locks
//
// The keys that were derived have a lock, which is not held while the KeyRing
// is asked. A KeyFile has its own. Neither is held while code of the caller or
// of the store below runs.
package encrypt
