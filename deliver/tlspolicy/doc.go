// Package tlspolicy decides how TLS has to be with the hosts of a destination:
// the strictest of what the operator asks for, what the domain publishes by DANE
// (RFC 7672) or MTA-STS (RFC 8461), and TLS where it works (RFC 7435). It counts
// how that went, for the reports of RFC 8460.
//
//	policies := &tlspolicy.Policies{
//		DANE: resolver, STS: &mtasts.Cache{Resolver: resolver, Store: store}, Collector: collector,
//		Static: &tlspolicy.Table{Domains: map[string]tlspolicy.Static{"example.net": {Level: tlspolicy.Encrypt}}},
//	}
//	mx.TLS = policies // a deliver.MX
//
// # What is decided
//
// For each host, the first row that fits. "DANE" is what the TLSA records say of a
// host whose MX records were validated by DNSSEC.
//
//	1  static, Override             that alone: nothing that the domain publishes counts
//	2  DANE: no answer              the host is passed over (RFC 7672 §2.1.2)
//	3  DANE: usable records         TLS, a certificate that a record matches; MTA-STS is not asked (RFC 8461 §2)
//	4  static, DANEOnly             the host is passed over: no usable records
//	5  MTA-STS enforce, not named   the host is passed over (RFC 8461 §5)
//	6  MTA-STS enforce, named       TLS, a certificate for the host from a trusted authority
//	7  DANE: no usable record       TLS, with whatever certificate (RFC 7672 §2.2)
//	8  MTA-STS testing              as 9; what would have failed is reported
//	9  nothing                      TLS where it works, with whatever certificate; else without
//
// To rows 3, 6, 7, 8 and 9 static adds the least that is done: Encrypt takes
// away the way without TLS, and Verify, Secure and Fingerprint are checked
// beside what the row checks. So an operator strengthens by an entry, and weakens
// by one with Override.
//
// A domain whose MTA-STS record cannot be looked up, and of which no policy is
// known, gets no host at all for now.
//
// # RFCs
//
//	RFC 7435  opportunistic security  row 9
//	RFC 7672  DANE for SMTP           §2.1, §2.2, §6 (mandatory DANE); read in its draft 12
//	RFC 8460  TLS reports             §3, §4.3: what is counted as what (text not read whole)
//	RFC 8461  MTA-STS                 §2, §4, §5 (text not read whole)
//	RFC 8689  REQUIRETLS              §4.2.1: which hosts are vouched for; §4.2.2: what "TLS-Required: No" turns off
//
// # Invariants
//
//	P1  What cannot be judged now makes mail wait: an error of Policy or Rule. It
//	    never goes out in plain text for that, nor is it refused. A message with
//	    "TLS-Required: No" does not wait for what the domain alone asks for.
//	P2  A host that fails what is demanded never sees a command after the
//	    handshake: all is verified in it.
//	P3  Without Override an entry never makes a host's demands less.
//	P4  Rules with one Identity and Required verify the same.
//	P5  Before a host is passed over for an MTA-STS policy, it was asked whether
//	    there is a new one (RFC 8461 §5.1), once an attempt.
//	P6  A report on TLS has nothing of messages that carry such reports.
//
// # What is counted
//
// Each connection that Observe hears of, and each host that is passed over, by
// the policy that it was judged by; a policy that is announced and cannot be had
// is counted as an attempt of its own. What fails the operator's check is no
// concern of the domain and not counted, apart from DANE that is missing where the
// operator requires it (dane-required).
//
// # Concurrency
//
// Policies may be used from any number of goroutines, and what it returns, too.
// Nothing is started. The lock of an attempt is a leaf: it is not held while
// something is asked.
package tlspolicy
