// Package oauthclient gets access tokens for clients that log in with
// OAUTHBEARER or XOAUTH2: smart hosts and collectors at Microsoft 365, Gmail and
// others that do not take passwords.
//
// A [Source] is a login.TokenSource: it keeps an access token, gets another
// before that one ends, and never hands out again what a server refused. Where
// tokens come from is its [Grant]:
//
//	Refresh            for a mailbox whose owner has logged in once (RFC 6749 §6)
//	ClientCredentials  for the program itself (RFC 6749 §4.4)
//	JWTBearer          for a service account (RFC 7523); GoogleServiceAccount
//	GrantFunc          anything else, such as another OAuth library
//
// The first refresh token comes from a person: [Registration.StartDevice] shows
// a code that is confirmed in a browser anywhere, [Registration.StartBrowser]
// opens a page on this machine. [Microsoft365] and [Google] know the addresses
// and scopes.
//
//	r := oauthclient.Microsoft365("example.org")
//	r.ClientID = "00000000-0000-0000-0000-000000000000"
//	source := &oauthclient.Source{Grant: &oauthclient.Refresh{
//		Registration: r,
//		Store:        &oauthclient.FileStore{Path: "relay.token"},
//	}}
//
// # Errors
//
//	login.ErrTemporary  no network, 5xx, 429, an answer that makes no sense,
//	                    a token file that cannot be written: tried again after a
//	                    growing time, at most every 5 min
//	ErrInvalidGrant     the refresh token or assertion does not count any more
//	ErrInvalidClient    the client or its secret does not
//	ErrConfig           the request is wrong: scope, address, missing field
//	ErrNoToken          nobody has logged in yet
//
// The last four stay until somebody does something; the source looks again
// every 5 minutes, so that a new login is noticed without a restart.
//
// # RFCs
//
//	RFC 6749  OAuth 2.0                 §2.3.1, §4.1, §4.4, §5, §6
//	RFC 6750  bearer tokens             the kind of token that is accepted
//	RFC 7523  JWT assertions            §2.1 as a grant, §2.2 as client authentication
//	RFC 7636  PKCE                      S256
//	RFC 8252  native apps               §7.3 loopback redirection
//	RFC 8628  device authorization      client side
//
// # Invariants
//
//   - I1: No token, secret or key reaches a log, a formatted string or an error.
//   - I2: An access token that was refused is not returned again, also where the
//     server gives out the same one.
//   - I3: A refresh token that the server rotated is on stable storage before the
//     access token that came with it is returned.
//   - I4: Secrets go to the addresses of the Registration only: over TLS unless
//     on loopback or AllowHTTP, and never along a redirect.
//   - I5: The server is asked by one caller at a time, and not again before the
//     backoff has passed.
//
// # Crashes
//
//	before the request is sent       the stored refresh token counts
//	between answer and Save          with rotation the stored token may be spent;
//	                                 the next Fetch is ErrInvalidGrant at servers
//	                                 that give no grace, and a person logs in again
//	in Save                          the file has the old token or the new one
//	after Save                       the new refresh token counts; the access
//	                                 token is asked for again
//
// # Concurrency
//
// A Source and the grants may be used from any number of goroutines. Only
// BrowserLogin.Wait starts a goroutine, and it waits for it. Locks are leaves and
// not held while a server or a store is asked; a Refresh takes turns.
package oauthclient
