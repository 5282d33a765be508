// Package imaplist is what LIST and LSUB ask for, which names they tell, and
// what is said of each. It knows no session and no store: it chooses from a list
// of names.
//
// # RFCs
//
//	RFC 3501 §6.3.8, §6.3.9   LIST, LSUB: reference, patterns        full
//	RFC 3348                  CHILDREN                               the attributes
//	RFC 5258                  LIST-EXTENDED                          full; there are no remote mailboxes
//	RFC 5819 §4               LIST-STATUS                            the option
//	RFC 6154 §2               SPECIAL-USE                            selection and return options
//	RFC 8440 §5               LIST-MYRIGHTS                          the option
//	RFC 9590                  LIST-METADATA                          the option; text not read whole
//
// # Invariants
//
//	I1  Matching takes time in the length of the name times that of the pattern,
//	    whatever they are; see [imapwire.Pattern].
//	I2  A request has at most [MaxPatterns] patterns.
//	I3  Each name is told at most once, in order (RFC 5258 §3.3).
//	I4  Beyond matching, choosing takes n log n steps for n names and levels,
//	    however they nest.
package imaplist
