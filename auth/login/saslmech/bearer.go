package saslmech

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/emersion/go-sasl"
)

// BearerRequest is what a client says with OAUTHBEARER or XOAUTH2.
type BearerRequest struct {
	// Authzid is the account that the client wants, "" where it leaves that to
	// the token.
	Authzid string
	// Token is the bearer token (RFC 6750 §2.1). Empty: the client only asks
	// what a token would need (RFC 7628 §4.3).
	Token string
	// Host and Port are what the client connected to; "" and 0: unknown.
	// XOAUTH2 does not have them.
	Host string
	Port int
}

// BearerFailure is why a server refuses a token, as it tells the client (RFC
// 7628 §3.2.2). A server's callback returns one to have it sent; of a client it
// is what the server sent.
type BearerFailure struct {
	// Status is an error code of RFC 6750 §3.1: invalid_request,
	// invalid_token, insufficient_scope. Empty means invalid_token.
	Status string
	// Scope is what a token has to allow. May be empty.
	Scope string
	// OpenIDConfiguration is the https URL of the issuer's metadata. May be
	// empty.
	OpenIDConfiguration string
	// Err is what the server's exchange ends with.
	Err error
}

// Error implements error. Texts of the peer are not part of it.
func (f *BearerFailure) Error() string { return "saslmech: bearer token refused" }

// Unwrap returns f.Err.
func (f *BearerFailure) Unwrap() error { return f.Err }

// failureJSON is a BearerFailure on the wire, of both mechanisms.
type failureJSON struct {
	Status  string `json:"status"`
	Schemes string `json:"schemes,omitempty"` // XOAUTH2
	Scope   string `json:"scope,omitempty"`
	Config  string `json:"openid-configuration,omitempty"`
}

// maxBearer bounds a client's message: names with every octet escaped, a token,
// and room for keys that are ignored.
const maxBearer = 3*MaxName + MaxToken + 2048

// NewOAuthBearerServer returns a server of OAUTHBEARER (RFC 7628). A
// *BearerFailure of check goes to the client, whose answer is read, whatever
// it is, before the exchange ends with the failure's Err. Any other error ends
// the exchange at once.
func NewOAuthBearerServer(check func(BearerRequest) error) sasl.Server {
	return clientFirst(maxBearer, func(response []byte) ([]byte, step, error) {
		r, ok := parseOAuthBearer(response)
		if !ok {
			return nil, nil, ErrMalformed
		}
		return bearerOutcome(check(r), func(f *BearerFailure) failureJSON {
			return failureJSON{Status: or(f.Status, "invalid_token"), Scope: f.Scope, Config: f.OpenIDConfiguration}
		})
	})
}

// NewXOAuth2Server returns a server of XOAUTH2, the mechanism of Google and
// Microsoft before RFC 7628. Its failures are like those of OAUTHBEARER.
func NewXOAuth2Server(check func(BearerRequest) error) sasl.Server {
	return clientFirst(maxBearer, func(response []byte) ([]byte, step, error) {
		r, ok := parseXOAuth2(response)
		if !ok {
			return nil, nil, ErrMalformed
		}
		return bearerOutcome(check(r), func(f *BearerFailure) failureJSON {
			return failureJSON{Status: "401", Schemes: "Bearer", Scope: f.Scope}
		})
	})
}

// bearerOutcome ends the exchange, or sends a failure and waits for the answer
// to it (RFC 7628 §3.2.3).
func bearerOutcome(err error, wire func(*BearerFailure) failureJSON) ([]byte, step, error) {
	f, ok := err.(*BearerFailure) //nolint:errorlint // only what check itself returned
	if !ok {
		return nil, nil, err
	}
	challenge, err := json.Marshal(wire(f))
	if err != nil {
		return nil, nil, err
	}
	return challenge, func([]byte) ([]byte, step, error) {
		if f.Err != nil {
			return nil, nil, f.Err
		}
		return nil, nil, f
	}, nil
}

// parseOAuthBearer reads client-resp (RFC 7628 §3.1):
//
//	client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep
//	kvpair      = key "=" value kvsep
//
// The second form only answers a failure.
func parseOAuthBearer(b []byte) (r BearerRequest, ok bool) {
	header, rest, ok := bytes.Cut(b, []byte{1})
	if !ok {
		return r, false
	}
	h, n, ok := consumeGS2Header(header)
	if !ok || n != len(header) || h.flag == 'p' {
		return r, false
	}
	r.Authzid = h.authzid
	seen := make(map[string]bool, 3)
	for !bytes.Equal(rest, []byte{1}) {
		var pair []byte
		if pair, rest, ok = bytes.Cut(rest, []byte{1}); !ok {
			return r, false
		}
		key, value, ok := bytes.Cut(pair, []byte{'='})
		if !ok || !isAlpha(key) || !isValue(value) || len(seen) > 16 || seen[string(key)] {
			return r, false
		}
		seen[string(key)] = true
		if !r.set(string(key), string(value)) {
			return r, false
		}
	}
	return r, true
}

// set takes one key and value. Unknown keys are ignored.
func (r *BearerRequest) set(key, value string) (ok bool) {
	switch key {
	case "auth":
		r.Token, ok = bearerToken(value)
		return ok || value == ""
	case "host":
		r.Host = value
	case "port":
		port, err := strconv.ParseUint(value, 10, 16)
		r.Port = int(port)
		return err == nil && port > 0
	}
	return true
}

// parseXOAuth2 reads "user=" name ^A "auth=Bearer " token ^A ^A.
func parseXOAuth2(b []byte) (r BearerRequest, ok bool) {
	parts := bytes.SplitN(b, []byte{1}, 5)
	if len(parts) != 4 || len(parts[2]) != 0 || len(parts[3]) != 0 {
		return r, false
	}
	user, ok := bytes.CutPrefix(parts[0], []byte("user="))
	if !ok || len(user) > MaxName || !isText(user) {
		return r, false
	}
	auth, ok := bytes.CutPrefix(parts[1], []byte("auth="))
	if !ok {
		return r, false
	}
	r.Authzid = string(user)
	r.Token, ok = bearerToken(string(auth))
	return r, ok
}

// bearerToken reads "Bearer" 1*SP b64token (RFC 6750 §2.1); the scheme's case
// does not matter (RFC 7628 §4).
func bearerToken(s string) (string, bool) {
	scheme, token, ok := strings.Cut(s, " ")
	token = strings.TrimLeft(token, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || len(token) > MaxToken {
		return "", false
	}
	body := strings.TrimRight(token, "=")
	for i := range len(body) {
		if c := body[i]; !isAlphanumeric(c) && strings.IndexByte("-._~+/", c) < 0 {
			return "", false
		}
	}
	return token, body != ""
}

func isAlpha(b []byte) bool {
	for _, c := range b {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return len(b) > 0
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// isValue: value = *(VCHAR / SP / HTAB / CR / LF).
func isValue(b []byte) bool {
	for _, c := range b {
		if (c < ' ' || c > '~') && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
