package oauthclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/oauth/internal/strictjson"
)

// Tokens are what a token endpoint gave out (RFC 6749 §5.1). They cannot be
// printed.
type Tokens struct {
	// Access is the access token.
	Access login.Password
	// Refresh is the refresh token; the zero value: none was given, one that
	// there is stays.
	Refresh login.Password
	// Expires is when Access ends, by our clock and counted from before it was
	// asked for; zero: the server does not say.
	Expires time.Time
	// Scopes are what the server allowed; nil: what was asked for.
	Scopes []string
}

// maxToken bounds a token in octets.
const maxToken = 64 << 10

// maxLifetime is what a longer expires_in counts as.
const maxLifetime = 10 * 365 * 24 * time.Hour

var errBadToken = errors.New("a token is missing or not printable")

// parseTokens reads a successful response. asked is when it was asked for.
func parseTokens(object map[string]any, asked time.Time) (t Tokens, err error) {
	if kind, _ := object["token_type"].(string); !strings.EqualFold(kind, "Bearer") {
		return t, fmt.Errorf("token_type is %.80q", kind)
	}
	if t.Access, err = readToken(object["access_token"]); err != nil {
		return t, fmt.Errorf("access_token: %w", err)
	}
	if v, ok := object["refresh_token"]; ok && v != nil && v != "" {
		if t.Refresh, err = readToken(v); err != nil {
			return t, fmt.Errorf("refresh_token: %w", err)
		}
	}
	if v, ok := object["expires_in"]; ok && v != nil {
		lifetime, err := readSeconds(v)
		if err != nil {
			return t, fmt.Errorf("expires_in: %w", err)
		}
		t.Expires = asked.Add(lifetime)
	}
	for _, s := range strictjson.Strings(object["scope"]) {
		t.Scopes = append(t.Scopes, strings.Fields(s)...)
	}
	return t, nil
}

// readToken takes a token of visible ASCII (RFC 6749 appendix A): anything else
// would break out of the SASL message that it goes into.
func readToken(v any) (login.Password, error) {
	text, _ := v.(string)
	if !isToken(text) {
		return login.Password{}, errBadToken
	}
	return login.NewPassword(text), nil
}

func isToken(text string) bool {
	if text == "" || len(text) > maxToken {
		return false
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

var errSeconds = errors.New("not a number of seconds")

// readSeconds reads a positive number of seconds, which some servers write as
// a string.
func readSeconds(v any) (time.Duration, error) {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n > 0) {
		return 0, errSeconds
	}
	return time.Duration(min(n, maxLifetime.Seconds()) * float64(time.Second)), nil
}
