// Package dmarc judges whether a message is by who it says that it is by: it
// finds the policy of the domain in From, compares that domain with those that
// SPF and DKIM have authenticated, and says what the policy asks for.
//
//	checker := &dmarc.Checker{Resolver: &dnsx.Cache{Resolver: &dnsx.Client{}}}
//	domain, err := dmarc.AuthorDomain(header)
//	if err != nil { ... refuse it: nobody can say who the author is ... }
//	v := checker.Check(ctx, domain, []dmarc.Identifier{
//		{Method: dmarc.SPF, Domain: "bounces.example.org", Result: authres.Pass},
//		{Method: dmarc.DKIM, Domain: "example.org", Result: authres.Fail},
//	})
//	if v.Disposition == dmarc.Reject { ... }
//
// Discover and Evaluate are the two halves of Check: the policy can be looked
// for while the signatures are being verified. The package knows identifiers as
// plain values and imports neither method.
//
// # RFCs
//
//	RFC 2047  encoded-words       §5: they are not decoded where addresses are read
//	RFC 5322  message format      §3.4, §4.4: the address list of From
//	RFC 6376  tag-lists           the syntax that records take after
//	RFC 6532  UTF-8 in headers    in From
//	RFC 7489  DMARC (2015)        §3.2, §6.3, §6.4, §6.6, §7.1, as a mode
//	RFC 8020  NXDOMAIN            what exists (§2)
//	RFC 8601  results             §2.7 the words
//	RFC 9989  DMARC               §4, §5.3.1 to §5.3.6, §9.1, §11.5
//	RFC 9990  aggregate reports   §4: whom they may go to
//	RFC 9991  failure reports     whom they may go to
//
// RFC 9989 was read as its last draft, draft-ietf-dmarc-dmarcbis-41, and not
// whole; RFC 9990 and RFC 9991 as late drafts. Package report reads, counts and
// sends reports; Destinations says whom they may go to.
//
// # Limits
//
//	8 questions      a tree walk, however many labels the domain has
//	1 question       whether the Author Domain exists, where np is not sp
//	16 domains       of identifiers below the author's Organizational Domain
//	                 for which the tree is walked; more are not aligned
//	32 entries       rua, ruf
//	16 domains       AuthorDomains
//	10 addresses     Destinations
//	20 s             Discover, Evaluate and Destinations, each: temperror
//
// One message asks at most 121 questions: 8 and 1 for its author, 7 more for
// each identifier, as its walk ends at names that are known. Most ask 1 to 3.
//
// # Invariants
//
//	A1  Only an identifier with the result "pass" makes a message pass.
//	A2  What the DNS does not say now never gives a better verdict than the
//	    answer would: it is a temperror, or nothing where the answer is not
//	    needed. A temperror asks for nothing: Disposition is PolicyNone.
//	A3  A message whose only aligned identifier has the result temperror does
//	    not fail.
//	A4  AuthorDomain returns a domain only for a message with one From field
//	    that has one address, by all readers that keep to the RFCs and by
//	    those that take a bare CR for the end of a line.
//	A5  Work and memory are linear in the size of a record and of a header block.
//
// # Concurrency
//
// A Checker may be used from any number of goroutines. A tree walk asks its
// questions at once, in at most 8 goroutines that it waits for; what panics in one
// of them panics there.
package dmarc
