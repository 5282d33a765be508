// Package login decides who a client is: it checks user names and passwords
// for the SMTP, IMAP and POP3 servers, by SASL (AUTH, AUTHENTICATE) and by
// command (LOGIN, USER and PASS).
//
// A [Service] stands between a server and a [Backend]. The backend only says
// what is known about a user (a [Record]); the service does the rest once for
// all backends: it refuses what no backend should see, canonicalises, slows
// down guessing ([Guard]), bounds the memory and CPU that password hashing
// takes, spends the same work on an unknown user as on a wrong password,
// remembers recent successes, and judges the authorization identity.
//
//	users := &filelogin.File{Path: "passwd"}
//	svc := &login.Service{Backend: users, Logger: log}
//
// Servers take it as one value, whatever they speak:
//
//	smtpserver.Config{Auth: svc.Authenticator(), ...}
//	imapserver.Config{Auth: svc.Authenticator(), ...}
//	pop3server.Config{Auth: svc.Authenticator(), ...}
//
// Programs of other protocols use Authenticate for a user name and a password,
// and Server for a SASL exchange.
//
// # Mechanisms
//
// By itself a Service offers what its fields make possible, and nothing that a
// user could be locked out or undermined by:
//
//	PLAIN                          over TLS
//	SCRAM-SHA-256, SCRAM-SHA-512   where the backend is a Keeper of their secrets
//	their -PLUS variants           where there is a TLSState, too
//	OAUTHBEARER, XOAUTH2           where Tokens is set, over TLS
//	EXTERNAL                       where Certificate is set, for a verified certificate
//	ANONYMOUS                      where Anonymous is set
//	LOGIN, CRAM-MD5, SCRAM-SHA-1   where Enable names them
//	APOP, POP3's own command       where Enable names it; for users whose record
//	                               keeps the password itself, as {PLAIN}
//
// SCRAM does not work with app passwords: its first answer holds the salt of one
// password, before anybody can know which one the client has.
//
// # Errors
//
// Those of package authn, told apart with [errors.Is]; its comment has the
// table of what each protocol answers. Servers never send their text, and
// answer any other error like ErrTemporary.
//
// # RFCs
//
//	RFC 1939  POP3                       APOP (§7), judging the digest
//	RFC 4422  SASL                       authorization identities; mechanisms: package saslmech
//	RFC 5280  certificates               §4.2.1.6, CertificateEmail
//	RFC 7628  OAUTHBEARER                users, hosts and failures; the rest: package saslmech
//	RFC 8264  PRECIS framework           §7 repeated application
//	RFC 8265  user names and passwords   §3.3 UsernameCaseMapped, §4.2 OpaqueString
//	RFC 5891  IDNA                       domain of a user name, as U-labels
//	RFC 9106  Argon2                     argon2id, version 0x13
//
// # Invariants
//
//   - I1: A wrong password, an unknown user and a disabled one give the same
//     error value and cost one password hash of the service's parameters
//     (users whose stored hash has other parameters cost what their hash says).
//   - I2: A failure of a backend is never reported as a wrong password.
//   - I3: An empty password reaches neither backend nor hash.
//   - I4: No password reaches a log, a formatted string or an error.
//   - I5: A stored hash asks for no more memory or time than the fixed bounds
//     (256 MiB, bcrypt cost 15, and those of package internal/passhash),
//     whatever it says.
//   - I6: A remembered success ends at once when the stored hash changes or the
//     user is disabled or deleted.
//   - I7: Whatever the mechanism, an exchange ends with an identity only after
//     the guard let it through, the backend knew an enabled user, and the
//     authorization identity was judged; the log has one record of it. (ANONYMOUS
//     has neither user nor guess, and only the record.)
//   - I8: The password of a user with AppPasswordsOnly is refused as a wrong one
//     in every mechanism that has one.
//   - I9: SCRAM's first answer shows nothing of whether a user exists: without a
//     verifier of his it shows a decoy, the same for the same name.
//   - I10: A renewed hash never replaces a password that was changed meanwhile,
//     and a changed password leaves no other form of the old one.
//   - I11: No app password of a deleted user is that of a later user of the name.
//   - I12: No number of failures elsewhere makes a user wait at an address where he
//     is known.
//
// # Concurrency
//
// Everything here may be used from any number of goroutines, apart from the
// SASL server of one exchange. No goroutine is started. Locks are leaves: no
// lock of this package is held while another is taken, while a password is hashed
// or while a backend is asked.
package login
