// Package journal keeps a copy of the mail that passes: a [Journal] writes an
// envelope report on each message, with the message in it, to an address of the
// operator; an [Archive] gives the message as it is to a second receiver.
//
// # Reports
//
// A report is a multipart/mixed message with the null sender. Its first part is
// text that says who the message was from and who it went to, blind copies and
// what aliases stand for included, in the lines that archives read since
// Exchange has written them; its second part is the message, octet by octet
// (message/rfc822, or message/global where its header has UTF-8):
//
//	Sender: alice@example.org
//	Subject: Offer
//	Message-Id: <1@example.org>
//	To: carol@example.net
//	Cc: bob@example.org, Expanded: sales@example.org
//	Bcc: dave@example.com
//	Recipient: erin@example.org
//
// A recipient that the header names is To, Cc or Bcc as there; of the others,
// those of a user of this host are Bcc, and those of foreign senders Recipient.
//
// A [Journal] is a step of an intake.Intake, so the report is queued in the
// commit that accepts the message. It costs one row: the job has the head of the
// report as its Prefix and the message's own blob, and what closes the report
// stands in no file but is added when it is sent, by the [Router].
//
// # Invariants
//
//	J1  A message that a rule covers is accepted if and only if its report is
//	    queued.
//	J2  A report is never given up: what the journal address refuses for good
//	    goes to the alternate address, else it is held. Nobody is told by mail.
//	J3  Reports are not journaled.
//	J4  What a report encloses are the octets that were queued.
//
// A next hop without 8BITMIME gets an 8-bit report converted, and with it the
// message that it encloses: journal addresses belong to hosts that take 8-bit.
// Reports of a queue.Reporter do not pass an Intake and are not journaled.
//
// # RFCs
//
//	RFC 2046 §5.1, §5.2.1  multipart/mixed, message/rfc822    full
//	RFC 3834 §5            Auto-Submitted                     full
//	RFC 5321 §4.5.5        null sender                        full
//	RFC 6532 §3.7          message/global                     full
package journal
