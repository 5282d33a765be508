// Package rows is for backends whose transaction can read and write rows one by
// one: it carries out the Ops of a Change over them, and picks the rows that a
// reader asked for. A backend that calls [Run] in its Apply writes none of the
// rules that an Op stands for: UIDs and ModSeqs, UNCHANGEDSINCE, \Deleted,
// counters, levels of names, the rename of INBOX, quota, holds, imports. What
// stays the backend's: isolation, atomicity and durability; Once; and the
// octets.
//
// store/maildir and examples/customstore stand on it. store/sqlstore does
// whole sets in one statement and does not; store/memstore does not either, as
// storetest judges others by comparing them with it, and an oracle that ran the
// same code would agree with every fault of it.
//
// # One Change
//
//	1 the backend begins a transaction on the account: no other one runs on it,
//	  and its readers see nothing of it until the end
//	2 Run reads and writes rows through Tx
//	3 Run returned an error: the backend forgets all that was written (I5)
//	  Run returned nil: it commits the rows and Account, then shows them
//
// Run keeps the invariants I2, I3, I4, I7, I10, I13, I15 and I16 of package
// store as far as one transaction can; it starts no goroutine, keeps no
// reference to anything, and is called for any number of accounts at once.
package rows
