// Package autoreply says whether a message may be answered by a program: [Of] names
// what makes it automatic, and a [Responder] decides for a mailbox, once for each
// sender in a week.
//
// # Invariants
//
//	A1  The null sender is never answered, so two programs cannot write to each
//	    other for ever.
//	A2  In doubt nothing is sent: a response that is missing does no harm.
//	A3  A sender is remembered before the response leaves. Where that fails there
//	    is none.
//
// # RFCs
//
//	RFC 3834 §2, §4, §5   when to respond, and to whom; Auto-Submitted   text not read whole
//	RFC 5230 §4.5, §4.6   personal messages; daemons and lists
//	RFC 2369, RFC 2919    List- fields
//	RFC 5436 §2.7.1       Auto-Submitted: auto-notified
//
// Precedence, X-Auto-Response-Suppress and the like stand in no RFC, but in mail.
package autoreply
