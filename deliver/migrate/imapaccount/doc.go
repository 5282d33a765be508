// Package imapaccount makes an account of an IMAP server a source and a target of
// package migrate, over imap/imapclient.
//
// As a source it selects with EXAMINE and fetches with BODY.PEEK: it changes
// nothing. Messages are known by their UIDs under one UIDVALIDITY; where that
// changes they are recognised by their Print. A mailbox whose UIDVALIDITY, UIDNEXT,
// HIGHESTMODSEQ and number of messages are those of the last pass is not opened.
//
// As a target it appends, many messages at a time without waiting for each answer,
// with flags and INTERNALDATE. Several messages are no transaction in IMAP, and the
// server keeps no notes: the state of the migration is the caller's
// (migrate.Options.State), and after an interruption what is in doubt is looked for
// by its Print. A server without UIDPLUS does not say which UIDs messages get; they
// are found the same way, and removals are only marked with \Deleted there, as EXPUNGE
// would remove what others have marked.
//
// Names have the server's delimiter and the prefix of the personal namespace; both
// are taken away, so that "INBOX.Sent" of one server is "Sent" of another. Mailboxes
// of other users are left out. Names that the server sends may hold anything: it is
// package migrate that cleans them.
package imapaccount
