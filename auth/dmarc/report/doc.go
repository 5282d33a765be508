// Package report reads and sends the reports of DMARC: it reads aggregate and
// failure reports as they come in the mail, counts what a receiver sees, and sends
// each day's aggregate reports to the domains that want them.
//
// A report that came in:
//
//	rep, err := report.ParseMail(message, report.Limits{}) // or Parse, of the attachment
//	for _, r := range rep.Records { ... r.SourceIP, r.Count, r.SPF, r.DKIM ... }
//
// What it reads is written by strangers. A report says nothing that is to be
// trusted, but for statistics.
//
// Reports that go out:
//
//	var counted report.Collector
//	counted.Count(&report.Message{SourceIP: ip, Verdict: &verdict, ...}) // each message
//
//	sender := &report.Sender{
//		Checker: checker, Storage: &counted, Receiver: queue, Signer: signer,
//		Organization: "Example Inc.", Email: "dmarc-noreply@example.net",
//	}
//	go sender.Run(ctx) // once a day
//
// A Collector loses what it has when the process ends. With a Storage that does
// not, such as that of sqlreport, the Collector hands over every minute
// (Collector.Run), and the Sender reads from there.
//
// # RFCs
//
//	RFC 1952  gzip               by compress/gzip (text not read whole)
//	RFC 5965  feedback reports   §2, §3: the fields of failure reports (text not read whole)
//	RFC 6591  failure reports    §3.1, §3.2: those of authentication (text not read whole)
//	RFC 7489  DMARC (2015)       §7.1, §7.2.1.1, Appendix C: the old schema, as a mode (text not read whole)
//	RFC 9990  aggregate reports  read as its draft, draft-ietf-dmarc-aggregate-reporting-24; no extensions
//	RFC 9991  failure reports    read as a late draft: Identity-Alignment
//
// Failure reports are not written. They show others' mail to strangers, and few
// receivers send any.
//
// # Whom reports are about
//
// Only messages are counted whose record has rua, and whose verdict is pass or
// fail. A message that passes is not counted if it is a report or has the null
// reverse-path, as reports of this package have: otherwise two receivers would
// report to each other about their reports for ever. One that fails is always
// counted, so that nobody hides a forgery by calling it a report.
//
// # Whom reports go to
//
// To the mailto URIs of the record that the domain has when the report is sent,
// those at other organizations only where these consent (dmarc.Checker
// Destinations), and none whose size limit the report exceeds. All get one
// message, in one transaction.
//
// # Limits
//
//	4 MiB packed, 32 MiB of XML, 50,000 records   a report that is read
//	8 MiB, 100 parts, 4 tries                     a message that is read
//	10,000 reports, 10,000 records each, 64 MiB   a Collector
//	10 MiB, 10 addresses, 48 h                    a report that is sent
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
//	R4  What is counted takes bounded memory. Each message that is to be counted
//	    is in exactly one report, or in Dropped.
//	R5  No report is about reports.
//	R6  A report that is sent a second time is the same, with the same name,
//	    Report-ID and Mail.Once.
//
// # Crash table
//
//	before Collector.Flush        what was counted since the last one is lost
//	while a report is composed    it is composed again
//	after the queue has it,       it is handed over again, with the same
//	before it is deleted          Mail.Once: a queue that knows it takes it once
//
// # Concurrency
//
// A Collector may be used from any number of goroutines; its lock is a leaf and
// held for no I/O. A Sender is used from one.
package report
