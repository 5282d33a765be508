// Package authn is the seam between the servers and whoever decides who a
// client is. smtpserver, imapserver and pop3server take the same
// [Authenticator], so one configuration serves them all:
//
//	svc := &login.Service{Backend: users}
//	smtpserver.Config{Auth: svc.Authenticator(), ...}
//	imapserver.Config{Auth: svc.Authenticator(), ...}
//	pop3server.Config{Auth: svc.Authenticator(), ...}
//
// Neither do servers know package login, nor does an Authenticator know a
// protocol: a server does the framing (base64, the "*" that cancels, lengths,
// what follows a success), keeps passwords off lines that others can read, and
// says what each error of this package is in its protocol:
//
//	                 SMTP (RFC 4954)  IMAP (RFC 9051, 5530)        POP3 (RFC 5034, 3206)
//	ErrRejected      535 5.7.8        NO [AUTHENTICATIONFAILED]    -ERR [AUTH]
//	ErrTooMany       454 4.7.0        NO [UNAVAILABLE]             -ERR [SYS/TEMP]
//	ErrTemporary     454 4.7.0        NO [UNAVAILABLE]             -ERR [SYS/TEMP]
//	ErrTLSRequired   538 5.7.11       NO [PRIVACYREQUIRED]         -ERR [AUTH]
//	ErrMechanism     504 5.5.4        NO [CANNOT]                  -ERR
//	ErrMalformed     501 5.5.2        BAD                          -ERR
//
// Any other error is answered like ErrTemporary, under a log id and without
// its text: a backend in trouble is never told as a wrong password.
//
// An Authenticator that is an [APOPAuthenticator] serves APOP of POP3, too.
//
// # RFCs
//
//	RFC 1939  POP3                        APOP (§7)
//	RFC 4422  SASL                        text not read whole
//	RFC 4616  PLAIN                       full, for PasswordFunc
//	RFC 4954  SMTP AUTH                   see smtpserver
//	RFC 4959  IMAP initial response       see imapserver
//	RFC 5034  POP3 AUTH                   see pop3server
//
// # Invariants
//
//   - I1: A mechanism that shows a secret to whoever reads along is neither
//     offered nor begun on a connection that is not Secure (see Offered).
//   - I2: A user name and password by command (LOGIN, USER and PASS) are taken
//     exactly where PLAIN is offered.
//
// # Concurrency
//
// An Authenticator is called from any number of goroutines. A sasl.Server is
// used by the goroutine of its connection alone.
package authn
