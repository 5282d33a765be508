// Package dnsx is the one seam to the DNS for the authentication of messages
// and for delivery: what a name has, and if nothing, why.
//
// A [Resolver] has one method. [Client] is a stub that asks recursive servers,
// [Cache] keeps what they said for as long as they allow, [Budget] bounds what
// one message may cost, and [Net] gives any of them the methods of
// *net.Resolver:
//
//	r := &dnsx.Cache{Resolver: &dnsx.Client{}}
//	answer, err := r.Lookup(ctx, "example.org", dnsx.TXT)
//	switch {
//	case dnsx.NotFound(err): // there is none, and somebody knows that
//	case err != nil:         // nobody knows now: try later
//	}
//
// # RFCs
//
//	RFC 1034  concepts            stub resolver (§5.3.1), CNAME (§3.6.2)
//	RFC 1035  messages            by x/net/dns/dnsmessage
//	RFC 2308  negative answers    §3, §5: the time to keep them
//	RFC 6698  TLSA                §2.1 (text not read whole)
//	RFC 6840  DNSSEC              §5.7, §5.8: the AD bit (text not read whole)
//	RFC 6891  EDNS(0)             payload size (text not read whole)
//	RFC 7766  TCP                 §5 fallback (text not read whole)
//	RFC 8914  extended errors     codes of failed validation (text not read whole)
//
// # Invariants
//
//	D1  "There is none" (ErrNXDomain, ErrNoData) is only what a server said in
//	    an answer to this very question. Everything else is "not known".
//	D2  An answer over UDP counts when it has the question's id and its name
//	    in the random case that was sent, and comes from the server to the port
//	    that asked. In doubt the question is asked again over TCP.
//	D3  Answer.Secure says that a validating server vouches, over a path that
//	    nobody else is on: loopback, or as Client.TrustAD says.
//	D4  A chain of CNAMEs has at most 8 links; memory for an answer is bounded
//	    by the 64 KiB of a message.
//	D5  A Cache holds no answer longer than its TTL, and no failure at all.
//
// # Concurrency
//
// Everything may be used from any number of goroutines. None is started. The
// locks are leaves: none is held while a resolver is asked.
package dnsx
