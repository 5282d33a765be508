// Package pipe hands mail to programs: a [Target] is a smtp.Receiver that starts
// one for each recipient, or for a batch of them, with the message on its
// standard input. No shell is involved. It runs on Unix; elsewhere every
// message is deferred with ErrUnsupported in the chain.
//
// # What the exit status means
//
// The codes are those of sysexits.h. A code that it does not have, a signal, and
// a program that cannot be started or took too long defer: that is a fault of
// this host, which an operator mends.
//
//	 0  delivered
//	64 EX_USAGE        5.3.0    71 EX_OSERR      4.3.0
//	65 EX_DATAERR      5.6.0    72 EX_OSFILE     5.3.0
//	66 EX_NOINPUT      5.3.0    73 EX_CANTCREAT  5.2.0
//	67 EX_NOUSER       5.1.1    74 EX_IOERR      5.3.0
//	68 EX_NOHOST       5.1.2    75 EX_TEMPFAIL   4.3.0
//	69 EX_UNAVAILABLE  5.3.0    76 EX_PROTOCOL   5.5.0
//	70 EX_SOFTWARE     5.3.0    77 EX_NOPERM     5.7.0
//	                            78 EX_CONFIG     5.3.5
//
// Output that begins with an enhanced status code of class 4 or 5 ("4.2.2 mailbox
// full") goes before the exit status, unless that is 0; its first line is then the
// text of the reply, in printable ASCII of at most 200 octets. Other output
// goes to the log only, never to the peer.
//
// # Invariants
//
//	P1  What an address holds is one argument, or a part of one: it is never split,
//	    and never begins an option, see Target.Command.
//	P2  A program that was cut off, by a time limit, a shutdown or a body that
//	    ended early, was killed with its process group before its input
//	    ended, and has not delivered.
//	P3  Exit status 0 is final delivery. A program that promises more than it did
//	    breaks the chain; one that dies between its delivery and its exit leaves a
//	    duplicate.
package pipe
