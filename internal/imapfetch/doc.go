// Package imapfetch is what FETCH asks for and what it is answered with: the
// plan that is made once for a command, the octets that a section names, and
// the items of the response that come from the store. It knows no session; UID,
// FLAGS and RFC822.SIZE are the server's, which has them in its view.
//
// # RFCs
//
//	RFC 3501 §6.4.5, §7.4.2   FETCH: items, macros, sections, partials   full
//	RFC 9051 §6.4.5           partials of 63 bits, where it is enabled    full
//	RFC 3516 §4.2, §4.3       BINARY, BINARY.SIZE                         full
//	RFC 8970                  PREVIEW                                     full
//	RFC 1730 §6.4.5           RFC822, RFC822.HEADER, RFC822.TEXT         as RFC 3501 keeps them
//
//	RFC 4466 §2.4             fetch-modifiers                            full
//	RFC 7162 §3.1.4, §3.2.6   MODSEQ, CHANGEDSINCE, VANISHED             the request
//
// # Invariants
//
//	I1  Nothing of a message is written before all that its items need could be
//	    opened.
//	I2  A literal has exactly the octets that it announces, or the connection
//	    ends.
//	I3  What a transfer encoding hides is measured before it is announced, so
//	    that UNKNOWN-CTE is an answer and no half response.
//	I4  Fields in front of the blob belong to the header of the message.
package imapfetch
