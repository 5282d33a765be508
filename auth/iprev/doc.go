// Package iprev finds the name of a client: one that the reverse DNS gives its
// address, and that leads back to it.
//
//	v := (&iprev.Checker{Resolver: resolver}).Check(ctx, client)
//	v.Result    // authres.Pass
//	v.Name      // "mx.example.org"
//
// A name that is confirmed says that whoever holds the address and whoever holds
// the name agree, no more. It is worth something as the lack of it is: hosts that
// send mail for others have one.
//
// The server's hook for it is smtppolicy.FCrDNS, which remembers answers; this
// package makes a result that stands in Authentication-Results.
//
// # RFCs
//
//	RFC 1035, 3596  reverse names   by auth/dnsx
//	RFC 8601        iprev           §3, §2.7.3 by the text of RFC 7601
//
// # Invariants
//
//	P1  No answer of the DNS that is missing, late or broken makes a result
//	    better.
//	P2  A check asks at most 1 + MaxNames questions, and ends in time.
//	P3  Name is a host name in printable ASCII, whatever the DNS says.
//
// # Concurrency
//
// A Checker may be used from any number of goroutines. Names are looked up in
// goroutines that Check waits for; what panics in one of them panics in Check.
// There are no locks.
package iprev
