// Package spf judges by the Sender Policy Framework whether a client may use
// the domain of a reverse-path or of its HELO name.
//
//	checker := &spf.Checker{Resolver: &dnsx.Cache{Resolver: &dnsx.Client{}}}
//	v := checker.Check(ctx, spf.Query{IP: peer, Sender: "joe@example.org", Helo: "mx.example.net"})
//	if v.Result == spf.Fail { ... v.Explanation ... }
//
// The null reverse-path is judged as postmaster of the HELO name. What cannot
// have a policy (a literal, a single label, no domain at all) is none.
//
// # RFCs
//
//	RFC 3986  URIs                 §2.3 unreserved characters, in macros
//	RFC 5322  message format       quoting in Received-SPF
//	RFC 7208  SPF                  §2 to §7, §9.1 (text not read whole)
//	RFC 8601  results              §2.7.2 the words
//
// # Limits
//
//	10 terms that ask the DNS        more: permerror (§4.6.4)
//	2 questions that find nothing    more: permerror; the addresses of MX and
//	                                 PTR hosts and the PTR records themselves
//	                                 do not count, as they are not the domain's
//	10 MX records                    more: permerror
//	10 PTR records                   more are not looked at
//	20 s                             temperror
//
// One check asks at most 123 questions: the policy, 10 terms of at most 11 (mx),
// 11 for the names of the client, once, and one explanation.
//
// # Invariants
//
//	S1  A syntax error anywhere in a policy is a permerror before any of its
//	    mechanisms is looked at (§4.6).
//	S2  What the DNS does not say now never gives a better result than the
//	    answer would: it is a temperror, but in ptr and %{p} (§5.5), which then
//	    do not match, and in exp.
//	S3  Explanation is printable ASCII in one line, whatever the sender's name
//	    and the domain put into it.
//	S4  Work and memory are linear in the size of the policies; an expansion
//	    keeps at most 8 KiB.
//
// # Concurrency
//
// A Checker may be used from any number of goroutines; it starts none.
package spf
