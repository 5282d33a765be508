// Package emltree makes trees of .eml files a source and a target of package
// migrate: a directory a mailbox, a file a message. Files at the root are INBOX.
//
// As a source it reads every file whose name ends in ".eml", in any case, and
// changes nothing. A file is known by its name; its INTERNALDATE is that of its
// first Received field, else of Date. Lines that end in LF become CRLF.
//
// As a target it writes files with CRLF line ends and names such as
//
//	20240131T235959Z-000001-f3k9x2mq+seen,flagged,$Forwarded.eml
//
// with INTERNALDATE, and flags and keywords behind the "+", which it reads again.
// Keywords that no file name has room for are reported. A batch of messages and
// what is remembered of it are one, see deliver/migrate/internal/filetree; the state
// is kept in mailstead-migrate/.
//
// A mailbox takes about 200 octets of memory a message while it is read.
package emltree
