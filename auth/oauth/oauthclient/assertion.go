package oauthclient

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/oauth/internal/strictjson"
)

// Key signs assertions (RFC 7523), as a client or as a service account. It
// cannot be printed.
type Key struct {
	// Signer holds the private key: RSA, ECDSA on P-256 or P-384, or Ed25519; it
	// may live in hardware. Required.
	Signer crypto.Signer
	// Algorithm is RS256, PS256, ES256, ES384 or EdDSA. Empty means the one that
	// fits the key, RS256 for RSA.
	Algorithm string
	// ID is the kid of the header. Empty leaves it out.
	ID string
	// Certificate, where set, is named in the header by its thumbprint
	// (x5t#S256), as Microsoft asks for.
	Certificate *x509.Certificate
}

// String returns a placeholder.
func (k *Key) String() string { return "[key]" }

// GoString returns a placeholder.
func (k *Key) GoString() string { return "[key]" }

// Format writes a placeholder for every verb.
func (k *Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[key]")) }

// LogValue returns a placeholder.
func (k *Key) LogValue() slog.Value { return slog.StringValue("[key]") }

// MarshalText returns a placeholder, also for encoding/json.
func (k *Key) MarshalText() ([]byte, error) { return []byte("[key]"), nil }

var errKey = errors.New("oauth: Key: no RSA, ECDSA (P-256, P-384) or Ed25519 key, or its Algorithm does not fit")

// algorithm returns the one to sign with.
func (k *Key) algorithm() (string, error) {
	var fitting []string
	if k.Signer != nil {
		switch public := k.Signer.Public().(type) {
		case *rsa.PublicKey:
			fitting = []string{"RS256", "PS256"}
		case *ecdsa.PublicKey:
			switch public.Curve.Params().BitSize {
			case 256:
				fitting = []string{"ES256"}
			case 384:
				fitting = []string{"ES384"}
			}
		case ed25519.PublicKey:
			fitting = []string{"EdDSA"}
		}
	}
	for _, a := range fitting {
		if k.Algorithm == "" || k.Algorithm == a {
			return a, nil
		}
	}
	return "", errKey
}

func (k *Key) validate() error {
	_, err := k.algorithm()
	return err
}

// claims are those that every assertion has (RFC 7523 §3).
type claims struct {
	Issuer, Subject, Audience string
}

// assertionLifetime is short: an assertion is used at once.
const assertionLifetime = 5 * time.Minute

// sign makes an assertion with further claims.
func (k *Key) sign(c claims, further map[string]any) (string, error) {
	alg, err := k.algorithm()
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	if k.ID != "" {
		options = options.WithHeader("kid", k.ID)
	}
	if k.Certificate != nil {
		sum := sha256.Sum256(k.Certificate.Raw)
		options = options.WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(sum[:]))
	}
	signingKey := jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: cryptosigner.Opaque(k.Signer)}
	signer, err := jose.NewSigner(signingKey, options)
	if err != nil {
		return "", err
	}
	payload := map[string]any{}
	maps.Copy(payload, further)
	now := time.Now()
	payload["iss"], payload["aud"], payload["jti"] = c.Issuer, c.Audience, rand.Text()
	payload["iat"], payload["exp"] = now.Unix(), now.Add(assertionLifetime).Unix()
	if c.Subject != "" {
		payload["sub"] = c.Subject
	}
	text, err := json.Marshal(payload)
	if err != nil {
		return "", err
	}
	jws, err := signer.Sign(text)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

// JWTBearer gets access tokens with an assertion that it signs itself (RFC 7523
// §2.1): service accounts.
type JWTBearer struct {
	Registration Registration
	// Key signs the assertion. Required.
	Key *Key
	// Issuer is who signs; Subject for whom the token is asked. Issuer is
	// required; an empty Subject is left out.
	Issuer, Subject string
	// Audience is whom the assertion is for. Empty means the TokenURL.
	Audience string
	// Claims are further claims of the assertion.
	Claims map[string]any
}

// Fetch implements Grant.
func (j *JWTBearer) Fetch(ctx context.Context) (Tokens, error) {
	if j.Key == nil || j.Issuer == "" {
		return Tokens{}, fmt.Errorf("%w: JWTBearer needs Key and Issuer", ErrConfig)
	}
	audience := j.Audience
	if audience == "" {
		audience = j.Registration.TokenURL
	}
	assertion, err := j.Key.sign(claims{Issuer: j.Issuer, Subject: j.Subject, Audience: audience}, j.Claims)
	if err != nil {
		return Tokens{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {assertion}}
	return j.Registration.grant(ctx, j.Registration.scoped(form), login.NewPassword(assertion))
}

// GoogleServiceAccount makes a grant of the JSON key file of a Google service
// account. subject is the mailbox whose token is asked for, which needs
// domain-wide delegation of the account for the scope https://mail.google.com/.
// ErrConfig: the file is no such key.
func GoogleServiceAccount(keyFile []byte, subject string) (*JWTBearer, error) {
	object, err := strictjson.Object(keyFile)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	text := func(name string) string {
		s, _ := object[name].(string)
		return s
	}
	if text("type") != "service_account" || text("client_email") == "" {
		return nil, fmt.Errorf("%w: not the key of a service account", ErrConfig)
	}
	signer, err := parsePrivateKey(text("private_key"))
	if err != nil {
		return nil, err
	}
	r := Google()
	if uri := text("token_uri"); uri != "" {
		r.TokenURL = uri
	}
	return &JWTBearer{
		Registration: r,
		Key:          &Key{Signer: signer, ID: text("private_key_id")},
		Issuer:       text("client_email"),
		Subject:      subject,
		Claims:       map[string]any{"scope": strings.Join(r.Scopes, " ")},
	}, r.Validate()
}

// parsePrivateKey reads a PKCS #8 key in PEM. Its errors say nothing about the
// text.
func parsePrivateKey(text string) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("%w: the private key is not PEM", ErrConfig)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	signer, ok := k.(crypto.Signer)
	if err != nil || !ok {
		return nil, fmt.Errorf("%w: the private key is not PKCS #8", ErrConfig)
	}
	return signer, nil
}
