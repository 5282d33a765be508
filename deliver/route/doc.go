// Package route is a table of next hops: by recipient, by sender, by a look-up,
// with targets that stand in for each other. A [Table] is the Remote of a
// deliver.Router, and wraps its Directory, so that the same table says at RCPT
// who is accepted and at the lease where the message goes.
//
//	RFC 5321 §3.6.2, §5   relaying through other hosts
//	RFC 3463 §3.5         5.4.6, a route that leads back here: refused when the table is made
//
// # Who decides
//
// For a recipient in a local domain:
//
//  1. a row of its address, also without its sub-address
//  2. Config.Lookup
//  3. the Directory: an account or an alias
//  4. a row of its domain, for those whom the Directory does not know
//  5. otherwise nobody: refused
//
// For another one:
//
//  1. a row of its address, of its domain, of the nearest domain above it, "*"
//  2. Config.Default
//
// Of the rows for one recipient that with the most specific sender counts.
// Nothing hangs on the order of rows.
//
// # Invariants
//
//	R1  A target takes over from the one before it only where that one was not
//	    reached: never behind a 5xx for the recipient, nor where a lost reply leaves
//	    open whether it has the message.
//	R2  What cannot be looked up is deferred. A name that the table does not have is
//	    deferred too, since the operator's next table may have it.
//	R3  Each recipient has one status, of one target.
package route
