// Package mtasts finds, keeps and applies the policies of SMTP MTA Strict
// Transport Security (RFC 8461): by HTTPS a domain says which hosts take its
// mail, and that they have certificates that can be verified.
//
//	policies := &mtasts.Cache{Resolver: resolver, Store: store}
//	found, err := policies.Lookup(ctx, "example.org")
//	switch {
//	case err != nil:                   // nobody knows now: try later
//	case !found.Enforced():            // opportunistic TLS; failures of Testing are reported
//	case !found.Policy.Matches(mx):    // not this host
//	default:
//		config = found.Policy.TLSConfig(nil, mx) // and TLS is required
//	}
//
// What delivery needs beside that is one call: before a message is returned to
// its sender because of a policy, [Cache.Recheck] asks whether there is a new
// one (§5.1). A host for which DANE applies is judged by DANE (§2).
//
// # RFCs
//
//	RFC 6125  names in certificates  by crypto/x509: the subject's common name does not count (text not read whole)
//	RFC 8461  MTA-STS                §3.1 to §5.1, §10 (text not read whole)
//
// # Limits
//
//	64 KiB  a policy; more is an invalid one, of which no more is read
//	60 s    a fetch, with the connection
//	5 min   between two fetches after one that failed, as long as the
//	        identifier in the DNS stays the same
//	24 h    after which RefreshDue fetches again, 1,000 domains at a time and
//	        four at once; 6 h after one that failed
//	10 s    to save a policy
//	1 year  the longest life of a policy (31,557,600 s), whatever it says
//	16 MiB  policies in memory
//
// # Invariants
//
//	M1  A policy that is alive is applied until a valid one takes its place:
//	    neither a missing or broken record nor a failed fetch ends it before
//	    its max_age (§3.3, §10.2).
//	M2  A policy counts only when it came by HTTPS from mta-sts.DOMAIN with a
//	    verified chain and that very name in the certificate, with status 200,
//	    without a redirect, whatever http.Client fetched it.
//	M3  An error of the Store is never taken for "there is no policy".
//	M4  Fields that are not known are ignored; a field that is known and
//	    malformed makes the whole policy invalid.
//
// # What can break in between
//
//	crash after the fetch, before Store.Save   the policy is fetched again
//	Store.Save fails                           it is logged, and the policy lives in memory; RefreshDue saves it
//	Store.Load fails                           Lookup fails: mail waits
//
// # Leniency
//
// Empty lines in a policy are skipped, since many web servers and editors add
// them. Labels of mx may hold "_". Nothing else beyond the grammar is taken.
//
// # What is not here
//
// Nothing listens or serves a policy. No goroutine runs on its own: RefreshDue
// is called by whoever has a clock. A Store on disk is in package sqlsts.
//
// # Concurrency
//
// A Cache and a Fetcher may be used from any number of goroutines. RefreshDue
// has four and waits for them; nothing else starts any. Cache.mu is a leaf: no lock is held while something is asked.
package mtasts
