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
//	RFC 1939  POP3                      full; RPOP is no part of it
//	RFC 2449  CAPA, response codes      full
//	RFC 2595  STLS                      §4
//	RFC 3206  SYS and AUTH codes        text not read whole
//	RFC 4647  language ranges           §3.3.1 basic filtering (text not read whole)
//	RFC 5034  AUTH, SASL capability     text not read whole
//	RFC 6856  UTF8, LANG                partial, see below; SASLprep's successor is the Authenticator's
//	RFC 8314  implicit TLS              §3.2 (text not read whole)
//
// # Headers in UTF-8
//
// RFC 6856 §2.1 forbids UTF-8 in the header for a client that did not say UTF8.
// It is sent all the same unless Config.Headers says otherwise: a client that
// collects and deletes would lose what a surrogate hides. Bodies are 8bit content
// and are not touched, and neither are headers of parts inside them.
//
// # Invariants
//
//	P1  Nothing is deleted but by QUIT in the transaction state.
//	P2  Only one session at a time has a maildrop of this server, unless
//	    Config.SharedMaildrops says otherwise.
//	P3  A message number and a unique-id stand for the same octets all through
//	    a session; a unique-id for ever.
//	P4  The octets that RETR sends, their dot-stuffing undone, are those of
//	    IMAP's BODY[], or its surrogate; their number is what LIST says. CRLF
//	    "." CRLF ends them, whose first CRLF is that of the message where it
//	    has one. A line ends at LF: a dot is put before one that follows a bare
//	    LF, too, since there are clients that would take it for the end.
//	P5  An idle connection holds no buffer but the one for its next command,
//	    no copy of the list of messages, and after a second nothing that was
//	    read ahead.
//	P6  Neither Trace nor Logger sees a password, digest, response or
//	    challenge.
//	P7  The text of an internal error never reaches a client.
//
// # Concurrency
//
// One goroutine serves a connection. The maildrop is locked by
// store.Maildrops, which servers of one process may share (Config.Locks), as
// they may Config.Users. conn.mu and the locks of Users are leaves.
package pop3server
