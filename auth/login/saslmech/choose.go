package saslmech

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"
)

// Credentials are what a client can log in with. It uses what is not empty.
type Credentials struct {
	// Username and Password are for SCRAM, PLAIN, LOGIN and CRAM-MD5.
	Username, Password string
	// Authzid is the account to act for. Empty means the user's own. LOGIN and
	// CRAM-MD5 cannot say it and are not chosen then.
	Authzid string
	// Token is an OAuth access token for OAUTHBEARER and XOAUTH2, which send
	// Authzid or else Username with it.
	Token string
	// Host and Port are what the client connected to, for OAUTHBEARER.
	Host string
	Port int
	// Certificate says that the client showed its certificate in the TLS
	// handshake, for EXTERNAL.
	Certificate bool
	// Anonymous allows ANONYMOUS where nothing else is given; Trace goes with it.
	Anonymous bool
	Trace     string
}

// Policy is how a client chooses. The zero value is safe.
type Policy struct {
	// TLS is the state of the connection after its handshake; nil without TLS.
	// The certificate has been verified, or else nothing here helps.
	TLS *tls.ConnectionState
	// AllowPlaintext allows mechanisms that need TLS also without it, and
	// CRAM-MD5.
	AllowPlaintext bool
	// RequireBinding refuses whatever does not bind to the TLS connection:
	// somebody with a certificate that the client trusts cannot sit in between.
	RequireBinding bool
	// Mechanisms are the only ones allowed. Empty means all.
	Mechanisms []string
}

// Choose returns a client of the best mechanism among those that a server
// offers. The order is that of Names. Where the client could bind to the
// connection and the server offers SCRAM without any -PLUS, it says so, and a
// server that did offer -PLUS refuses.
//
// ErrNoMechanism: nothing fits; a secret is never shown to a connection without
// TLS unless p allows it.
func Choose(offered []string, c Credentials, p Policy) (sasl.Client, error) {
	bindings := p.bindings()
	for _, name := range Names() {
		if !offers(offered, name) || !p.allows(name) || p.RequireBinding && !strings.HasSuffix(name, "-PLUS") {
			continue
		}
		if client := c.client(name, bindings); client != nil {
			return client, nil
		}
	}
	return nil, ErrNoMechanism
}

func offers(offered []string, name string) bool {
	return slices.ContainsFunc(offered, func(o string) bool { return strings.EqualFold(o, name) })
}

// bindings are those of the client's side.
func (p Policy) bindings() []Binding {
	var certificate *x509.Certificate
	if p.TLS != nil && len(p.TLS.PeerCertificates) > 0 {
		certificate = p.TLS.PeerCertificates[0]
	}
	return Bindings(p.TLS, certificate)
}

// allows reports whether a mechanism may be used on the connection.
func (p Policy) allows(name string) bool {
	if len(p.Mechanisms) > 0 && !offers(p.Mechanisms, name) {
		return false
	}
	needsTLS := ShowsSecret(name) || name == CRAMMD5
	return p.TLS != nil || p.AllowPlaintext || !needsTLS
}

// client returns a client of a mechanism, or nil where c does not have what it
// needs.
func (c Credentials) client(name string, bindings []Binding) sasl.Client {
	password := c.Username != "" && c.Password != ""
	if hash, plus, ok := SCRAMOf(name); ok {
		if !password || plus && len(bindings) == 0 {
			return nil
		}
		s := SCRAMClient{Hash: hash, Username: c.Username, Password: c.Password, Authzid: c.Authzid, CanBind: len(bindings) > 0}
		if plus {
			s.Binding = bindings[0]
		}
		return s.New()
	}
	bearer := BearerRequest{Authzid: or(c.Authzid, c.Username), Token: c.Token, Host: c.Host, Port: c.Port}
	switch {
	case name == External && c.Certificate:
		return NewExternalClient(c.Authzid)
	case name == OAuthBearer && c.Token != "":
		return NewOAuthBearerClient(bearer)
	case name == XOAuth2 && c.Token != "" && bearer.Authzid != "":
		return NewXOAuth2Client(bearer)
	case name == Plain && password:
		return NewPlainClient(c.Authzid, c.Username, c.Password)
	case name == Login && password && c.Authzid == "":
		return NewLoginClient(c.Username, c.Password)
	case name == CRAMMD5 && password && c.Authzid == "":
		return NewCRAMMD5Client(c.Username, c.Password)
	case name == Anonymous && c.Anonymous:
		return NewAnonymousClient(c.Trace)
	}
	return nil
}
