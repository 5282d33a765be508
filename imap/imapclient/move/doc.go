// Package move moves messages between mailboxes of a server, so that none is
// lost whatever the server offers and wherever it breaks off.
//
//   - MOVE, where it is offered (RFC 6851): the server does it all. What is still
//     in the mailbox behind it is told as Left.
//   - Else COPY, and for the messages that COPYUID confirms one by one (RFC 4315
//     §3) STORE \Deleted and UID EXPUNGE of exactly those (§2.1). Other messages
//     with \Deleted stay.
//   - Where neither is possible nothing is copied: ErrNotPossible.
//
// # Invariants
//
//	V1  A message is removed only by the server's own MOVE, or behind a COPYUID
//	    that says which message its copy is.
//	V2  No message is removed that the caller did not name.
//	V3  Result and error together say for each message what is known of it: in
//	    Moved it is gone here and stands there; in Copied it stands at both places.
//
// # Crash table
//
//	broken off                   what is left
//	during MOVE                  each message at one of the two places; moving again does the rest
//	behind COPY                  copies, and all originals
//	between STORE and EXPUNGE    copies, and originals with \Deleted
package move
