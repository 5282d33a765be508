package tlsrpt

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/mailstead/mailstead/internal/publicnet"
)

// Why a report was not posted; tested with errors.Is.
var (
	// ErrPost: the server cannot be reached, or does not take the report.
	ErrPost = errors.New("tlsrpt: report not posted")
	// ErrAddress: the host of a URI has an address that is not public.
	ErrAddress = publicnet.ErrAddress
)

// post sends a report to a server (RFC 8460 §5.4). Any status of 200 to 299 says
// that it was taken; what the server says besides is not read.
func (s *Sender) post(ctx context.Context, u *url.URL, data []byte) error {
	timeout := orDefault(s.Timeout, postTimeout)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPost, err)
	}
	req.Header.Set("Content-Type", MediaType)
	resp, err := s.http().Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPost, err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // so that the connection may serve again
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("%w: %s: status %d", ErrPost, u.Host, resp.StatusCode)
	}
	return nil
}

// http is the Client without what a stranger's server may abuse.
func (s *Sender) http() *http.Client {
	s.once.Do(func() {
		s.client = &http.Client{}
		if s.Client != nil {
			*s.client = *s.Client
		}
		if s.client.Transport == nil {
			dialer := &net.Dialer{Control: publicnet.Control}
			s.client.Transport = &http.Transport{
				DialContext:            dialer.DialContext,
				TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
				DisableKeepAlives:      true, // one request a day
				MaxResponseHeaderBytes: 64 << 10,
				ForceAttemptHTTP2:      true,
			}
		}
		s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		s.client.Jar = nil
	})
	return s.client
}
