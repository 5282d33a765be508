package oauth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/oauth/internal/strictjson"
)

// Rules say which of an issuer's tokens count here, and whom they speak for.
type Rules struct {
	// Audience are the names under which this server is known to the issuer;
	// the token's aud has to hold one of them.
	Audience []string
	// Scopes are all required. They are looked for in the claim scope (RFC 8693
	// §4.2) or, without one, in scp, as which Microsoft and Okta write it.
	Scopes []string
	// Username are the claims that name the user, best first; the first that the
	// token has is the only one that counts. A name that begins with "/" is a
	// JSON Pointer (RFC 6901) into nested claims. Nil means email for a JWT and
	// username for introspection.
	//
	// Choose a claim that users cannot edit at the issuer. A claim called email
	// counts only with email_verified beside it.
	Username []string
	// UnverifiedEmail accepts the claim email without email_verified, where the
	// issuer sends none and gives out addresses itself.
	UnverifiedEmail bool
	// Domains are the domains whose users the issuer may name. "*" means all,
	// names without a domain included. Empty means all as well, but is refused
	// where several issuers are trusted (see Issuers).
	Domains []string
	// Map makes the user name of the claim's text, for names that differ here; it
	// may also refuse by other claims, such as azp (the client) or groups. Domains
	// apply to what it returns. login.ErrRejected: no such user; any
	// other error is a temporary failure. Nil leaves the name. May block.
	Map func(ctx context.Context, name string, claims map[string]any) (string, error)
}

// checkAudience looks for one of ours in the aud claim (RFC 7519 §4.1.3).
func (r *Rules) checkAudience(claims map[string]any) error {
	audience := strictjson.Strings(claims["aud"])
	for _, a := range audience {
		if slices.Contains(r.Audience, a) {
			return nil
		}
	}
	return refuse(ErrAudience, strings.Join(audience, " "))
}

// scopes returns what the token allows, and refuses one that allows too little.
func (r *Rules) scopes(claims map[string]any) ([]string, error) {
	claim, ok := claims["scope"]
	if !ok {
		claim = claims["scp"]
	}
	var have []string
	for _, s := range strictjson.Strings(claim) {
		have = append(have, strings.Fields(s)...)
	}
	for _, want := range r.Scopes {
		if !slices.Contains(have, want) {
			return nil, refuse(ErrScope, want)
		}
	}
	return have, nil
}

// username returns whom the token speaks for. otherwise is the default of
// Rules.Username.
func (r *Rules) username(ctx context.Context, claims map[string]any, otherwise string) (string, error) {
	names := r.Username
	if len(names) == 0 {
		names = []string{otherwise}
	}
	name, err := r.claimedName(claims, names)
	if err != nil {
		return "", err
	}
	if r.Map != nil {
		switch name, err = r.Map(ctx, name, claims); {
		case errors.Is(err, login.ErrRejected):
			return "", fmt.Errorf("%w: %w", refuse(ErrUser, ""), err)
		case err != nil:
			return "", unavailable(ErrUser, err)
		}
	}
	return name, r.checkDomain(name)
}

func (r *Rules) claimedName(claims map[string]any, names []string) (string, error) {
	for _, claim := range names {
		parent, last := findClaim(claims, claim)
		v, ok := parent[last]
		if !ok {
			continue
		}
		name, isText := v.(string)
		if !isText || name == "" || len(name) > login.MaxUsername {
			return "", refuse(ErrUser, claim)
		}
		if last == "email" && !r.UnverifiedEmail && !isTrue(parent["email_verified"]) {
			return "", refuse(ErrUser, "email not verified")
		}
		return name, nil
	}
	return "", refuse(ErrUser, "no claim "+strings.Join(names, ", "))
}

// isTrue reads a boolean, which some issuers write as a string.
func isTrue(v any) bool { return v == true || v == "true" }

// findClaim returns the object that holds the claim, nil where there is none,
// and its name there.
func findClaim(claims map[string]any, path string) (parent map[string]any, last string) {
	pointer, isPointer := strings.CutPrefix(path, "/")
	if !isPointer {
		return claims, path
	}
	steps := strings.Split(pointer, "/")
	unescape := strings.NewReplacer("~1", "/", "~0", "~") // RFC 6901 §4
	for i, step := range steps {
		last = unescape.Replace(step)
		if i < len(steps)-1 {
			claims, _ = claims[last].(map[string]any)
		}
	}
	return claims, last
}

// checkDomain refuses users of domains that are not the issuer's. Names are
// compared in the form in which users are looked up.
func (r *Rules) checkDomain(name string) error {
	canonical, err := login.Canonical(name)
	if err != nil {
		return refuse(ErrUser, name)
	}
	if len(r.Domains) == 0 || slices.Contains(r.Domains, "*") {
		return nil
	}
	at := strings.LastIndexByte(canonical, '@')
	if at < 0 {
		return refuse(ErrUser, name)
	}
	for _, d := range r.Domains {
		if c, err := canonicalDomain(d); err == nil && c == canonical[at+1:] {
			return nil
		}
	}
	return refuse(ErrUser, name)
}

// canonicalDomain is the form that login.Canonical gives to a domain.
func canonicalDomain(domain string) (string, error) {
	c, err := login.Canonical("x@" + domain)
	return strings.TrimPrefix(c, "x@"), err
}

// validate lists the faults of the rules.
func (r *Rules) validate() (faults []error) {
	for _, d := range r.Domains {
		if _, err := canonicalDomain(d); d != "*" && err != nil {
			faults = append(faults, fmt.Errorf("oauth: Rules.Domains: %q is no domain", d))
		}
	}
	if slices.Contains(r.Audience, "") {
		faults = append(faults, errors.New("oauth: Rules.Audience holds an empty name"))
	}
	return faults
}

// checkKind refuses tokens that are no access tokens of a bearer. Some issuers
// say in a claim what a token is.
func checkKind(claims map[string]any) error {
	if _, bound := claims["cnf"]; bound { // RFC 7800
		return refuse(ErrType, "cnf")
	}
	for _, claim := range []string{"token_type", "typ", "token_use"} {
		kind, present := claims[claim]
		text, isText := kind.(string)
		switch {
		case !present:
		case !isText:
			return refuse(ErrType, claim)
		case !slices.Contains([]string{"bearer", "access", "access_token", "at+jwt", "jwt"}, strings.ToLower(text)):
			return refuse(ErrType, text)
		}
	}
	return nil
}
