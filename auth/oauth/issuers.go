package oauth

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailstead/mailstead/auth/login"
)

// Issuers verifies the tokens of several issuers, each by its own verifier with
// its own audience, claims and domains. Its fields are set before the first use
// and not changed later.
type Issuers struct {
	// ByIssuer verifies tokens that are JWTs, by their iss claim: a *JWT, or an
	// *Introspection where the issuer is to be asked. A JWT of any other issuer
	// is refused and shown to nobody.
	ByIssuer map[string]login.TokenVerifier
	// Opaque verifies tokens that are no signed JWTs. Nil refuses them.
	Opaque login.TokenVerifier
}

var _ login.TokenVerifier = (*Issuers)(nil)

// ruled is a verifier of this package.
type ruled interface {
	Validate() error
	domains() []string
}

func (v *JWT) domains() []string           { return v.Rules.Domains }
func (v *Introspection) domains() []string { return v.Rules.Domains }

// Validate reports everything that is wrong with the verifiers. Of several
// issuers each needs Rules.Domains, so that none can name the users of another.
func (s *Issuers) Validate() error {
	several := len(s.ByIssuer) > 1 || len(s.ByIssuer) == 1 && s.Opaque != nil
	var faults []error
	if len(s.ByIssuer) == 0 && s.Opaque == nil {
		faults = append(faults, errors.New("oauth: Issuers has no verifier"))
	}
	check := func(name string, v login.TokenVerifier) {
		r, ours := v.(ruled)
		if !ours {
			return
		}
		if err := r.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
		if several && len(r.domains()) == 0 {
			faults = append(faults, fmt.Errorf("%s: oauth: one of several issuers needs Rules.Domains", name))
		}
	}
	for issuer, v := range s.ByIssuer {
		check(issuer, v)
		if j, ok := v.(*JWT); ok && j.Issuer != issuer {
			faults = append(faults, fmt.Errorf("%s: oauth: JWT.Issuer is %q", issuer, j.Issuer))
		}
	}
	if s.Opaque != nil {
		check("opaque tokens", s.Opaque)
	}
	return errors.Join(faults...)
}

// VerifyToken implements login.TokenVerifier.
func (s *Issuers) VerifyToken(ctx context.Context, token string) (login.Token, error) {
	if err := checkToken(token, maxTokenBytes); err != nil {
		return login.Token{}, err
	}
	if !looksLikeJWT(token) && s.Opaque != nil {
		return s.Opaque.VerifyToken(ctx, token)
	}
	p, err := parseJWT(token)
	if err != nil {
		return login.Token{}, fmt.Errorf("%w: %w", login.ErrRejected, err)
	}
	iss, _ := p.claims["iss"].(string)
	v := s.ByIssuer[iss]
	if v == nil {
		return login.Token{}, refuse(ErrIssuer, iss)
	}
	return v.VerifyToken(ctx, token)
}
