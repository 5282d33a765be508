// Package report reads aggregate reports of DMARC, as they come in the mail:
// XML, packed with gzip or zip or not at all.
//
//	rep, err := report.Parse(attachment, report.Limits{})
//	for _, r := range rep.Records { ... r.SourceIP, r.Count, r.SPF, r.DKIM ... }
//
// What it reads is written by strangers. A report says nothing that is to be
// trusted, but for statistics.
//
// # RFCs
//
//	RFC 1952  gzip               by compress/gzip (text not read whole)
//	RFC 7489  DMARC (2015)       Appendix C: the old schema (text not read whole)
//	RFC 9990  aggregate reports  the elements of the new one (text not read whole)
//
// Reports are not written, stored or sent yet, and failure reports (RFC 6591)
// not read.
//
// # Invariants
//
//	R1  Memory is bounded by the Limits whatever a report unpacks to; what goes
//	    beyond them is an error and no report. XML of nothing but tags makes
//	    garbage of some 70 times its size, which is not held. Nothing is
//	    unpacked twice.
//	R2  Nothing is written to disk and no name in an archive is used as one.
//	    No entity is expanded and nothing is fetched: a DTD is an error.
//	R3  Each text is valid UTF-8, has no control characters, and is at most 1024
//	    octets long.
package report
