package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/oauth/internal/strictjson"
)

// JWT verifies the signed access tokens (RFC 7519, RFC 9068) of one issuer. Its
// fields are set before the first use and not changed later; it is not copied
// after first use.
type JWT struct {
	// Issuer is the iss claim, to the letter. Required.
	Issuer string
	// Rules say which tokens count and whom they speak for. Rules.Audience is
	// required: without it a token that the user gave to any other service of
	// the issuer would open the mailbox.
	Rules Rules
	// Keys are the issuer's. Nil means those that its metadata names.
	Keys *KeySet
	// Client is what the metadata and keys are fetched with where Keys is nil.
	// Nil means http.DefaultTransport.
	Client *http.Client
	// Algorithms are those allowed, of RS256, RS384, RS512, PS256, PS384, PS512,
	// ES256, ES384 and EdDSA. Nil means all of these.
	Algorithms []string
	// OnlyAccessTokens refuses a token whose typ is not at+jwt (RFC 9068 §4), so
	// that no other token of the issuer is ever taken for an access token. Off,
	// typ JWT and none count as well, since many issuers write these.
	OnlyAccessTokens bool
	// Leeway is how far the issuer's clock may be off. Zero means 30 s, negative
	// none.
	Leeway time.Duration
	// MaxLifetime refuses tokens that are valid for longer. Zero means 24 h,
	// negative no limit.
	MaxLifetime time.Duration
	// MaxTokenBytes refuses longer tokens before they are looked at. Zero means
	// 16 KiB; more than 64 KiB counts as 64 KiB.
	MaxTokenBytes int

	once sync.Once
	keys *KeySet
}

var _ login.TokenVerifier = (*JWT)(nil)

// algorithms are what may be allowed: signatures with public keys. A secret
// that both sides know (HS256) would let who knows a public key sign with it.
func algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"}
}

// Validate reports everything that is wrong with the fields.
func (v *JWT) Validate() error {
	faults := v.Rules.validate()
	if v.Issuer == "" {
		faults = append(faults, errors.New("oauth: JWT.Issuer is missing"))
	}
	if len(v.Rules.Audience) == 0 {
		faults = append(faults, errors.New("oauth: JWT.Rules.Audience is missing"))
	}
	for _, a := range v.Algorithms {
		if !slices.Contains(algorithms(), a) {
			faults = append(faults, fmt.Errorf("oauth: JWT.Algorithms: %q is not supported", a))
		}
	}
	if err := v.source().Validate(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// source is Keys or its default.
func (v *JWT) source() *KeySet {
	if v.Keys != nil {
		return v.Keys
	}
	return &KeySet{Issuer: v.Issuer, Client: v.Client}
}

// keySet is the set in use.
func (v *JWT) keySet() *KeySet {
	v.once.Do(func() { v.keys = v.source() })
	return v.keys
}

// VerifyToken implements login.TokenVerifier. It blocks while keys are fetched.
func (v *JWT) VerifyToken(ctx context.Context, token string) (login.Token, error) {
	if v.Issuer == "" || len(v.Rules.Audience) == 0 {
		return login.Token{}, unavailable(ErrConfig, nil)
	}
	if err := checkToken(token, v.MaxTokenBytes); err != nil {
		return login.Token{}, err
	}
	p, err := parseJWT(token)
	if err != nil {
		return login.Token{}, fmt.Errorf("%w: %w", login.ErrRejected, err)
	}
	// What cannot be good whoever signed it asks for no keys.
	expires, err := v.checkClaims(p)
	if err != nil {
		return login.Token{}, err
	}
	if err := v.checkSignature(ctx, p); err != nil {
		return login.Token{}, err
	}
	scopes, err := v.Rules.scopes(p.claims)
	if err != nil {
		return login.Token{}, err
	}
	user, err := v.Rules.username(ctx, p.claims, "email")
	if err != nil {
		return login.Token{}, err
	}
	return login.Token{Username: user, Expires: expires, Scopes: scopes}, nil
}

// checkClaims judges all but signature, scopes and user.
func (v *JWT) checkClaims(p parsed) (expires time.Time, err error) {
	switch p.header.typ {
	case "at+jwt":
	case "jwt", "":
		if v.OnlyAccessTokens {
			return expires, refuse(ErrType, p.header.typ)
		}
	default:
		return expires, refuse(ErrType, p.header.typ)
	}
	if iss, _ := p.claims["iss"].(string); iss != v.Issuer {
		return expires, refuse(ErrIssuer, iss)
	}
	if err := checkKind(p.claims); err != nil {
		return expires, err
	}
	if err := v.Rules.checkAudience(p.claims); err != nil {
		return expires, err
	}
	return v.checkTimes(p.claims, time.Now())
}

// checkTimes judges exp, which is required, nbf and iat (RFC 7519 §4.1).
func (v *JWT) checkTimes(claims map[string]any, now time.Time) (expires time.Time, err error) {
	leeway := v.Leeway
	if leeway == 0 {
		leeway = 30 * time.Second
	}
	leeway = max(leeway, 0)
	expires, ok := strictjson.Time(claims["exp"])
	if !ok || !now.Before(expires.Add(leeway)) {
		return expires, refuse(ErrExpired, "exp")
	}
	from := now
	for _, name := range []string{"nbf", "iat"} { // iat last: the lifetime counts from it
		claim, present := claims[name]
		if !present {
			continue
		}
		if from, ok = strictjson.Time(claim); !ok || now.Add(leeway).Before(from) {
			return expires, refuse(ErrExpired, name)
		}
	}
	longest := v.MaxLifetime
	if longest == 0 {
		longest = 24 * time.Hour
	}
	if longest > 0 && expires.Sub(from) > longest {
		return expires, refuse(ErrExpired, "lifetime")
	}
	return expires, nil
}

// checkSignature looks for a key of the issuer that made the signature.
func (v *JWT) checkSignature(ctx context.Context, p parsed) error {
	alg := p.header.algorithm
	if !slices.Contains(algorithms(), alg) || v.Algorithms != nil && !slices.Contains(v.Algorithms, alg) {
		return refuse(ErrAlgorithm, alg)
	}
	keys, err := v.keySet().find(ctx, p.header.keyID, alg)
	if err != nil {
		return err
	}
	jws, err := jose.ParseSignedCompact(p.text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		return refuse(ErrMalformed, "")
	}
	for _, k := range keys {
		if _, err := jws.Verify(k.public); err == nil {
			return nil
		}
	}
	return refuse(ErrSignature, strings.TrimSpace(alg+" "+p.header.keyID))
}
