package oauth

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/auth/oauth/internal/strictjson"
)

// Bounds of a token in octets.
const (
	defaultTokenBytes = 16 << 10
	maxTokenBytes     = 64 << 10 // whatever the configuration says
)

// checkToken refuses what is not even the text of a token: b64token of RFC 6750
// §2.1, within limit (zero: the default; never above maxTokenBytes).
func checkToken(token string, limit int) error {
	if limit <= 0 {
		limit = defaultTokenBytes
	}
	if len(token) > min(limit, maxTokenBytes) {
		return refuse(ErrTooLarge, "")
	}
	text := strings.TrimRight(token, "=")
	if text == "" {
		return refuse(ErrMalformed, "")
	}
	for i := range len(text) {
		if !isTokenOctet(text[i]) {
			return refuse(ErrMalformed, "")
		}
	}
	return nil
}

// isTokenOctet reports whether c may stand in a b64token before its padding.
func isTokenOctet(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~+/", c) >= 0
}

// header is what counts of a JOSE header (RFC 7515 §4.1). Members that name
// keys (jku, jwk, x5u, x5c) are not read: keys come from the issuer alone.
type header struct {
	algorithm string
	keyID     string // "" none
	typ       string // in lower case, without "application/"
}

// parsed is a JWT that nobody vouches for yet.
type parsed struct {
	text   string
	header header
	claims map[string]any
}

// parseJWT reads a JWS in compact form (RFC 7515 §7.1) whose payload is a set
// of claims. The signature is not looked at.
func parseJWT(token string) (parsed, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return parsed{}, fmt.Errorf("%w: not three parts", ErrMalformed)
	}
	members, err := decodePart(parts[0])
	if err != nil {
		return parsed{}, err
	}
	p := parsed{text: token}
	if p.header, err = readHeader(members); err != nil {
		return parsed{}, err
	}
	p.claims, err = decodePart(parts[1])
	return p, err
}

// looksLikeJWT reports whether a token is meant to be a signed JWT, well formed
// or not: three parts, of which the first is base64url of a brace and of a
// quotation mark or white space.
func looksLikeJWT(token string) bool {
	return strings.Count(token, ".") == 2 && (strings.HasPrefix(token, "ey") || strings.HasPrefix(token, "ew"))
}

func decodePart(part string) (map[string]any, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, fmt.Errorf("%w: base64url", ErrMalformed)
	}
	object, err := strictjson.Object(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return object, nil
}

// maxKeyID bounds a key id in octets.
const maxKeyID = 512

func readHeader(members map[string]any) (h header, err error) {
	for _, extension := range []string{"crit", "b64"} { // RFC 7515 §4.1.11: we understand none
		if _, present := members[extension]; present {
			return h, fmt.Errorf("%w: %s", ErrMalformed, extension)
		}
	}
	texts := [...]struct {
		name string
		dest *string
	}{{"alg", &h.algorithm}, {"kid", &h.keyID}, {"typ", &h.typ}}
	for _, t := range texts {
		v, present := members[t.name]
		text, isText := v.(string)
		if present && !isText || len(text) > maxKeyID {
			return h, fmt.Errorf("%w: %s", ErrMalformed, t.name)
		}
		*t.dest = text
	}
	if h.algorithm == "" {
		return h, fmt.Errorf("%w: no alg", ErrMalformed)
	}
	h.typ = strings.TrimPrefix(strings.ToLower(h.typ), "application/") // RFC 7515 §4.1.9
	return h, nil
}
