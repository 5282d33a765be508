package oauth_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/oauth"
)

// A Keycloak realm whose client scope "mail" puts our name into aud.
func ExampleJWT() {
	v := &oauth.JWT{
		Issuer: "https://sso.example.org/realms/staff",
		Rules: oauth.Rules{
			Audience: []string{"imap.example.org"},
			Scopes:   []string{"mail"},
		},
	}
	fmt.Println(v.Validate())
	// Output: <nil>
}

// Microsoft Entra ID, whose tokens have scp and upn instead of scope and email.
func ExampleJWT_microsoft() {
	const tenant = "11111111-2222-3333-4444-555555555555"
	v := &oauth.JWT{
		Issuer: "https://login.microsoftonline.com/" + tenant + "/v2.0",
		Rules: oauth.Rules{
			Audience: []string{"66666666-7777-8888-9999-000000000000"}, // the application id of the API
			Scopes:   []string{"Mail.Access"},
			Username: []string{"upn"},
			Domains:  []string{"example.org"},
		},
	}
	fmt.Println(v.Validate())
	// Output: <nil>
}

// Tokens that only the issuer can read, or whose revocation counts within a
// minute.
func ExampleIntrospection() {
	v := &oauth.Introspection{
		Endpoint:     "https://sso.example.org/realms/staff/protocol/openid-connect/token/introspect",
		ClientID:     "mailstead",
		ClientSecret: login.NewPassword("secret of the client mailstead"),
		Rules: oauth.Rules{
			Audience: []string{"imap.example.org"},
			Username: []string{"email", "username"},
		},
	}
	fmt.Println(v.Validate())
	// Output: <nil>
}

// Two customers, each with an issuer of its own that may name its own users
// only. The second calls them by short names.
func ExampleIssuers() {
	rules := func(domain string) oauth.Rules {
		return oauth.Rules{Audience: []string{"imap.example.net"}, Domains: []string{domain}}
	}
	first := &oauth.JWT{Issuer: "https://login.example.org", Rules: rules("example.org")}
	second := &oauth.JWT{Issuer: "https://id.example.com", Rules: rules("example.com")}
	second.Rules.Username = []string{"preferred_username"}
	second.Rules.Map = func(_ context.Context, name string, _ map[string]any) (string, error) {
		if strings.Contains(name, "@") {
			return "", login.ErrRejected
		}
		return name + "@example.com", nil
	}
	all := &oauth.Issuers{ByIssuer: map[string]login.TokenVerifier{first.Issuer: first, second.Issuer: second}}
	fmt.Println(all.Validate())
	// Output: <nil>
}
