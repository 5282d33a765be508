// Package imapresync is what a client that comes back says of what it knows: the
// parameters of SELECT and EXAMINE. It knows no session.
//
// # RFCs
//
//	RFC 4466 §2.1      select-param                      full
//	RFC 7162 §3.1.8    CONDSTORE parameter               full
//	RFC 7162 §3.2.5    QRESYNC parameter                 full
//
// # Invariants
//
//	I1  A set is kept as ranges, as it was written: its size is that of the line.
//	I2  The sample of numbers and the sample of UIDs have equally many elements,
//	    both ascending.
package imapresync
