// Package oauth verifies the bearer tokens that clients log in with
// (OAUTHBEARER, RFC 7628, and XOAUTH2): who they speak for, and whether their
// issuer, audience, scope and time are ours. Each verifier is a
// login.TokenVerifier.
//
//	JWT            signed tokens, by the keys that the issuer publishes
//	Introspection  any token, by asking the issuer
//	Issuers        several issuers, each with its own rules
//
// What an issuer's tokens count for is in [Rules]:
//
//	verifier := &oauth.JWT{
//		Issuer: "https://sso.example.org/realms/mail",
//		Rules:  oauth.Rules{Audience: []string{"imap.example.org"}, Scopes: []string{"mail"}},
//	}
//
// The name in a token becomes an account as any user name does: in the backend
// of login.Service, unless Rules.Map changes it before.
//
// Clients that need tokens are served by package oauthclient.
//
// # Errors
//
// A token that does not count is login.ErrRejected, beside a sentinel that says
// why (ErrExpired, ErrAudience, …) for the log. Whatever keeps us from judging it
// (no keys, an endpoint that is down, slow, or answers nonsense) is
// login.ErrTemporary, beside ErrKeys, ErrIntrospection or ErrConfig.
//
// # RFCs
//
//	RFC 6750  bearer tokens          §2.1 syntax of a token
//	RFC 7515  JSON Web Signature     compact form, verification; no extension (crit)
//	RFC 7517  JSON Web Key           sets; use, key_ops and alg of a key count
//	RFC 7519  JSON Web Token         iss, aud, exp, nbf, iat
//	RFC 7662  introspection          the protected resource's side
//	RFC 8414  server metadata        issuer and jwks_uri
//	RFC 8725  JWT best practices     §3.1 to §3.12, apart from encryption
//	RFC 9068  JWT access tokens      §4, typ and aud; asked for with OnlyAccessTokens
//
// # Invariants
//
//   - I1: Keys come from the issuer's key set alone, never from a token: jwk,
//     jku, x5c and x5u are not read, and a kid is only compared.
//   - I2: No algorithm with a shared secret and no unsigned token is accepted,
//     whatever is configured.
//   - I3: A failure of an issuer is never reported as a wrong token.
//   - I4: No token and no secret reaches a log, a formatted string or an error.
//   - I5: Strangers' tokens make us read keys at most once per MinInterval, and
//     ask an introspection endpoint at most MaxConcurrent times at once.
//   - I6: A token is judged for at most its own life; what was remembered of an
//     introspection ends with the token, and with CacheTTL.
//   - I7: JSON in which a name occurs twice is refused, so that what we read is
//     what anybody else reads.
//
// # Bounds
//
//	token 16 KiB, key set 512 KiB and 128 keys, RSA 2048 to 8192 bits,
//	answer 64 KiB, JSON 16 levels and 10,000 values, requests 5 s
//
// # Concurrency
//
// Verifiers may be used from any number of goroutines and start none. Of callers
// that need the same thing from a server one asks and the others wait; the one
// who asks waits up to Timeout even where its own context ends before. Locks are
// leaves and not held while a server is asked.
package oauth
