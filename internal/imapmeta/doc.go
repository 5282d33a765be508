// Package imapmeta is what GETMETADATA and SETMETADATA ask for, and the rules of
// the names of annotations. It knows no session and no store.
//
// # RFCs
//
//	RFC 5464 §3.2   names of entries                   full
//	RFC 5464 §5     GETMETADATA, SETMETADATA           full; the options also behind the mailbox, where
//	                                                   the examples of the RFC have them
//	RFC 9590        entries of LIST's option METADATA  text not read whole
//
// # Invariants
//
//	I1  A clean name is in lower case, has at least two levels and at most
//	    [MaxName] octets, and begins with /private/ or /shared/.
//	I2  A request names at most [MaxEntries] entries, each once.
package imapmeta
