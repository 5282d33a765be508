// Package pop3server serves the INBOX of a store by POP3.
//
//	srv, err := pop3server.New(pop3server.Config{Store: st, Auth: auth, TLSConfig: tlsConfig})
//	go srv.Serve(listener)
//	...
//	srv.Shutdown(ctx)
//
// A session locks the maildrop and sees the INBOX as it was at login: new mail
// is invisible, message numbers never move. DELE only marks; QUIT is the one
// commit, and answers +OK when the deletions are on stable storage. A message
// that another client expunged meanwhile gives -ERR, never another text.
//
// # RFCs
//
//	RFC 1939  POP3                     full but for APOP and RPOP
//	RFC 2449  CAPA, response codes     full
//	RFC 2595  STLS                     §4
//	RFC 3206  SYS and AUTH codes       text not read whole
//	RFC 5034  AUTH, SASL capability    text not read whole
//	RFC 8314  implicit TLS             §3.2 (text not read whole)
//
// # Invariants
//
//	P1  Nothing is deleted but by QUIT in the transaction state.
//	P2  Only one session at a time has a maildrop of this server.
//	P3  A message number and a unique-id stand for the same octets all through
//	    a session; a unique-id for ever.
//	P4  The octets that RETR sends, their dot-stuffing undone, are those of
//	    IMAP's BODY[], with a CRLF behind a last line that has none.
//
// # Concurrency
//
// One goroutine serves a connection. The maildrop is locked by
// store.Maildrops, which servers of one process may share (Config.Locks).
package pop3server
