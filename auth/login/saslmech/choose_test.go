package saslmech

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	secure := handshake(t, tls.VersionTLS13, x509.ECDSAWithSHA256).client
	bare := &tls.ConnectionState{} // TLS without anything to bind to
	password := Credentials{Username: "user", Password: "pencil"}
	token := Credentials{Username: "user", Token: "abc"}
	everything := strings.Join(Names(), " ")
	tests := []struct {
		name, offered string
		c             Credentials
		p             Policy
		want          string // mechanism and the beginning of the initial response
	}{
		{"everything", everything, password, Policy{TLS: secure}, "SCRAM-SHA-512-PLUS p=tls-exporter,,"},
		{"SHA-256", "PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", password, Policy{TLS: secure}, "SCRAM-SHA-256-PLUS p=tls-exporter,,"},
		{"small letters", "plain scram-sha-256 scram-sha-256-plus", password, Policy{TLS: secure}, "SCRAM-SHA-256-PLUS p=tls-exporter,,"},
		{"-PLUS is missing", "PLAIN SCRAM-SHA-256 SCRAM-SHA-512", password, Policy{TLS: secure}, "SCRAM-SHA-512 y,,"},
		{"a weaker hash that binds", "SCRAM-SHA-1-PLUS SCRAM-SHA-512", password, Policy{TLS: secure}, "SCRAM-SHA-1-PLUS p=tls-exporter,,"},
		{"nothing to bind to", everything, password, Policy{TLS: bare}, "SCRAM-SHA-512 n,,"},
		{"without TLS", everything, password, Policy{}, "SCRAM-SHA-512 n,,"},
		{"only PLAIN", "PLAIN LOGIN", password, Policy{TLS: secure}, "PLAIN \x00user\x00pencil"},
		{"only LOGIN", "LOGIN", password, Policy{TLS: secure}, "LOGIN "},
		{"CRAM-MD5 behind PLAIN", "CRAM-MD5 PLAIN", password, Policy{TLS: secure}, "PLAIN \x00user"},
		{"CRAM-MD5 alone", "CRAM-MD5", password, Policy{TLS: secure}, "CRAM-MD5 "},
		{"PLAIN without TLS", "PLAIN LOGIN CRAM-MD5", password, Policy{}, ""},
		{"PLAIN without TLS, allowed", "PLAIN LOGIN", password, Policy{AllowPlaintext: true}, "PLAIN \x00user"},
		{"binding required", "PLAIN SCRAM-SHA-256", password, Policy{TLS: secure, RequireBinding: true}, ""},
		{"binding required and there", everything, password, Policy{TLS: secure, RequireBinding: true}, "SCRAM-SHA-512-PLUS p="},
		{"only some allowed", everything, password, Policy{TLS: secure, Mechanisms: []string{"login", "SCRAM-SHA-1"}}, "SCRAM-SHA-1 y,,"},
		{"authzid", "LOGIN CRAM-MD5 PLAIN", Credentials{Username: "u", Password: "p", Authzid: "z"}, Policy{TLS: secure}, "PLAIN z\x00u\x00p"},
		{"authzid that LOGIN cannot say", "LOGIN CRAM-MD5", Credentials{Username: "u", Password: "p", Authzid: "z"}, Policy{TLS: secure}, ""},
		{"token", everything, token, Policy{TLS: secure}, "OAUTHBEARER n,a=user,\x01auth=Bearer abc\x01\x01"},
		{"token with host", everything, Credentials{Username: "a,b", Token: "abc", Host: "h", Port: 993}, Policy{TLS: secure}, "OAUTHBEARER n,a=a=2Cb,\x01host=h\x01port=993\x01auth=Bearer abc\x01\x01"},
		{"token, Microsoft", "XOAUTH2 PLAIN", token, Policy{TLS: secure}, "XOAUTH2 user=user\x01auth=Bearer abc\x01\x01"},
		{"token without TLS", everything, token, Policy{}, ""},
		{"certificate", everything, Credentials{Username: "user", Password: "pencil", Certificate: true}, Policy{TLS: secure}, "EXTERNAL "},
		{"anonymous", everything, Credentials{Anonymous: true, Trace: "sirhc"}, Policy{}, "ANONYMOUS sirhc"},
		{"no credentials", everything, Credentials{}, Policy{TLS: secure}, ""},
		{"nothing offered", "", password, Policy{TLS: secure}, ""},
		{"nothing known", "GSSAPI DIGEST-MD5", password, Policy{TLS: secure}, ""},
	}
	for _, tt := range tests {
		c, err := Choose(strings.Fields(tt.offered), tt.c, tt.p)
		if tt.want == "" {
			if !errors.Is(err, ErrNoMechanism) {
				t.Errorf("%s: %v, %v", tt.name, c, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		mechanism, initial, err := c.Start()
		if got := mechanism + " " + string(initial); err != nil || !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

// Each client logs in to our server of the same mechanism.
func TestClientsAndServers(t *testing.T) {
	accept := func(want string) func(string) error {
		return func(got string) error {
			if got != want {
				return errDenied
			}
			return nil
		}
	}
	secret := NewCRAMSecret("pencil")
	bearer := func(r BearerRequest) error { return accept("user abc")(r.Authzid + " " + r.Token) }
	for _, tt := range []struct {
		server interface {
			Next([]byte) ([]byte, bool, error)
		}
		mechanism string
	}{
		{NewPlainServer(func(z, u, p string) error { return accept(" user pencil")(z + " " + u + " " + p) }), Plain},
		{NewLoginServer(func(u, p string) error { return accept("user pencil")(u + " " + p) }), Login},
		{NewExternalServer(accept("")), External},
		{NewAnonymousServer(accept("sirhc")), Anonymous},
		{NewOAuthBearerServer(bearer), OAuthBearer},
		{NewXOAuth2Server(bearer), XOAuth2},
		{CRAMMD5Server{Judge: func(u string, proved func(CRAMSecret) bool) error {
			if u != "user" || !proved(secret) {
				return errDenied
			}
			return nil
		}}.New(), CRAMMD5},
	} {
		c, err := Choose([]string{tt.mechanism}, Credentials{
			Username: "user", Password: "pencil", Token: "abc", Certificate: true, Anonymous: true, Trace: "sirhc",
		}, Policy{TLS: &tls.ConnectionState{}})
		if err != nil {
			t.Fatal(err)
		}
		if serverErr, clientErr := run(tt.server, c); serverErr != nil || clientErr != nil {
			t.Errorf("%s: server %v, client %v", tt.mechanism, serverErr, clientErr)
		}
	}
}

// A client takes what the server says about its token, and answers it.
func TestBearerClientFailure(t *testing.T) {
	for _, tt := range []struct {
		client interface {
			Start() (string, []byte, error)
			Next([]byte) ([]byte, error)
		}
		answer string
	}{
		{NewOAuthBearerClient(BearerRequest{Authzid: "u", Token: "abc"}), "\x01"},
		{NewXOAuth2Client(BearerRequest{Authzid: "u", Token: "abc"}), ""},
	} {
		_, _, _ = tt.client.Start()
		answer, err := tt.client.Next([]byte(`{"status":"invalid_token","scope":"mail"}`))
		if err != nil || answer == nil || string(answer) != tt.answer {
			t.Errorf("answer %q, %v", answer, err)
		}
		var f *BearerFailure
		if err := Outcome(tt.client); !errors.As(err, &f) || f.Status != "invalid_token" || f.Scope != "mail" {
			t.Errorf("outcome %v", err)
		}
		if _, err := tt.client.Next([]byte("{}")); err == nil {
			t.Error("a second failure is answered")
		}
	}
	c := NewOAuthBearerClient(BearerRequest{Token: "abc"})
	if _, err := c.Next([]byte("no JSON")); err != nil || Outcome(c) == nil {
		t.Errorf("no JSON: %v, %v", err, Outcome(c))
	}
}

// What cannot be sent is not sent.
func TestClientsRefuse(t *testing.T) {
	for name, c := range map[string]interface {
		Start() (string, []byte, error)
	}{
		"NUL in the password":  NewPlainClient("", "u", "p\x00x"),
		"NUL in the name":      NewPlainClient("", "u\x00", "p"),
		"empty password":       NewPlainClient("", "u", ""),
		"token with control":   NewOAuthBearerClient(BearerRequest{Authzid: "u", Token: "a\x01host=x"}),
		"no token":             NewXOAuth2Client(BearerRequest{Authzid: "u"}),
		"host with control":    NewOAuthBearerClient(BearerRequest{Token: "abc", Host: "x\x01auth=Bearer y"}),
		"XOAUTH2 without user": NewXOAuth2Client(BearerRequest{Token: "abc"}),
		"name with control A":  NewXOAuth2Client(BearerRequest{Authzid: "a\x01b", Token: "abc"}),
	} {
		if _, _, err := c.Start(); err == nil {
			t.Errorf("%s: sent", name)
		}
	}
}
