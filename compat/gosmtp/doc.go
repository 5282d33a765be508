// Package gosmtp runs a backend that was written for emersion/go-smtp on
// smtpserver, so that a program can change servers first and its code later.
//
//	s := smtp.NewServer(backend) // github.com/emersion/go-smtp v0.25
//	s.Domain = "mx.example.org"
//
//	srv, err := gosmtp.NewServer(s) // was: s.ListenAndServe()
//	err = srv.ListenAndServe(ctx, ":25")
//
// [Config] is for those who want more of smtpserver: limits, hooks, policies.
//
// # What is the same
//
// Backend, Session, AuthSession and LMTPSession are called at the same points
// with the same values: NewSession at the first EHLO and again after STARTTLS,
// Reset after each transaction, Logout at the end. Errors of type SMTPError are
// the reply, as are go-smtp's own error values. Conn gives host name, addresses
// and options.
//
// # What is different
//
//   - An error that is no SMTPError leaves as 451 4.3.0, and its text goes to the
//     log, not to the peer. (go-smtp sends the text, and after DATA as a 554, so
//     that a database that is down returns mail to its senders.)
//   - A body that did not end cleanly is never accepted, whatever Data returns.
//     DATA and BDAT are read on the goroutine of the connection.
//   - Zero options mean smtpserver's limits: 35 MiB, 1000 recipients and so on.
//     See smtpserver.Limits. Replies have other texts, and where go-smtp's code
//     is not that of the RFC, another code: 503 for a wrong order, 555 for an
//     unknown parameter, 538 for AUTH without TLS.
//   - Conn.TLSConnectionState says that there is no TLS; see PeerOf. Reads and
//     writes of Conn.Conn do nothing. Close and Reject end the session at its
//     next command.
//   - LMTP replies leave together, when LMTPData has returned. A recipient
//     without a status gets the error that it returned.
//   - BY and MT-PRIORITY are taken at MAIL, where RFC 2852 and RFC 6710 §4.1 have
//     them, and at RCPT, where go-smtp has them. RcptOptions gets what RCPT says,
//     else what MAIL said. Whether the peer may have a priority is for the
//     backend to judge, as with go-smtp.
//
// A connection costs a goroutine and about 20 KiB more than with a Receiver: each
// has a Conn of go-smtp's own making. A Receiver is lighter; the guide
// docs/guide/from-go-smtp.md shows how to write it.
//
// # Invariants
//
//	I1  Session.Logout is called once for each session that NewSession returned,
//	    before smtpserver.Config.Closed returns.
//	I2  No text of an error that is no SMTPError reaches the peer.
package gosmtp
