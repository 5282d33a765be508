// Package mailsig is what signatures of messages are made of, whatever field
// they stand in: DKIM's (RFC 6376) and those of ARC (RFC 8617). It has header
// blocks in linear time, canonicalization, tag-lists, keys out of the DNS, the
// tags of a signature, and how a field is written and folded.
//
// A [Message] is read once by all who judge it: its header is kept once, and
// its body is hashed once for each form that one of them wants.
//
// The meaning of a result is the caller's: which of the reasons is a failure,
// whose signature matters, and what a chain of them says.
//
// # Invariants
//
//	G1  Time is linear in the message, whatever its lines are; memory is linear
//	    in its header, up to a limit.
//	G2  A body is hashed at most twice, and those hashes serve the signatures
//	    without l= first, whoever wants them.
//	G3  A line end without CR counts as CRLF. Nothing else of the octets is
//	    forgiven.
//
// # Concurrency
//
// A Message is written from one goroutine. After its end, it may be read from
// any number of them.
package mailsig
