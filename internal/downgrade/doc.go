// Package downgrade converts a message on its way to a server that takes less
// than the message has: 8-bit content becomes quoted-printable, binary content
// base64 (RFC 6152 §3, RFC 3030 §3). It reads the message once, as a stream,
// and changes only the parts that need it.
//
//   - A part that is declared 8bit, 7bit or not at all is converted when it
//     holds an octet beyond ASCII. It is held back until that is known, for 64
//     KiB at most; behind that its declaration decides.
//   - A part that is declared binary is always converted where binary content
//     is not allowed.
//   - multipart and message/rfc822 are converted inside (RFC 2045 §6.4), and
//     their own label becomes 7bit or 8bit. message/global is encoded as a
//     whole (RFC 6532 §3.7), as its header may hold UTF-8.
//   - What is declared in another encoding passes as it is.
//   - Preambles and epilogues of multiparts are nobody's text: octets beyond
//     ASCII become "?".
//
// Nothing below multipart/signed and multipart/encrypted is changed (RFC 1847
// §2.1); where something would have to be, that is ErrSigned. A signature over
// the whole message (DKIM) does not survive a conversion, as RFC 6376 §5.3
// says; that is the price of a server without 8BITMIME.
//
// # RFCs
//
//	RFC 1428  §3         charset=unknown-8bit for text that does not name its own
//	RFC 1847  §2.1       signed parts are opaque
//	RFC 2045  §6         transfer encodings
//	RFC 2046  §5.1, §5.2 structure
//	RFC 6532  §3.7       message/global
//
// # Invariants
//
//	I1  What is written decodes to the octets that were read, part by part; a
//	    bare LF in text becomes CRLF.
//	I2  With No8Bit, no body holds an octet beyond ASCII, apart from one behind
//	    64 KiB of ASCII in a part declared 7bit, and from parts that say they
//	    are encoded.
//	I3  A message that needs no change passes octet by octet.
//	I4  Memory is bounded: one header block, 64 KiB of body, and the boundaries
//	    of the multiparts around.
package downgrade
