package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/mailstead/mailstead/auth/oauth/internal/endpoint"
	"github.com/mailstead/mailstead/auth/oauth/internal/strictjson"
)

var errMetadata = errors.New("no metadata of the issuer")

// discover returns the issuer's jwks_uri, from the metadata of OpenID Connect
// Discovery or, where there is none, of RFC 8414.
func discover(ctx context.Context, c endpoint.Client, issuer string) (string, error) {
	last := errMetadata
	for _, address := range metadataURLs(issuer) {
		r, err := c.Get(ctx, address)
		if err != nil {
			return "", err
		}
		switch {
		case r.Status == http.StatusOK && r.JSON():
			return readMetadata(r.Body, issuer)
		case r.Status == http.StatusOK:
			last = fmt.Errorf("%w: media type %.80q", errMetadata, r.ContentType)
		default:
			last = fmt.Errorf("%w: status %d", errMetadata, r.Status)
		}
		if r.Status >= 500 {
			break // a server that is down says nothing about what it has
		}
	}
	return "", last
}

// metadataURLs are where an issuer's metadata may stand (RFC 8414 §3.1 and §5).
func metadataURLs(issuer string) []string {
	u, err := url.Parse(issuer)
	if err != nil || u.RawQuery != "" {
		return nil
	}
	appended := strings.TrimRight(issuer, "/") + "/.well-known/openid-configuration"
	inserted := *u
	inserted.Path = "/.well-known/oauth-authorization-server" + strings.TrimRight(u.Path, "/")
	inserted.RawPath = ""
	return []string{appended, inserted.String()}
}

// readMetadata returns jwks_uri. The document has to be about the issuer
// (RFC 8414 §3.3), and keys of an issuer with TLS have to come over TLS.
func readMetadata(data []byte, issuer string) (string, error) {
	object, err := strictjson.Object(data)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errMetadata, err)
	}
	if is, _ := object["issuer"].(string); is != issuer {
		return "", fmt.Errorf("%w: it is about %.80q", errMetadata, is)
	}
	address, _ := object["jwks_uri"].(string)
	if address == "" {
		return "", fmt.Errorf("%w: no jwks_uri", errMetadata)
	}
	if strings.HasPrefix(issuer, "https:") && !strings.HasPrefix(address, "https:") {
		return "", fmt.Errorf("%w: jwks_uri: %w", errMetadata, endpoint.ErrURL)
	}
	return address, nil
}
