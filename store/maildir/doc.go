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
//	DIR/ACCOUNT/.A.B/          mailbox "A/B", in modified UTF-7; "." in a level is "&AC4-"
//	DIR/ACCOUNT/*/dovecot-keywords   the keywords of letters a to z
//	DIR/ACCOUNT/*/mailstead-mailbox  the MailboxID
//	DIR/ACCOUNT/mailstead/index      UIDs, ModSeqs, facts, entries: a journal
//
// A message is a file in cur/ named UNIQUE,S=SIZE,W=SIZE:2,LETTERS, or in new/
// while it has no letter. Letters are D, F, R, S, T and those of keywords; others
// stay. Keywords beyond 26 live in the index alone. Bodies are kept with the
// line ends they came with; a file of another program whose lines end in LF is
// turned to CRLF when it is read, in memory. A mailbox whose directory would
// have a name of more than 240 octets gets one that other programs do not see.
//
// # Order of a Change, and what a crash leaves
//
//	step                                              a crash before it leaves
//	1 write bodies (or links) into tmp/, sync them    nothing
//	2 sync tmp/                                       files in tmp/
//	3 append to the index, sync it: it has happened   files in tmp/
//	4 link into cur/ or new/, sync the directory;     the whole Change; the next Open does the rest
//	  rename for flags
//	5 remove old names, return                        a second name, which the next scan removes
//
// The index comes before the names in cur/, so that a Change that was not
// acknowledged is never seen by half. After a failed write to the index nothing
// is acknowledged until the store is opened again.
//
// # Changes by others
//
// A scan compares the tree with the index: at Open, and when an account is used
// or waited for, at most once an Options.ScanInterval. New files get UIDs in
// order of their names, other letters become flags, files that went leave
// tombstones, and folders that were made, renamed or removed are mailboxes that
// were. All that one scan finds has one ModSeq. What others do while no store
// is open is found at the next Open. A tree without an index gets one, with new
// UIDVALIDITYs; mailboxes keep their MailboxIDs.
//
// # NFS
//
// No flock or fcntl lock is used. The owner lock is made by link(2), and taken
// over from an owner that is dead (a process of this host that is not there) or
// has not renewed it for two minutes. Names are unique by time, process,
// counter and host; ESTALE is tried again.
//
// # Blobs
//
// A body is copied from Store.Blobs into the tree; the blobs serve the queue,
// and a message does not refer to them: Message.Blob is empty, an expunged
// message cannot be read. Options.KeepBlobs keeps the reference.
//
// # The suite
//
// With KeepBlobs the store passes storetest.Run with storetest.Everything, but
// for the cases that are skipped:
//
//	Purge*   tombstones are kept for ever
//	Nodes*   one process owns the tree of a store
//	Retain*  no retention and legal hold
//	Fault*   package storetest is not given faults; the crash tests here fail
//	         and cut every operation
//	WrapCounts, and others of optional capabilities: there are none
//
// Without KeepBlobs these cases cannot pass: those of Holds, ContentExpunged,
// and MessagesFields for Message.Blob.
//
// # Locks
//
// account.mu, then Store.mu. account.mu is held while files are renamed and
// the index is synced, never while a body is read or written.
package maildir
