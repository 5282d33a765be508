// Package arf reads feedback reports: what a mailbox provider sends about a
// message that one of its users called spam, and what a receiver sends about one
// whose authentication failed.
//
// Reports are not signed by whom they name. Who acts on one should know the
// message that it shows, by an identifier of his own in its header, rather than
// believe addresses: these are often taken out (RFC 6590).
//
//	RFC 5965 §2, §3   feedback-type, fields, the reported message   reading; text not read whole
//	RFC 6522          multipart/report                              also where the type is another one
//	RFC 6590          redacted addresses are kept, and marked       text not read whole
//	RFC 6591 §3       auth-failure                                  reading; text not read whole
//	RFC 6692          Source-Port                                   text not read whole
//
// DMARC's failure reports have more to say: see auth/dmarc/report.
package arf
