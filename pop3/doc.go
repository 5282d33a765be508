// Package pop3 is the vocabulary of the Post Office Protocol, version 3: what
// pop3server and clients share.
//
//	RFC 1939  the protocol                     see pop3server, pop3client
//	RFC 2449  CAPA, response codes             full
//	RFC 2595  STLS                             §4; see pop3server, pop3client
//	RFC 3206  SYS and AUTH response codes      text not read whole
//	RFC 6856  UTF8 and LANG                    partial: see pop3server (§2.1), pop3client
//
// Glossary: a maildrop is the locked view of INBOX that a session works on; a
// unique-id is the value of UIDL, which names a message for ever.
package pop3
