// Package smtptest helps to test code that sends and takes mail: a server that
// captures messages, a peer that follows a script, and the conformance suite
// for a smtp.Receiver. It uses the standard library and package smtp only, so
// it is also an independent judge of smtpserver and smtpclient.
//
//	srv := smtptest.NewServer(t)
//	sendReport(srv.Addr)
//	got := srv.Messages()
//
// A Receiver is judged by one call:
//
//	smtptest.TestReceiver(t, smtptest.Suite{New: func(t *testing.T) smtp.Receiver { ... }})
//
// # RFCs
//
//	RFC 2033  LMTP  as far as tests need it
//	RFC 5321  SMTP  as far as tests need it
package smtptest
