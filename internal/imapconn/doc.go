// Package imapconn moves the commands of an IMAP client to a server and the
// responses back: octets, tags, literals, continuation requests, TLS, compression,
// timeouts and limits. It knows no session and not what a response means: those
// that the caller of a command does not take go to Config.Handle.
//
// There is no goroutine: whoever runs a command reads until it is answered. One
// goroutine at a time uses a Conn (ErrBusy), Close apart. What it promises is I1,
// I2, I4, I6, I8 and I9 of package imapclient.
package imapconn
