// Package quirk knows in which well-known IMAP servers differ from what the
// RFCs and their own announcements say, and what a client does about it.
//
// [Table] is the whole knowledge: each row names the servers by what they say
// of themselves, what it changes (Effects), why, and who saw it. Rows have
// effects for safety only: they make a client use less of what a server
// announces, look more often, or ask in more commands. A server that behaves by now is a little
// slower to use, never wrong. What every client has to cope with at any server
// (HIGHESTMODSEQ 0, COPYUID that is absent or malformed, flags that IDLE does not
// tell) is no row: packages mirror, move and watch always do.
//
//	RFC 2971  ID   names of servers
package quirk
