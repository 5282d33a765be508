// Package tlsrpt collects how TLS to the mail servers of other domains went, and
// makes the daily reports that those domains ask for (RFC 8460).
//
//	c := &tlsrpt.Collector{Organization: "Example Inc.", Contact: "postmaster@example.org", Submitter: "mx.example.org"}
//	c.Add(tlsrpt.Session{Domain: "example.net", Policy: policy, Failure: &tlsrpt.Failure{Result: tlsrpt.Classify(err)}})
//	s := &tlsrpt.Sender{Collector: c, Resolver: resolver, Receiver: queue, Signer: signer, From: "tlsrpt@example.org"}
//	go s.Run(ctx) // once a day, at a random time
//
// # RFCs
//
//	RFC 8460  SMTP TLS Reporting  §3 record, §4.1 days, §4.3 results, §4.4 JSON, §5 delivery; §5 by a draft of it (text not read whole)
//	RFC 8689  REQUIRETLS          §5: TLS-Required
//
// # Limits
//
//	10,000  domains of all days that are not yet taken; sessions of more are
//	        counted in Dropped
//	    16  policies a domain and day; what more there are join the last
//	   100  kinds of failures a policy; more keep their result, and nothing else
//	   512  octets of each text; 100 lines of a policy
//	64 MiB  all of it; sessions that need more are counted in Dropped
//
// # Invariants
//
//	T1  Each session that is not counted in Dropped is in exactly one report, as a
//	    success or as a failure.
//	T2  A report has nothing of a message, nor of who sent it to whom.
//	T3  A record makes us connect to public addresses alone, and to those only
//	    by https with a certificate that is valid for the host; unless the
//	    Client is another one.
//	T4  A report is given up only when nobody asks for it, or after GiveUp.
//	T5  A stored report that is sent a second time, as a crash came in between, has
//	    the same ID and Mail.Once: a queue that knows it takes it once.
//
// # What is not here
//
// Without a Storage reports are in memory: a crash loses those of the day, which is
// no loss of mail. With one, such as that of sqltlsrpt, it loses a minute.
// Sessions that carry reports are for whoever counts to leave out (RFC 8460 §3), as
// deliver/tlspolicy does: such a message has the field TLS-Report-Domain. Reports
// of others are not read.
//
// # Concurrency
//
// A Collector may be used from any number of goroutines. Collector.mu is a leaf.
// A Sender is used from one.
package tlsrpt
