// Package intake takes mail into a queue together with what has to be on
// stable storage with it: a journal report, the sender's copy, a hold. An
// [Intake] is a smtp.Receiver that stores the body once, asks each of its
// [Step]s what else there is to do, and puts all jobs in one commit. So there
// is no 250 without the journal report, and no report without the 250.
//
//	receiver := &intake.Intake{Queue: q, Steps: []intake.Step{limits, journal, sent}}
//
// What a step adds is one more job with the same body by reference: a body is
// never written twice.
//
// # Invariants
//
//	K1  The jobs of the recipients and those of the steps are put together or
//	    not at all (queue.Storage.Put).
//	K2  A step that fails refuses the message; nobody has it then.
//
// # What a crash leaves behind
//
//	before the body's commit   nothing; the client got no 250
//	after it, before Put       a blob that nobody refers to; the Collector frees it
//	after Put                  the message, its report and its copies, all queued
package intake
