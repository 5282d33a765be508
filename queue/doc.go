// Package queue is a durable delivery queue: it takes responsibility for mail
// (RFC 5321 §6.1), attempts it until it is delivered, failed or expired, and
// reports what failed.
//
// # The parts
//
// A [Queue] is a smtp.Receiver. It stores the body in a blob.Blobs, makes one
// [Job] for each destination, and puts them into a [Storage]; when its Data
// returns, the message is on stable storage. A [Runner] leases due jobs,
// asks a [Router] for next hops, and runs a transaction with the hop's own
// smtp.Receiver: the remote client, a smart host, an LMTP target or local
// delivery. What fails for good goes to a [Reporter], whose messages enter the
// queue in the same commit that forgets the recipient.
//
// # States of a recipient
//
//	waiting   in Job.Recipients, Due in the future
//	due       Due has come, not held, not leased
//	leased    an attempt is under way
//	held      Job.Hold says why; an operator releases it
//	finished  delivered, or failed and reported; no longer in Job.Recipients
//
// A Job that was under way when its process died, or whose delivery panicked,
// has that counted (Job.Crashes) before it is due again. After the second death
// in a row it is attempted on its own; the third one holds it. A panic is the
// job's own, so the second holds it.
//
// # Whose turn it is
//
// Destinations take turns (package queue/schedule): deficit round robin, with a
// window of attempts for each that follows what it takes. One that does not
// answer is left alone for a while; of what waits for it only those jobs are
// touched whose sender has to hear of a delay, or of the end. Inside a
// destination higher priorities come first, and grow with the time that they
// wait; then senders in turn; then the longest due. The memory of a Runner is
// for destinations that are active, not for what waits.
//
// # What is kept beside jobs
//
// A Storage has a small table of [Entry], written on its own or in the commits of
// Put (Job.Entries) and Settle (Outcome.Entries). The Runner keeps its pauses
// there. [Queue.Admit] and [Runner.Record] are the seams for what else stands on
// it: packages suppress, budget, holdrule and history below this one.
//
// # What a crash leaves behind
//
// A message is safe at the return of Storage.Put, which comes before the 250.
//
//	before Blobs commit          nothing; the client got no 250
//	after it, before Put         a blob that nobody refers to; the Collector frees it
//	after Put, before the 250    the message is queued; the client sends it again: a duplicate (RFC 1047)
//	during an attempt            the job as it was before; the lease is void, the job due again:
//	                             at once where one process owns the storage, else when its time is over;
//	                             the crash is counted, by who opens the storage or takes the lease over
//	during the third in a row    the job, held: HoldCrashed, unless several were suspects
//	after the next hop's 250,    the job as it was before: a duplicate, unless the
//	  before Settle              receiver knows Mail.Once (local delivery does)
//	after Settle                 the outcome, with the DSNs it called for
//
// # Invariants
//
//	Q1  A recipient leaves a Job only in a commit that follows its delivery,
//	    or holds the DSN of its failure, or was ordered by an operator.
//	Q2  At most one valid lease exists for a job. An attempt whose lease may
//	    have ended is cancelled, and its outcome does nothing.
//	Q3  A job's blob is held as long as the job is there, and 24 h longer.
//	Q4  In doubt (an error without a 5xx reply, a lost reply, a panic) the
//	    recipient stays.
//	Q5  What ends the process again and again is held, not attempted; what was
//	    only under way at the same time is not.
//	Q6  A destination that takes nothing costs the others nothing.
//	Q7  An entry of a job or an outcome is there if and only if that is.
//
// # RFCs
//
//	RFC 5321 §4.5.4, §6.1  retry strategy, responsibility     full
//	RFC 1047               duplicates after a lost reply      described above
//	RFC 2852               BY=                                deadlines and delays; what a next hop is told is the Receiver's
//	RFC 3461 §6            when a DSN is due                  by the Reporter
//	RFC 4865               HOLDFOR=, HOLDUNTIL=               Due and Expiry
//	RFC 6710 §4, §5        priority                           order inside a destination; of reports too
//	RFC 8689 §5            REQUIRETLS                         reports are protected as the message was
package queue
