// Package imap is the vocabulary of IMAP: what servers and clients of the
// protocol both name. It does no I/O.
//
// # RFCs
//
//	RFC 3501  IMAP4rev1                   names of flags, states, items, keys, codes
//	RFC 9051  IMAP4rev2                   where it clarifies RFC 3501
//	RFC 3348  CHILDREN                    mailbox attributes
//	RFC 3502  MULTIAPPEND                 capability
//	RFC 4315  UIDPLUS                     response codes
//	RFC 4731  ESEARCH                     result options
//	RFC 5258  LIST-EXTENDED               mailbox attributes
//	RFC 5530  response codes              all that a server sends
//	RFC 6154  SPECIAL-USE                 mailbox attributes
//
// # Glossary
//
//   - sequence number: the place of a message in the selected mailbox as one
//     client knows it, 1..n; it changes with each expunge.
//   - set: numbers and ranges of numbers as a client writes them, "2,4:7,9:*".
//   - item: what FETCH or STATUS asks for.  key: what SEARCH asks for.
//   - code: the bracketed word in a status response.
package imap
