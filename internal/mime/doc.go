// Package mime finds the structure of a message and gives the forms of it that
// IMAP sends. It reads a message once from front to end, whatever its size, and
// never fails because a message is bad: every sequence of octets has a
// structure.
//
//   - [Walk] gives the [Tree] of [Part]s with the place of each header and body.
//   - [Headers] reads what the header of a part says.
//   - [Fields], [Addresses], [MessageIDs] and [ParseDate] read header fields.
//   - [AppendEnvelope] and [Form] write ENVELOPE, BODY and BODYSTRUCTURE.
//   - [Section] and [FieldFilter] find what BODY[section] names.
//
// Decoded texts are those of package mimetext.
//
// # RFCs
//
//	RFC 5322 §2.2, §3.4, §4   header fields, addresses, obsolete forms   full
//	RFC 2045, RFC 2046        media types, multipart, message/rfc822     full
//	RFC 6532 §3.7             message/global                             full
//	RFC 2183, 3282, 2557      disposition, language, location            full
//	RFC 2231                  pieces are put together (§3), charsets are left to the caller (§4)
//	RFC 5256 §2               sent date, message ids                     full
//	RFC 3501 §7.4.2           ENVELOPE, BODY, BODYSTRUCTURE              full
//	RFC 9051 §6.4.5.1, §7.5.2 section specifications                     full
//
// # Invariants
//
//	I1  Spans lie within the message, end after they start, and lie within the
//	    body of the part above; siblings do not overlap and stand in order.
//	I2  Work is linear in the size of the message: each octet is looked at a
//	    bounded number of times, however the message is nested.
//	I3  Memory is 40 octets for a part and one header at a time, never a body
//	    and never a form.
//	I4  What the Append functions write is one value of the grammar of IMAP.
//	I5  An address list is never empty when its field is not: what cannot be
//	    read as an address is shown as a name or a mailbox.
package mime
