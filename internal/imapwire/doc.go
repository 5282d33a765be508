// Package imapwire reads and writes the tokens of IMAP (RFC 3501 §9, RFC 9051
// §9). It knows atoms, strings, numbers and sets; it knows no commands, no
// mailboxes and no sessions.
//
// Three layers stand on each other:
//
//   - grammar: pure functions ConsumeX(b) (x, n, err). They look at a slice and
//     say how many octets the token takes. io.ErrUnexpectedEOF means that the
//     end of the token is not in b; a *SyntaxError says where b breaks the rule.
//   - stream: a [Decoder] brings lines and literals from a connection and gives
//     their tokens; an [Encoder] writes tokens and streams literals.
//   - forms: AppendX functions that add a token to a []byte.
//
// # RFCs
//
//	RFC 3501 §9, §5.1.3  formal syntax, mailbox names in modified UTF-7   full
//	RFC 9051 §9, App. A  formal syntax of IMAP4rev2                       full
//	RFC 7888             LITERAL+ and LITERAL-                            full
//	RFC 3516 §4.4        literal8                                         full
//	RFC 7162 §7          mod-sequence values (63 bits)                    tokens
//	RFC 4466 §6          tagged extension values (skipped, not stored)    tokens
//
// # Invariants
//
//	I1  A Decoder never reads an octet of the next command into a token of
//	    this one, and never asks for an octet that the peer has not promised.
//	I2  A literal takes memory only for octets that have arrived.
//	I3  After an error, Discard leaves the Decoder at the start of the next
//	    command or returns ErrDesync; there is no third outcome.
//	I4  A parked Decoder and a flushed Encoder hold no buffer.
//	I5  What an AppendX function writes, its ConsumeX function reads back.
//	I6  Work is linear in the octets received, whatever they are.
package imapwire
