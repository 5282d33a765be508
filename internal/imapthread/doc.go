// Package imapthread puts messages into threads, for the command THREAD.
//
// Whatever refers to whatever, however deep or in circles: memory is linear in
// the number of messages, time is in the number of references but for a
// logarithm, and nothing recurses.
//
// # RFCs
//
//	RFC 5256 §3   ORDEREDSUBJECT, REFERENCES   full
//	RFC 5256 §4   the THREAD response           full
//
// [Refs] is REFERENCES without its steps 4 and 5, threads in the order of their
// newest message: what Dovecot does for THREAD=REFS, for which there is no RFC.
//
// # Invariants
//
//	I1  Every message stands in the threads exactly once, and nothing else does.
//	I2  No message is its own ancestor.
//	I3  Messages stand in the order of their UIDs where their dates are the same.
//	I4  Ids that no message has are remembered as far as there are 8 for each
//	    message, and 1,000 more; of those beyond nothing is made.
package imapthread
