// Package dsn writes delivery status notifications: what a queue sends to the
// reverse-path when a message failed, is late, or was delivered and the sender
// asked to know.
//
// A [Reporter] is a queue.Reporter. It never answers the null sender, so a DSN
// never causes a DSN, and it honours NOTIFY, RET, ENVID and ORCPT. A cause of
// our own (an error's text) never stands in a DSN: only replies do.
//
// Nor does it write to who did not write (backscatter): where SPF or DMARC
// failed by the Authentication-Results that this host has put in front, nothing is
// reported; of what is marked as spam, only failures; and one address gets a
// bounded number within an hour. Who submitted with a password hears of everything.
//
// # How many
//
// One DSN is for all recipients of a job that have their result in one attempt:
// up to queue.MaxRecipients of one destination. Jobs of one message to several
// destinations settle by themselves, each with its DSN in the same commit, so that
// none is lost; a message to three thousand domains that all fail has as many
// reports.
//
//	RFC 3461 §4, §5, §6  when a DSN is due, and what it returns   partial: ORCPT is added by who expands
//	RFC 3464             message/delivery-status                  writing; deliver/bounce reads
//	RFC 6522             multipart/report                         writing
//	RFC 6533             message/global-delivery-status           where the message was international
//	RFC 3834 §2, §5      restraint, Auto-Submitted                text not read whole
package dsn
