// Package pop3client fetches mail from a POP3 server (RFC 1939): it dials,
// negotiates TLS, logs in by SASL or by password, lists, retrieves and deletes,
// and tells what became of the deletions.
//
//	account := login.Client{Credentials: saslmech.Credentials{Username: "ann", Password: secret}}
//	d := &pop3client.Dialer{TLS: pop3client.TLSImplicit, Login: account.Login}
//	c, err := d.Dial(ctx, "tcp", "pop.example.org:995")
//	...
//	defer c.Close()
//	drop, err := c.Maildrop(ctx)
//	for body, err := range c.RetrEach(ctx, numbers) { ... }
//	for number, err := range c.DeleEach(ctx, numbers) { ... }
//	err = c.Quit(ctx)
//
// A [Queue] asks for messages and unique-ids ahead of their replies, for a caller
// that does not know all of them at first.
//
// A message may be deleted when it is safe where it went, and not before; the
// server deletes when QUIT is answered, see [Client.Quit].
//
// # Invariants
//
//	I1  A body ends with io.EOF only where its end was seen and nothing contradicts
//	    it. A body that is cut off is io.ErrUnexpectedEOF.
//	I2  The octets of a body are those that the server stuffed, bare CR and bare LF
//	    included; see LooseEnd for what ends one.
//	I3  What the server sends is bounded in lines, octets and time; nothing is
//	    allocated by a size that it announces.
//	I4  Nothing that arrived in plain text behind the +OK to STLS is used (RFC
//	    2595 §4); it is an error.
//	I5  A reply that no command asked for ends the connection: a reply is never
//	    taken for the answer to another command, as far as its arrival shows it.
//	I6  Quit returns nil only for a +OK, and no error but ErrUnknown and *Error
//	    where QUIT may have reached the server.
//	I7  Secrets reach neither Trace nor an error, also where the server repeats
//	    them.
//
// # Errors
//
// A refusal is an *[Error] with its response code: errors.Is(err,
// pop3.CodeLoginDelay). Most other errors mean that the connection is lost: then
// [Client.Usable] is false, and later calls return ErrClosed with the reason.
//
// # RFCs
//
//	RFC 1939  POP3                        client side, full; RPOP is no part of it
//	RFC 2449  CAPA, response codes        full
//	RFC 2595  STLS                        §4
//	RFC 3206  SYS and AUTH codes          text not read whole
//	RFC 4616  PLAIN                       §2, as USER and PASS
//	RFC 5034  AUTH, SASL capability       text not read whole
//	RFC 5802  SCRAM                       §5, that the server proves itself
//	RFC 6151  what MD5 is worth           text not read whole
//	RFC 6856  UTF8, LANG                  client side, full
//	RFC 8314  implicit TLS                §3.2 (text not read whole)
//	RFC 9266  channel bindings            the TLS state is there for them
//
// # Concurrency
//
// One goroutine at a time uses a Client and its bodies; Close may be called from
// another. There are no goroutines of its own: the end of a context sets the
// connection's deadline.
package pop3client
