// Package maildirtree makes Maildir trees a source and a target of package migrate.
//
// As a source it reads, and changes nothing: a Maildir++ tree (INBOX at the root,
// "A/B" in ".A.B"), directories below directories as other programs make them (A/B
// in A/B/), or both. Flags come from the names of files, P as $Forwarded; keywords
// from Dovecot's dovecot-keywords, subscriptions from the files subscriptions and
// courierimapsubscribed; INTERNALDATE is the time of the file. Lines that end in LF
// become CRLF. A file that another program renames meanwhile is found again.
//
// As a target it writes what Dovecot, Courier and mutt read, the Maildir++ layout.
// A batch of messages and what is remembered of it are one, see
// deliver/migrate/internal/filetree; it keeps its state in mailstead-migrate/, which no
// such program shows and which may be removed when the migration is over.
//
// A mailbox takes about 300 octets of memory a message while it is read.
package maildirtree
