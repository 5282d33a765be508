package oauth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/mailstead/mailstead/auth/oauth/internal/strictjson"
)

// Bounds of a key set.
const (
	maxKeys       = 128
	maxCandidates = 16 // keys tried for one token
	minRSABits    = 2048
	maxRSABits    = 8192
)

var errNoKeys = errors.New("the key set has no usable key")

// key is one public key of an issuer.
type key struct {
	id        string // "" none
	algorithm string // the only one it is for; "" any that fits its type
	family    string // see family
	public    any
}

// family is the group of algorithms that a type of key is used with.
func family(algorithm string) string {
	switch {
	case strings.HasPrefix(algorithm, "RS"), strings.HasPrefix(algorithm, "PS"):
		return "RSA"
	}
	return algorithm
}

// match returns the keys that may have made a signature, at most
// maxCandidates. Without a key id each key that fits is a candidate.
func match(keys []key, keyID, algorithm string) (found []key) {
	for _, k := range keys {
		if (keyID == "" || k.id == keyID) && k.family == family(algorithm) &&
			(k.algorithm == "" || k.algorithm == algorithm) && len(found) < maxCandidates {
			found = append(found, k)
		}
	}
	return found
}

// parseKeySet reads a JWK Set (RFC 7517 §5). Keys that cannot verify
// signatures of ours are left out, whatever is wrong with them: a set has keys
// for other purposes too.
func parseKeySet(data []byte) ([]key, error) {
	object, err := strictjson.Object(data)
	if err != nil {
		return nil, err
	}
	members, _ := object["keys"].([]any)
	var keys []key
	for _, m := range members {
		if k, err := parseKey(m); err == nil && len(keys) < maxKeys {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errNoKeys
	}
	return keys, nil
}

var errKey = errors.New("not a key that verifies signatures")

func parseKey(member any) (key, error) {
	jwk, ok := member.(map[string]any)
	if !ok || !forVerifying(jwk) {
		return key{}, errKey
	}
	// Only what makes up the key is read: certificates and addresses are not.
	bare := map[string]any{}
	for _, name := range []string{"kty", "n", "e", "crv", "x", "y", "d"} {
		if v, ok := jwk[name]; ok {
			bare[name] = v
		}
	}
	text, err := json.Marshal(bare)
	if err != nil {
		return key{}, err
	}
	var j jose.JSONWebKey
	if err := j.UnmarshalJSON(text); err != nil {
		return key{}, err
	}
	k := key{public: j.Key}
	k.id, _ = jwk["kid"].(string)
	k.algorithm, _ = jwk["alg"].(string)
	k.family, err = keyFamily(j.Key)
	return k, err
}

// forVerifying reports whether use and key_ops (RFC 7517 §4.2, §4.3) let the
// key verify signatures.
func forVerifying(jwk map[string]any) bool {
	if use, ok := jwk["use"]; ok && use != "sig" {
		return false
	}
	ops, ok := jwk["key_ops"]
	return !ok || slices.Contains(strictjson.Strings(ops), "verify")
}

// keyFamily names the algorithms of a public key. Private and symmetric keys,
// weak ones and those that cost too much are errors.
func keyFamily(k any) (string, error) {
	switch k := k.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return "", fmt.Errorf("%w: RSA with %d bits", errKey, bits)
		}
		return "RSA", nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return "ES256", nil
		case elliptic.P384():
			return "ES384", nil
		}
	case ed25519.PublicKey:
		return "EdDSA", nil
	}
	return "", errKey
}
