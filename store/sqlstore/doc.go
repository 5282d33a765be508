// Package sqlstore is a store.Store in a SQL database, with bodies in a
// blob.Blobs. It speaks database/sql through package sqldb alone; an engine
// such as store/sqlite brings the driver, the dialect and the blobs. Its tests
// stand where the drivers are.
//
// # RFCs
//
//	RFC 1939 §4        lock of the maildrop             as a lease
//	RFC 3501 §2.3.2    \Recent as RecentFrom, claimed in memory
//	RFC 7162           ModSeq, change log, tombstones   full
//	RFC 4315           COPYUID and APPENDUID results    full
//	RFC 8474           MailboxID, EmailID, ThreadID     full
//	RFC 8514           SAVEDATE                         full
//	RFC 9051 §6.3      names, INBOX, NoSelect levels    full
//
// # Data model
//
//	account  one row: counters that ascend, limits, state
//	mailbox  one row each: name, UIDNEXT, exact counters; kept as a tombstone
//	state    what changes of messages, packed into blocks of up to 96 (see block)
//	fact     what never changes, one row a message; outlives it by 24 h
//	log      for each Change and mailbox the UIDs changed and the UIDs expunged
//	thread   (key, base subject) → threads
//	entry    small values; kept as tombstones
//	once     idempotency keys with their Results
//	trash    what the cleaner has to take away
//	hold     legal holds and rules of retention; those of an account are in memory
//	maildrop who locked the maildrop, and until when
//
// There is no index by ModSeq: a query for changes reads the log, or where that
// is long, the state, which is short. Flagging 10,000 messages rewrites about a
// hundred rows.
//
// # How a Change goes
//
// The body is durable before Apply (stage 1). Apply looks that it is there,
// without reading it, and hands the Change to the group committer (stage 2).
// There, on one goroutine, each Op is judged on the working state of its
// account, which is kept in memory, and refused before anything is written
// where that is possible. Rows of accounts and mailboxes and the last block of
// a mailbox are written once a batch. After the commit the working state is
// copied to what readers see, waiters are woken, and Apply returns.
//
// # Invariants
//
//   - I1: every row of state has its row of facts; every row of facts has its
//     blob, for 24 h after the message is gone. A blob is adopted in the
//     transaction that writes the row (blob.Adopter).
//   - I2: the counters of a mailbox are those of its state; both are written
//     by the same commit.
//   - I3: (mailbox, UIDVALIDITY, UID) stands for the same octets for ever.
//   - I4: all that a Change did has one ModSeq, greater than all committed
//     before; what readers see grows in that order.
//   - I5: working state of an account that a failed batch touched is dropped
//     and read again.
//   - I6: no transaction, connection or lock is held while a caller's loop
//     body runs, but for the one of a Snapshot, which ends after
//     Options.SnapshotFor.
//   - I7: what a hold covers is not deleted. The committer judges it on the
//     holds that are committed or written before in the batch, so the cleaner
//     never meets a covered message.
//
// # What a crash leaves
//
//	power cut            leaves                                      next
//	before the commit    the body                                    collected after MinAge
//	after the commit     the Change whole                            Once answers a retry
//	in the background    a deletion half cleaned away; trash has it  the cleaner goes on
//	claims of \Recent    may be lost: messages are recent again      nothing
//	offers of Meta       may be lost                                 they are computed again
//
// # Lock order
//
// Store.mu, then account.mu. waiters.mu and metas.mu are taken last and alone. The
// committer's goroutine owns the working state and takes these locks only to
// publish.
package sqlstore
