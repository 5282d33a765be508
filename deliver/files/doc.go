// Package files delivers into the mailboxes of the system, which other programs
// read: mbox files and Maildirs. A [Target] is a smtp.Receiver. store/mbox and
// store/maildir do the work and say what a crash leaves; a server of its own mail
// uses deliver.LocalDelivery and a store instead.
//
// # Invariants
//
//	F1  A recipient is delivered when its message would survive a power cut: file,
//	    then directory, then the note of an mbox file is taken away.
//	F2  A delivery that fails leaves nothing of the message, or takes it back at the
//	    next one; the recipient is deferred.
//	F3  An address never leads out of the directory that the template names, nor
//	    to a file that stands beside the mbox file of another: names that end in
//	    ".lock" or ".intent" are refused with 5.1.3.
//
// A file remembers no keys: who crashes between the delivery and the settling of
// its job leaves a duplicate (RFC 1047).
//
// Files are made with the owner of this process and mode 0600, directories with
// 0700. A mailbox must lie where nobody else can put a link in its place.
package files
