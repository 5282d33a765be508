// Package smtp is the vocabulary of mail transport: paths, parameters,
// replies, the body of a message, and the one shape that everything has which
// takes responsibility for mail, the [Receiver].
//
// The package parses and formats; it opens no connection and starts no
// goroutine. The server is smtpserver, the client smtpclient, scripted peers
// and the conformance suite for receivers stand in smtptest.
//
// # Glossary
//
//   - reverse-path: the argument of MAIL FROM; the null sender is "<>".
//   - forward-path: the argument of RCPT TO.
//   - transaction: MAIL, RCPT and DATA (or BDAT) of one message.
//   - recipient: one forward-path with its parameters.
//   - envelope: what surrounds a body: the Mail and its recipients.
//   - trace fields: the header fields that a hop puts in front (Received,
//     Return-Path, Authentication-Results).
//   - enhanced status code: class.subject.detail in front of a reply's text.
//
// # Taking responsibility
//
// A [Receiver] opens a [Transaction], which judges recipients and then reads
// the [Body]. A status without an error is a promise: the message is on stable
// storage (RFC 5321 §6.1). In doubt the answer is an error; a message that is
// delivered twice is better than one that is lost.
//
//	I1  A body that did not reach its clean end is never accepted.
//	I2  One status for each accepted recipient, in RCPT order.
//	I3  An error without a Reply is temporary, and its text stays inside.
//	I4  Over plain SMTP all statuses of a message are equal; see Uniform.
//
// A plain function is enough for a start:
//
//	receiver := smtp.ReceiveFunc(func(ctx context.Context, env *smtp.Envelope, r io.Reader) error {
//		_, err := io.Copy(os.Stdout, r)
//		return err
//	})
//
// # RFCs
//
//	RFC 5321  §2.4, §4.1.2, §4.2, §4.4, §4.5.3  paths, replies, trace fields, limits
//	RFC 1870  §6           SIZE
//	RFC 2034  §4           ENHANCEDSTATUSCODES
//	RFC 2852               BY=
//	RFC 3030  §2, §3       CHUNKING, BINARYMIME
//	RFC 3461  §4, §5.4     DSN parameters, xtext
//	RFC 3463  §2           enhanced status codes
//	RFC 3848               "with" words of Received
//	RFC 4865               HOLDFOR=, HOLDUNTIL=
//	RFC 4954  §5           AUTH=
//	RFC 6152  §3           BODY=
//	RFC 6531  §3.3, §4.3   UTF-8 in paths, "with" words
//	RFC 6533  §3           utf-8-addr-xtext
//	RFC 6710  §7           MT-PRIORITY=
//	RFC 8314  §4.3         "tls" clause of Received
//	RFC 8689  §2           REQUIRETLS
//
// PRDR follows draft-hall-prdr-00; XCLIENT and XFORWARD follow the documents
// that come with Postfix.
package smtp
