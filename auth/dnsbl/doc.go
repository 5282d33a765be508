// Package dnsbl asks DNS lists for an address: lists of bad hosts, and of good
// ones.
//
//	c := &dnsbl.Checker{Resolver: resolver, Lists: []dnsbl.List{
//		{Zone: "zen.spamhaus.org", Codes: []dnsbl.Code{{Answers: netip.MustParsePrefix("127.0.0.2/31"), Weight: 5}}},
//		{Zone: "bl.example.net", Weight: 2},
//		{Zone: "list.dnswl.org", Allow: true},
//	}}
//	err := c.Test(ctx)             // at the start: are these lists?
//	v := c.Check(ctx, client)
//	if v.Listed(5) { … }
//
// A listing adds its weight to a score; an allow list outweighs every score. What
// a list says of several of its parts at once counts once, by the strongest.
//
// A list is a name in the DNS that somebody keeps. It may be given up, and then
// often answers everything; it may refuse those who ask too much, and says so with
// an address. Neither is a listing. Before a listing counts, the list is asked for an
// address that no list may have; with a dnsx.Cache that is one question per
// lifetime of the answer.
//
// The hook of a server that refuses clients by lists is smtppolicy.DNSBL.
//
// # RFCs
//
//	RFC 5782  DNS lists   §2.1, §2.3, §2.4 addresses, §5 test points; lists of
//	                      domains (§2.2) are not here; text not read whole
//	RFC 8904  dnswl       how an allow list stands in Authentication-Results;
//	                      text not read whole
//
// # Invariants
//
//	L1  No answer of the DNS that is missing, late or broken makes a listing.
//	L2  A check asks at most MaxQuestions questions, and ends in time.
//	L3  A list that has the address that none may have, or answers with what is
//	    no code, lists nobody.
//	L4  Text of a list is printable ASCII of at most 255 octets.
//
// # Concurrency
//
// A Checker may be used from any number of goroutines. Lists are asked in
// goroutines that Check and Test wait for; what panics in one of them panics there.
// There are no locks.
package dnsbl
