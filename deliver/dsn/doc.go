// Package dsn writes delivery status notifications: what a queue sends to the
// reverse-path when a message failed, is late, or was delivered and the sender
// asked to know.
//
// A [Reporter] is a queue.Reporter. It never answers the null sender, so a DSN
// never causes a DSN, and it honours NOTIFY, RET, ENVID and ORCPT. A cause of
// our own (an error's text) never stands in a DSN: only replies do.
//
//	RFC 3461 §4, §5, §6  when a DSN is due, and what it returns   partial: no ORCPT is added
//	RFC 3464             message/delivery-status                  writing
//	RFC 6522             multipart/report                         writing
//	RFC 6533             message/global-delivery-status           partial: no utf-8-addr-unitext in 7-bit form
//	RFC 3834 §5          Auto-Submitted                           text not read whole
package dsn
