// Package smtpserver receives mail by SMTP (RFC 5321) and LMTP (RFC 2033). It
// parses, keeps the order of commands, bounds what a peer may take, and gives
// each message to a smtp.Receiver.
//
//	srv := smtpserver.New(smtpserver.Config{Receiver: receiver})
//	err := srv.ListenAndServe(ctx, "127.0.0.1:2525")
//
// # How it is made
//
// One goroutine serves a connection: it reads commands in place, runs them by
// the table in session.go, and calls the Receiver. The Receiver reads the body
// on the same goroutine, out of the connection's buffer. Replies are held back
// and leave in one write before the connection waits for input (RFC 2920 §3.2).
//
// Contexts given to handlers end with the connection's service, on Close, and
// with the context of Serve. Peer is replaced, not changed, when TLS, a hello
// or AUTH changes what is known.
//
// # Invariants
//
//	I1  Only CRLF "." CRLF ends DATA, whatever octets surround it.
//	I2  What was sent as a body is never taken for commands, whatever failed.
//	I3  A body that did not reach its clean end is answered with no 2xx.
//	I4  The text of an error without a Reply never reaches the peer.
//	I5  Octets received in plain text are never used after a TLS handshake.
//	I6  Every RCPT, DATA and last BDAT has its replies, in order, also when a
//	    handler panics.
//
// # RFCs
//
//	RFC 1870  SIZE                  full
//	RFC 2033  LMTP                  full
//	RFC 2034  ENHANCEDSTATUSCODES   full
//	RFC 2852  DELIVERBY             parameter; partial (text not read whole)
//	RFC 2920  PIPELINING            full
//	RFC 3030  CHUNKING, BINARYMIME  full
//	RFC 3207  STARTTLS              full
//	RFC 3461  DSN                   parameters; reports are the Receiver's
//	RFC 3848  "with" words          partial (text not read whole)
//	RFC 4865  FUTURERELEASE         parameters; partial (text not read whole)
//	RFC 4954  AUTH                  partial (text not read whole)
//	RFC 5321  server side           all but EXPN; trace fields are the Receiver's (smtp.AppendReceived)
//	RFC 6152  8BITMIME              partial (text not read whole)
//	RFC 6531  SMTPUTF8              partial: replies are ASCII; conversion is the Receiver's
//	RFC 6710  MT-PRIORITY           §4.1; the order of delivery is the Receiver's
//	RFC 8314  implicit TLS          §3.3
//	RFC 8689  REQUIRETLS            §2; the onward way is the Receiver's
//	RFC 9422  LIMITS                partial (text not read whole)
//
// Without an RFC: PRDR (draft-hall-prdr-00), XCLIENT and XFORWARD (Postfix,
// XCLIENT_README and XFORWARD_README), the PROXY protocol, versions 1 and 2
// (HAProxy, proxy-protocol.txt).
package smtpserver
