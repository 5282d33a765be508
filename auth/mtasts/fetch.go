package mtasts

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/internal/dnsname"
)

// Fetcher fetches policies (RFC 8461 §3.3). The zero value is usable. It must
// not be copied after its first use.
type Fetcher struct {
	// Client sends the requests; nil = one of its own that honours the proxies
	// of the environment. Redirects and cookies of a Client are not used. One
	// that does not verify certificates fetches nothing.
	Client *http.Client

	// Timeout bounds a fetch; 0 = 60 s.
	Timeout time.Duration

	once sync.Once
	own  *http.Client
}

const fetchTimeout = time.Minute

// Fetch fetches the policy of a domain. The error is ErrFetch, ErrCertificate,
// ErrPolicy or ErrDomain.
func (f *Fetcher) Fetch(ctx context.Context, domain string) (*Policy, error) {
	domain, err := canonical(domain)
	if err != nil {
		return nil, err
	}
	timeout := f.Timeout
	if timeout <= 0 {
		timeout = fetchTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	host := "mta-sts." + domain
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/.well-known/mta-sts.txt", nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDomain, err)
	}
	req.Header.Set("Accept-Encoding", "identity") // a policy is short, and a bomb is not one
	resp, err := f.client().Do(req)
	if err != nil {
		return nil, fetchError(err)
	}
	defer resp.Body.Close()
	if err := vet(resp, host); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPolicy+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFetch, err)
	}
	return ParsePolicy(body)
}

// vet judges a response before its body is read.
func vet(resp *http.Response, host string) error {
	if resp.TLS == nil || len(resp.TLS.VerifiedChains) == 0 {
		return fmt.Errorf("%w: not verified", ErrCertificate)
	}
	if err := resp.TLS.PeerCertificates[0].VerifyHostname(host); err != nil {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: status %d", ErrFetch, resp.StatusCode)
	}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || media != "text/plain" { // §3.3: or users of a web site publish policies
		return fmt.Errorf("%w: not text/plain", ErrPolicy)
	}
	if enc := resp.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return fmt.Errorf("%w: compressed", ErrFetch)
	}
	return nil
}

// client is the Client without what a policy must not come by.
func (f *Fetcher) client() *http.Client {
	f.once.Do(func() {
		f.own = &http.Client{}
		if f.Client != nil {
			*f.own = *f.Client
		}
		if f.own.Transport == nil {
			f.own.Transport = &http.Transport{
				Proxy:                  http.ProxyFromEnvironment,
				TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
				DisableKeepAlives:      true, // one request a day
				MaxResponseHeaderBytes: 64 << 10,
				ForceAttemptHTTP2:      true,
			}
		}
		f.own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		f.own.Jar = nil
	})
	return f.own
}

func fetchError(err error) error {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return fmt.Errorf("%w: %w", ErrFetch, err)
}

// canonical is a domain in lower case and A-labels, without a dot at its end.
func canonical(domain string) (string, error) {
	name, err := dnsname.ToASCII(strings.TrimSuffix(domain, "."))
	if err != nil || !isHost(name) || len(name) > 253-len("mta-sts.") {
		return "", fmt.Errorf("%w: %q", ErrDomain, domain)
	}
	return name, nil
}
