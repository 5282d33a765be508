// Package store is the contract between mail and those who use it: accounts,
// mailboxes, messages and the changes made to them. IMAP, POP3, LMTP delivery,
// Sieve, backup and migration stand on the 13 methods of [Store] and
// [Account] and the 4 of [blob.Blobs]; a backend author writes these and
// nothing else. Package memstore is the shortest backend, package sqlstore the
// one for production, and storetest.Run judges any.
//
// # Data model
//
// An account holds mailboxes, a mailbox holds messages, and both hold entries:
//
//		Store ── Account ─┬─ Mailbox ─┬─ Message ── blob.Ref ─▶ Blobs
//		                  │           └─ Entry
//		                  └─ Entry
//
//	  - A [Mailbox] is a row: name, UIDVALIDITY, UIDNEXT and exact counters. Its
//	    [MailboxID] outlives renames. INBOX is always there.
//	  - A [Message] has facts that never change (size, dates, EmailID, the Ref
//	    of its body, [Meta]) and a state that does (flags, keywords, ModSeq). It
//	    is named by mailbox and [UID]. Its octets are Prefix and then the blob,
//	    so that one blob serves all recipients.
//	  - An [Entry] is a small value under a key: annotations, rights, scripts.
//	  - Nothing is changed but by [Account.Apply], which takes a [Change]: a list
//	    of [Op] values that happen together or not at all.
//	  - Every Change that changes something takes the account's next [ModSeq].
//	    What it touched carries that ModSeq; what it removed leaves a tombstone
//	    with it. So "what changed since M" is a complete, ordered log, and one
//	    log feeds CONDSTORE, QRESYNC, NOTIFY, IDLE, POP3 snapshots, backup and
//	    search indexes.
//
// A backend stores facts and mod-sequences. It never sees a sequence number, a
// FETCH item, a search key or a response; and no rule that all backends share
// is its own to write: names ([CleanName]), keywords ([SetFlags.On]), faults
// that show without the account ([Change.Check]), descriptions and threads
// ([PrepareAppend]).
//
// # Invariants
//
// storetest names the invariant that a failing backend broke.
//
//   - I1: a Ref stands for the same octets for ever (package blob).
//
//   - I2: UIDs of a mailbox ascend in the order in which messages become
//     visible, and none is given out twice under one UIDVALIDITY: not after
//     expunge, a refused Change, a crash or a restore.
//
//   - I3: (mailbox, UIDVALIDITY, UID) stands for the same octets for ever. No
//     UIDVALIDITY is given out twice in an account, nor in a later account of
//     the same id; it changes only where UIDs lose their meaning.
//
//   - I4: there is one ModSeq counter an account. It ascends strictly in the
//     order of commits, and values become visible in that order: a reader that
//     has seen M never later meets a new change with a value of M or less. A
//     Change that changed nothing takes none.
//
//   - I5: a Change is atomic and isolated. When an Op is refused, nothing of
//     the Change is ever seen. Conditions (\Deleted, UNCHANGEDSINCE, IfAbsent,
//     quota) are judged inside it.
//
//   - I6: what was acknowledged is durable: when Apply or Create returns nil
//     it survives a power cut. ClaimRecent alone may be lost.
//
//   - I7: counters are exact at every ModSeq: those of a Mailbox are those of
//     its messages, those of Usage the sum over the mailboxes.
//
//   - I8: the log is complete: the state at M and what is reported since M
//     give the state now, for every M that is not below the purge mark, and
//     below it the answer is ErrResync, never a gap. The mark never goes back;
//     where an import ends it is moved up to the account's ModSeq.
//
//   - I9: a Once key is applied at most once an account, for 30 days, across
//     crashes; each later Change with it returns the first Result.
//
//   - I10: no Change without IgnoreQuota that makes an account hold more ends
//     above its Limits, however many run at once. Its Ops are judged in their
//     order: room that a later Op frees does not count. Who is above already
//     may do all that does not grow.
//
//   - I11: a message never exists without its blob. Holds names every Ref that
//     a message refers to now, or did less than 24 hours ago.
//
//   - I12: no lock, transaction or connection is held while code of the caller
//     runs: the body of any loop may call any method.
//
//   - I13: names are clean and belong to one mailbox at a time; the level above
//     every name is there; INBOX is always there.
//
//   - I14: no wake-up is missed: Wait(M) returns soon after the ModSeq passed
//     M, whenever that was.
//
//   - I15: of concurrent conditional writes (IfAbsent, IfModSeq, Once,
//     UNCHANGEDSINCE) at most one wins.
//
//   - I16: a message that a Hold covers is not deleted in any way (stores with
//     the capability Holder).
//
// # Who calls what, and what is durable
//
// "At once" says from how many goroutines a method is called in a busy server;
// every backend takes any number.
//
//	method       caller                            at once              durable when it returns
//	Open         every session, delivery, job      thousands            -
//	Create       provisioning                      a few                the account and its INBOX
//	Accounts     backup, mailctl, the collector    one                  -
//	Blobs        PrepareAppend, the queue          one a delivery       Writer.Commit: the octets
//	Holds        blob.Collector                    one                  - (an error keeps everything)
//	Close        whoever opened, once the callers  one                  all that was handed over
//	             of Apply are back or given up
//	Mailboxes    views: at start, then since M     one an account       -
//	Messages     views, FETCH of facts, backup     one a session        -
//	Content      FETCH of bodies, RETR, SEARCH     one a session        -
//	Entries      METADATA, ACL, Sieve, connectors  one a session        -
//	Apply        everyone who changes something    hundreds an account  the whole Change (but ClaimRecent)
//	Wait         a watcher                         one an account       -
//	Usage        QUOTA, delivery before DATA       one a delivery       -
//
// The optional capabilities, reached through their helpers only:
//
//	SearchText, SortMessages      SEARCH, SORT of IMAP     one a session        -
//	LockMaildrop, UnlockMaildrop  POP3 login, end          one a session        - (a lease; may be lost)
//	WriteMeta                     FETCH, SORT, SEARCH      one a session        - (a cache; may be lost)
//	Snapshot                      backup                   a few an account     -
//	PutHold, DropHold             an administrator         one an account       the hold, or its end
//	ListHolds                     an administrator         one an account       -
//	ListKeys                      an encrypting wrapper    one a session        -
//	WriteKeys                     its change of keys       one an account       all of it
//
// A context that is cancelled before a method is called, or while it waits for
// its turn, makes it return the context's error with nothing done. Apply alone
// may go on after that, and then returns the true outcome.
//
// # What a crash leaves
//
//	power cut during                  leaves                                next
//	storing a body                    a blob or nothing                     the collector takes it
//	Apply, before the commit          nothing of the Change, blobs without  the caller tries again
//	                                  a message
//	Apply, after the commit           the whole Change; the caller may not  a repeat with the same Once
//	                                  know (ErrUnknown)                     returns the Result
//	Create                            the account with INBOX, or nothing    ErrExists, or again
//	delete of mailbox or account      the mark; rows that wait for the      goes on in the background
//	                                  purge, seen by nobody
//	ClaimRecent                       RecentFrom as it was                  \Recent is told twice
//	collection                        each blob whole or gone               the next run
//
// There is no state that needs repair before the store is opened again.
//
// # Locks
//
// The contract has none, and I12 keeps a backend's own out of its callers'
// way. A backend that locks takes its locks in this order and documents them:
// account, then store-wide tables, then blobs. Nothing is locked while a
// Holder is asked or a blob is read.
//
// # RFCs
//
//	RFC    what is taken from it
//	9051   §2.3 UIDs, flags, keywords; §5.1 names; §6.3.4–6.3.7 create, delete,
//	       rename, subscribe; §6.4 store, copy, move, expunge. The store's side of it
//	3501   §2.3.2 \Recent
//	4315   §3 pairs of COPYUID and APPENDUID
//	5198   §2 Net-Unicode: names in NFC
//	5256   §2 base subject and sent date, which Describe computes
//	6154   special use, as Mailbox.Role
//	7162   mod-sequences, UNCHANGEDSINCE, tombstones for QRESYNC
//	8474   MailboxID, EmailID, ThreadID
//	8514   SAVEDATE, as Message.Saved
//	8970   preview, in Meta
package store
