// Package maildir is a store.Store on Maildir++ trees that other programs
// (Dovecot, mutt) read and change at the same time: one tree an account, below
// one directory. It is for those who need that; package sqlstore is faster and
// stronger in all else.
//
// # What lies where
//
//	DIR/.lock                  the process that owns the store
//	DIR/.validity              UIDVALIDITYs up to this one are given out
//	DIR/ACCOUNT/               INBOX: cur/, new/, tmp/
//	DIR/ACCOUNT/.A.B/          mailbox "A/B", in modified UTF-7 or UTF-8; "." in a level is "\2e"
//	DIR/ACCOUNT/*/dovecot-keywords   the keywords of letters a to z
//	DIR/ACCOUNT/*/mailstead-mailbox  the MailboxID
//	DIR/ACCOUNT/mailstead/index      UIDs, ModSeqs, facts, entries: a journal
//
// A message is a file in cur/ named UNIQUE,S=SIZE,W=SIZE:2,LETTERS, or in new/
// while it has no letter. Letters are D, F, R, S, T and those of keywords; others
// stay. Keywords beyond 26 live in the index alone. Bodies are kept with the
// line ends they came with; a file of another program whose lines end in LF is
// turned to CRLF while it is read. A mailbox whose directory would have a name
// of more than 240 octets gets one that other programs do not see.
//
// # Order of a Change, and what a crash leaves
//
//	step                                               a crash before it leaves
//	1 write bodies (or links) into tmp/, sync them     nothing
//	2 sync tmp/, and cur/ where a message of the       files in tmp/
//	  Change was renamed since it was synced
//	3 append to the index, sync it: it has happened    files in tmp/
//	4 move directories aside, rename and make them,    the whole Change; the next Open does the rest
//	  each name free and durable before it is taken
//	5 link into cur/ or new/, sync the directory;      the same
//	  rename for flags
//	6 remove old names, return                         a second name, which the next scan removes
//
// The index comes before the names in cur/, so that a Change that was not
// acknowledged is never seen by half. testdata/trace.txt has the order for each
// kind of Change. When the index cannot be written it is written anew, without
// that Change; where that fails too the Change returns ErrUnknown, and nothing
// is acknowledged until it succeeds: a full disk heals by itself.
//
// # Changes by others
//
// A scan compares the tree with the index: at Open, and when an account is used
// or waited for, at most once an Options.ScanInterval. It passes over folders
// whose cur/ and new/ did not change. New files get UIDs in order of their
// names, other letters become flags, files that went (they are looked for twice)
// leave tombstones, and folders that were made, renamed, exchanged or removed
// are mailboxes that were. What others do while no store is open is found at the
// next Open. A tree without an index gets one, with new UIDVALIDITYs; mailboxes
// keep their MailboxIDs. A folder or file that cannot be read is logged, and
// left as it was.
//
// What Dovecot on the same tree shares: messages, flags, keywords (its file
// dovecot-keywords, under its lock) and folders. What it does not: UIDs. It
// keeps its own in dovecot-uidlist, with a UIDVALIDITY of its own, which this
// package neither reads nor writes, as it does not read ours; to clients the two
// are two servers. Subscriptions and special uses are each server's own, too.
// With its mailbox_list_index Dovecot may miss a folder that was renamed within
// the second of a change that it made itself.
//
// # NFS
//
// No flock or fcntl lock is used. The owner lock is made by link(2), and taken
// over from an owner that is dead (a process of this host that is not there) or
// has not renewed it for two minutes. Names are unique by time, process,
// counter and host; ESTALE is tried again, and a link whose answer was lost is
// recognised by the identity of the file.
//
// # Blobs
//
// A body is copied from Store.Blobs into the tree; the blobs serve the queue,
// and a message does not refer to them: Message.Blob is empty, an expunged
// message cannot be read, and who copies a message elsewhere reads its Content.
// Options.KeepBlobs keeps the reference.
//
// # The suite
//
// With KeepBlobs the store passes storetest.Run with storetest.Everything and
// storetest.Retains, in memory also under faults, but for the cases that are
// skipped:
//
//	Nodes*                            one process owns the tree of a store
//	WrapCounts, Lock*, Meta*          no MaildropLocker and no MetaWriter: the
//	                                  helpers lock in the process and compute again
//	Search*, Sort*                    no index of texts: the helpers read
//	Snapshot*                         no Snapshotter: ReadAccount reads until
//	                                  nothing changes
//
// Without KeepBlobs these cases cannot pass: those of Holds and RetainBlobs,
// ContentExpunged, and MessagesFields for Message.Blob.
//
// A Hold holds this store back; what another program removes is gone.
//
// # Locks
//
// account.mu, then Store.mu. account.mu is held while files are renamed and
// the index is synced, never while a body is read or written. Each Change of an
// account syncs by itself: many writers are fast on many accounts, not on one.
package maildir
