// Package srs rewrites the reverse-path of mail that is forwarded, by the Sender
// Rewriting Scheme: the next host finds a domain of ours there, for which SPF
// lets us send, and a bounce finds its way back to the sender.
//
//	alice@example.com, forwarded by fwd.example:
//	    SRS0=HHHH=TT=example.com=alice@fwd.example
//	and that, forwarded by second.example:
//	    SRS1=HHHH=fwd.example==HHHH=TT=example.com=alice@second.example
//
// HHHH is a keyed hash, TT the day. The forms, the hash (HMAC-SHA1 over the
// fields in lower case) and the days are those of libsrs2, Mail::SRS and
// postsrsd, so that hosts that share secrets and a domain understand each other.
//
// # Invariants
//
//	S1  Reverse returns only what Forward of a holder of a secret was given, up
//	    to letter case, and at most MaxAge ago. The fields are hashed without a mark
//	    between them, as everybody does: who can choose the domain of a sender can
//	    move the border between it and the local-part.
//	S2  A path that Forward returns can be written in a transaction: its
//	    local-part has at most 64 octets.
//	S3  The null sender stays the null sender.
//
// The Sender Rewriting Scheme is no RFC; it follows the text of its authors
// (M. Weber, S. Chennikara, 2004) as the programs named keep to it.
//
//	RFC 5321 §3.9, §4.5.3.1.1   aliases, length of a local-part
//	RFC 4648 §4, §6             alphabets of the hash and of the day
//	RFC 7208                    what it is for: see auth/spf
package srs
