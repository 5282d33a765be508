// Package reporting counts the messages that an auth.Inspector judges, for the
// aggregate reports of DMARC.
//
//	var counted report.Collector
//	inspector.Observe = reporting.Observe(&counted, dmarc.RFC9989)
//
// It is a package of its own, so that who judges messages need not link what
// writes and reads reports.
//
// # RFCs
//
//	RFC 8617  ARC                §7.2.2: what a report says of a chain
//	RFC 9990  aggregate reports  by auth/dmarc/report
//
// # Invariants
//
//	C1  A message that is deferred is not counted: it comes again.
//	C2  Where less was done than the policy asks for, the report says why. That a
//	    message was refused on other grounds is not the domain's to know.
//
// # Concurrency
//
// What Observe returns may be called from any number of goroutines, and does not
// wait for anything.
package reporting
