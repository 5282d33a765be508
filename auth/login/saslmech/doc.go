// Package saslmech has the SASL mechanisms (RFC 4422) that mail uses, both
// sides of each, as state machines behind go-sasl's Server and Client. They know
// no users: a server is made with a function that judges what the client said,
// and ends with the error of that function. Package login joins them to a
// backend, a guard and a log.
//
//	mechanism                        server               client
//	EXTERNAL                         NewExternalServer    NewExternalClient
//	SCRAM-SHA-512, -256, -1, -PLUS   SCRAMServer          SCRAMClient
//	OAUTHBEARER                      NewOAuthBearerServer NewOAuthBearerClient
//	XOAUTH2                          NewXOAuth2Server     NewXOAuth2Client
//	PLAIN                            NewPlainServer       NewPlainClient
//	LOGIN                            NewLoginServer       NewLoginClient
//	CRAM-MD5                         CRAMMD5Server        NewCRAMMD5Client
//	ANONYMOUS                        NewAnonymousServer   NewAnonymousClient
//
// A client that has credentials and a list of what the server offers calls
// [Choose]. After the server's success it asks [Outcome], because a server that
// does not know the password can still say that it was right.
//
// # Servers
//
// The first call of Next carries the initial response, nil where there is none;
// an empty one is not nil. Next returns a challenge, or done, or an error,
// which ends the exchange: [ErrMalformed] for a message that the mechanism does
// not have, ErrDowngrade and ErrBinding of SCRAM, and whatever the callback
// returned. A cancelled exchange is not called again. Messages have bounds
// ([MaxName], [MaxPassword], [MaxToken]); what is longer is refused before it
// is copied. Base64 and "*" belong to the protocols.
//
// # RFCs
//
//	RFC 2195  CRAM-MD5                  full
//	RFC 4013  SASLprep                  through xdg-go/stringprep, for SCRAM
//	RFC 4422  SASL                      EXTERNAL (appendix A)
//	RFC 4505  ANONYMOUS                 full, without the stringprep profile "trace"
//	RFC 4616  PLAIN                     full
//	RFC 5802  SCRAM                     full; SCRAM-SHA-1 and -PLUS
//	RFC 5929  channel bindings of TLS   tls-server-end-point, tls-unique
//	RFC 6750  bearer tokens             §2.1, the token's form
//	RFC 7628  OAUTHBEARER               full, without OAUTH10A
//	RFC 7677  SCRAM-SHA-256             full
//	RFC 9266  tls-exporter              full
//
// # Invariants
//
//   - I1: A server's exchange ends without error only when its callback, called
//     exactly once, returned nil.
//   - I2: No message of a peer makes a function panic, nor makes it do work or
//     keep memory beyond the bounds above and MaxIterations.
//   - I3: Secrets are in no error and no formatted value. (Clients hold theirs
//     in unexported fields and are not to be logged.)
//   - I4: A client sends SCRAM without channel binding only where it told the
//     server so inside the exchange that the proof covers.
//
// # Concurrency
//
// A Server and a Client are for one exchange and one goroutine. Everything else
// may be used by any number. Nothing here waits or starts a goroutine.
package saslmech
