// Package mboxtree makes mbox files a source and a target of package migrate: one
// file, or a tree of them.
//
// As a source it changes nothing. A directory may hold files with the extension
// ".mbox" or without, as mutt, Pine and Dovecot have them, directories "X.sbd"
// (Thunderbird), and directories "X.mbox" with a file "mbox" (Apple Mail); files that
// do not begin with a From line are passed over. Flags come from Status, X-Status,
// X-Keywords, X-Mozilla-Status, X-Mozilla-Keys and X-Gmail-Labels; those that belong
// to the file and not to the message, X-UID and X-IMAPbase with them, are not part of
// what is copied. INTERNALDATE is the date of the From line. What Thunderbird has
// deleted and not yet removed, and the first message that some servers keep notes in,
// are left out.
//
// A message has no name in an mbox. It is known by its date and the digest of its
// content, so messages come in order of their dates. A pass reads the whole file, unless
// time and size of the file are those of the last pass. About 150 octets a message are
// kept. A file that is cut or written anew meanwhile ends the pass with
// migrate.ErrChanged; one to which mail is delivered is locked for a moment, as far as
// it may be written, and read up to where it then ends.
//
// As a target it writes MboxRD, "A/B" as A/B.mbox, with Status, X-Status, X-Keywords
// and X-Migrate-Id in front of each message. No other program may write to the files
// meanwhile. A batch and what is remembered of it are one, see
// deliver/migrate/internal/filetree; a change of flags writes the file anew. A message
// without a line end at its end gets one.
package mboxtree
