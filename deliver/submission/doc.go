// Package submission is what a submission server does with a message before it
// is queued, and for its sender (RFC 6409). All of it is for authenticated users
// or local programs, never for a port that takes mail of strangers.
//
//	Fixes          the header: Date, Message-ID, From, Sender, Bcc, long lines    middleware
//	Received       a trace field without the client's address                     middleware
//	RewriteSender  the reverse-path, by the same maps as the header               middleware
//	Declare        BODY=8BITMIME where a client forgot it                         intake.Step
//	HoldBeyond     what is beyond a user's rate waits for the operator            intake.Step
//	Sent           a copy in the sender's mailbox for sent mail                   intake.Step and queue.Router
//
// The order of the middleware matters; signatures come last, so that they cover
// what was fixed:
//
//	receiver := smtp.Chain(&intake.Intake{Queue: q, Steps: []intake.Step{submission.Declare(), journal, sent}},
//		users.Limit(),
//		smtppolicy.SenderLogin(owns),
//		deliver.Gate(directory, authenticated),
//		submission.RewriteSender(table),
//		smtppolicy.Received(hostname),
//		fixes.Middleware(),
//		signer.Middleware(),
//	)
//
// # Invariants
//
//	S1  The body is passed on octet by octet, and so is every field that no rule
//	    names.
//	S2  A fix never makes a second From, Sender, Date or Message-ID.
//	S3  A sent copy is queued in the commit that accepts the message, and is in
//	    the mailbox once (store.Change.Once).
//	S4  What cannot be found out about a sender defers the message, it does not
//	    let it pass.
//
// # RFCs
//
//	RFC 5322 §2.1.1, §3.6  line lengths, which fields there are    partial: one From; others may repeat
//	RFC 5322 §3.6.3        Bcc                                     removed, the first of its three ways
//	RFC 6154               \Sent                                   full
//	RFC 6409 §6, §8        enforced rules, and modifications       text not read whole
package submission
