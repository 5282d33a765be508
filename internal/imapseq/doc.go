// Package imapseq maps message sequence numbers to UIDs and back, for the
// messages that one client was told of.
//
// # RFCs
//
//	RFC 3501 §2.3.1.2, §9   message sequence numbers, seq-number   full
//	RFC 7162 §3.2.5.2       message sequence match data            full
//	RFC 10022 §3.1          UIDBATCHES: the batches                full
//
// # Invariants
//
//	I1  Sequence numbers are 1..Len without gaps, in the order of the UIDs.
//	I2  A Map changes by Add and Remove alone, which its owner calls when it
//	    sends EXISTS and EXPUNGE: so both sides count the same messages.
//	I3  Its size grows with the gaps between UIDs, not with the messages.
package imapseq
