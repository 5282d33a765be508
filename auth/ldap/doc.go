// Package ldap takes users, addresses, groups and quotas from an LDAP directory
// (RFC 4510): OpenLDAP, 389 Directory Server, FreeIPA, Active Directory and
// others. A [Client] is both a login.Backend and a deliver.Directory:
//
//	conf := ldap.ActiveDirectory("dc=corp,dc=example,dc=org")
//	conf.URLs = []string{"ldaps://dc1.corp.example.org", "ldaps://dc2.corp.example.org"}
//	conf.BindDN, conf.Password = "cn=mail,cn=users,dc=corp,dc=example,dc=org", secret
//	conf.Addresses.Domains = []string{"example.org"}
//	dir, err := ldap.New(conf)
//	...
//	svc := &login.Service{Backend: dir.Users()}
//	router := &deliver.Router{Directory: dir.Addresses(), ...}
//
// # Logging in
//
// A user's entry is searched as the service account, by a filter; then the
// password is tried by a bind to that entry. No hash leaves the directory. The
// account is the value of AccountAttribute, under whichever of his names the
// user logs in; addresses lead to the same account.
//
// An entry whose user is disabled, locked, expired, or has to choose a password
// first is refused without a bind:
//
//	userAccountControl,
//	msDS-User-Account-Control-Computed   disabled, locked, password expired
//	lockoutTime, accountExpires          locked, expired
//	pwdLastSet                           0: password must be changed first
//	pwdAccountLockedTime                 ppolicy: locked
//	nsAccountLock                        389, FreeIPA: disabled
//	UserConfig.DisabledAttribute         disabled
//
// The service account has to be allowed to read them; what it does not see is
// left to the directory's own answer to the bind. Mail to such users is
// delivered all the same, as a locked user is still somebody, and Exchange
// knows mailboxes whose users are disabled. To refuse it, say so in
// AddressConfig.Filter.
//
// # Filters
//
// Filters and Base may hold placeholders, which stand in values only:
//
//	{name}     the user name, or the address, as a whole
//	{local}    what is in front of its last "@"
//	{domain}   what is behind it; without one, nobody is found
//
// Values are escaped (RFC 4515 §3, RFC 4514 §2.4), so that the structure is
// always that of the configured text. What a server finds is compared again
// without regard to case only: servers also ignore accents (Active Directory),
// spaces, and differences that RFC 4518 maps away. Several entries with one name
// are a denial, and an error in the log.
//
// # Errors
//
// Every failure to find out is an *Error, which is login.ErrTemporary: a server
// that is down, silent, busy or dies during a bind, a refused service account,
// an answer that is too large, a referral. Only a directory's answer to the
// bind of that user is a [Refusal], which is login.ErrRejected.
//
// # RFCs
//
//	RFC 4511  the protocol                 simple bind, SASL EXTERNAL, search, StartTLS
//	RFC 4513  authentication and security  §5.1.2: no bind without a password
//	RFC 4514  distinguished names          escaping
//	RFC 4515  search filters               escaping
//	RFC 5803  SCRAM secrets                read, from UserConfig.SecretAttribute
//
// # Invariants
//
//   - I1: No password is sent without TLS, unless Config.AllowPlaintext is set
//     or the server is a socket of this machine.
//   - I2: No value of a client changes the structure of a filter or DN.
//   - I3: No bind is made without a name or without a password.
//   - I4: Connections on which users are bound are never searched on, and each
//     password is judged by an answer to its own bind.
//   - I5: Only invalid credentials, or what says the same, are a refusal;
//     everything else is temporary.
//   - I6: No server is asked that is not in Config.URLs.
//   - I7: An operation ends with its context and its timeout, and reads at most
//     MaxResultBytes. A connection whose operation ended otherwise than with an
//     answer is closed.
//
// # Several servers
//
// The first of Config.URLs is asked as long as it answers. One that fails is
// asked after the others for 30 s. An operation is tried once on each; a
// connection that was idle may have been closed by its server, and is replaced
// without counting as a failure. A refused password is never tried elsewhere.
//
// # Concurrency
//
// All methods may be called from any number of goroutines. Each connection has
// two goroutines of go-ldap, which end with it; Client.Close ends all
// connections. pool.mu and server.mu are leaves.
package ldap
