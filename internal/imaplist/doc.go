// Package imaplist is what LIST and LSUB ask for, which names match, and what
// is said of a mailbox. It knows no session and no tree of mailboxes.
//
// # RFCs
//
//	RFC 3501 §6.3.8, §6.3.9   LIST, LSUB: reference, patterns        full
//	RFC 3348                  CHILDREN                               the attributes
//	RFC 5258 §3               LIST-EXTENDED                          SUBSCRIBED, REMOTE, CHILDREN; no RECURSIVEMATCH
//	RFC 6154 §2               SPECIAL-USE                            selection and return options
//
// # Invariants
//
//	I1  Matching takes time in the length of the name times that of the pattern,
//	    whatever they are; see [imapwire.Pattern].
//	I2  A request has at most [MaxPatterns] patterns.
package imaplist
