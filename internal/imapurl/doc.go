// Package imapurl parses and writes the URLs of IMAP: of mailboxes, messages and
// parts of messages, and the authorization that URLAUTH adds to them. It knows
// no server and no mailbox.
//
// # RFCs
//
//	RFC 5092  IMAP URL scheme           absolute URLs, paths, relative message URLs (text not read whole)
//	RFC 4467  URLAUTH                   the part of the URL (text not read whole)
//	RFC 5550  URL-PARTIAL §2.7          ;PARTIAL= (text not read whole)
//
// # Invariants
//
//	I1  What String writes, Parse reads back to the same URL.
//	I2  A decoded component is UTF-8 without control characters; what is not is
//	    refused, so that it can be logged and compared.
//	I3  Work is linear in the length of the URL, which MaxLength bounds.
package imapurl
