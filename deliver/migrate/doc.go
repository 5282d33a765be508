// Package migrate moves accounts: from servers, stores and files into others, with
// flags, keywords, dates, subscriptions and special uses, in repeated passes until
// the switch-over. It knows no protocol and no format; adapters stand in
// sub-packages:
//
//	storeaccount   an account of a store.Store           source and target
//	maildirtree    a Maildir++ tree                      source and target
//	mboxtree       an mbox file or a tree of them        source and target
//	emltree        a tree of .eml files                  source and target
//	imapaccount    an account of an IMAP server          source and target
//	pop3account    a maildrop of a POP3 server           source
//
// # How a pass goes
//
// A [Source] lists mailboxes, and each mailbox its messages in ascending order of
// their IDs. A [Keeper] has for each mailbox of the source what was migrated: for each
// message its ID, where it lies in the target, and the flags that the source had. [Run] merges
// the two lists: what only the source has is copied, in batches; flags that the source
// has changed since are changed in the target; what only the keeper has is gone, and
// is removed where Options.Remove says so and nobody has changed it in the target.
// While a batch is committed the next one is read. A mailbox whose State is that of
// the last whole pass is not opened.
//
// # Invariants
//
//   - M1: what Run reports as copied is in the target, durably.
//   - M2: no message is copied twice, whatever ended the runs before: what was copied is
//     noted together with the batch (Writer.Atomic), or the target is searched for
//     what is in doubt before anything is copied, by [Print].
//   - M3: Run returns nil only when every message of every selected mailbox is in the
//     target; what is left out is a [Skip], and the next run tries it again.
//   - M4: nothing is changed in the source.
//   - M5: what a user has changed or removed in the target stays so, unless the source
//     changes the same flag later.
//   - M6: a name of the source leads to one clean name in the target, its own and the
//     same at every run.
//   - M7: of bodies 4 MiB a mailbox at most are held on their way; of a mailbox a page
//     of what is noted, for each of up to 13 runs of pages. Recognising by Print takes
//     16 octets a message of the target and the Prints of what is in doubt, [Verify] 56
//     octets a message, Remove 16 octets when something is gone, the adapters what
//     their packages say.
//
// # What a crash leaves
//
//	crash during                   leaves                             next run
//	listing, fetching, Add         nothing that counts                begins behind the last batch
//	Commit, atomic                 the batch with its notes, or       goes on behind it; refs that were
//	                               neither                            not known yet are resolved
//	Commit, or before Save, where  any part of the batch, each        recognises them by Print
//	the target is not atomic       message whole
//	Alter                          any of the changes                 makes them again
//	a change of Validity           the old pages beside the new ones  recognises the rest by Print
//
// # Locks
//
// The goroutine of a line has the Writer and the open run of the ledger while a load is
// under way. run.mu guards the report and the names, and orders events; Options.Progress is called under it.
// Nothing is called with it held but that.
//
// # RFCs
//
//	RFC   what is taken from it
//	6154  §2 special uses
//	8457  \Important
package migrate
