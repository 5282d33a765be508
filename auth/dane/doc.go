// Package dane finds the TLSA records of mail servers and authenticates the
// servers by them: SMTP security via opportunistic DANE TLS (RFC 7672).
//
//	policy, err := dane.Lookup(ctx, resolver, dane.Target{Host: mx})
//	switch {
//	case err != nil:                        // not this host now: another, or later
//	case policy.Level == dane.NotApplicable: // MTA-STS, or opportunistic TLS
//	default:
//		config = policy.TLSConfig(nil)      // and TLS is required
//	}
//
// The resolver must tell what was validated: a dnsx.Client that asks a
// validating server over a path that nobody else is on.
//
// # RFCs
//
//	RFC 6698  TLSA                  §2.1 the record
//	RFC 7671  DANE: updates         §4 usages, §5 their checks, §9 digest algorithm agility (text not read whole)
//	RFC 7672  DANE for SMTP         §2.1 errors, §2.2 finding records, §3 checks, §8.1 SNI (read in its draft 12)
//
// # What is usable
//
//	usage 3 DANE-EE   the server's own certificate; neither names nor dates count
//	usage 2 DANE-TA   a certificate above it in the chain that the server shows,
//	                  or a whole one in the record (2 0 0); names and dates count
//	usage 0, 1        not usable for SMTP (RFC 7672 §3.1.3)
//	selector          0 certificate, 1 public key
//	matching          0 as it is, 1 SHA-256, 2 SHA-512; where both digests are
//	                  published for a usage and selector, only SHA-512 counts
//
// A bare key as trust anchor (2 1 0) counts when the server shows a certificate
// of it.
//
// # Invariants
//
//	N1  A question that gets no answer (server failure, timeout, failed
//	    validation) is an error, never "no records".
//	N2  Records without validation are no records.
//	N3  A validated set of records requires TLS; with one usable record in it the
//	    server is authenticated by it, or the handshake fails.
//	N4  No TLSA question is asked about a name that is not in a signed zone, as
//	    name servers without DNSSEC answer such questions wrongly.
//
// # Concurrency
//
// Nothing is started. A Policy may be used from any number of goroutines.
package dane
