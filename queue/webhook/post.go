package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/mailstead/mailstead/internal/publicnet"
	"github.com/mailstead/mailstead/smtp"
)

// poster is the Receiver of one endpoint.
type poster struct {
	h *Hooks
	e *Endpoint
}

// Begin implements smtp.Receiver.
func (p *poster) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	return &posting{p: p, id: m.Once}, nil
}

type posting struct {
	p  *poster
	id string // the job, the same in each attempt
	n  int
}

// Rcpt accepts the one recipient there is.
func (t *posting) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	t.n += len(rs)
	return make([]error, len(rs))
}

func (t *posting) Abort() {}

// maxBody bounds a job that claims to be a webhook.
const maxBody = 1 << 20

// Data implements smtp.Transaction.
func (t *posting) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	rest, err := io.ReadAll(io.LimitReader(b, maxBody))
	if err != nil {
		return nil, err
	}
	body := append(bytes.Clone(b.Trace()), rest...)
	if err := t.p.post(ctx, t.id, body); err != nil {
		return nil, err
	}
	return smtp.Accepted(t.n), nil
}

func later(cause error, text string) error {
	return &smtp.Error{Reply: smtp.NewReply(450, smtp.EnhancedCode{Class: 4, Subject: 4, Detail: 1}, text), Err: cause}
}

var errRetryAfter = errors.New("webhook: the endpoint asked for time")

// post sends a request and reads what it means.
func (p *poster) post(ctx context.Context, id string, body []byte) error {
	now := p.h.now()
	if p.h.isGone(p.e.Name) {
		return gone()
	}
	if now.Before(p.h.until(p.e.Name)) {
		return later(errRetryAfter, "The endpoint asked for time")
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := p.request(ctx, id, now, body)
	if err != nil {
		return &smtp.Error{Reply: smtp.NewReply(550, smtp.EnhancedCode{Class: 5, Subject: 3, Detail: 5}, "The endpoint cannot be posted to"), Err: err}
	}
	res, err := p.client().Do(req)
	if err != nil {
		return later(hideURL(err), "The endpoint does not answer")
	}
	defer res.Body.Close()
	io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be kept
	return p.outcome(ctx, res, now)
}

// hideURL drops the address, which may hold a token.
func hideURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

var errScheme = errors.New("webhook: not an https address")

func (p *poster) request(ctx context.Context, id string, now time.Time, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.e.URL, bytes.NewReader(body))
	if err != nil {
		return nil, hideURL(err)
	}
	if req.URL.Scheme != "https" && (!p.e.Insecure || req.URL.Scheme != "http") {
		return nil, errScheme
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Mailstead")
	sign(req.Header, p.e.Secrets, id, now, body)
	return req, nil
}

func (p *poster) outcome(ctx context.Context, res *http.Response, now time.Time) error {
	switch code := res.StatusCode; {
	case code/100 == 2:
		return nil
	case code == http.StatusGone:
		p.h.remember(p.e.Name, func(s *state) { s.gone = true })
		p.h.log().WarnContext(ctx, "webhook: the endpoint wants no more", "webhook", p.e.Name)
		return gone()
	case code == http.StatusTooManyRequests, code == http.StatusServiceUnavailable:
		if wait := retryAfter(res.Header.Get("Retry-After"), now); wait > 0 {
			p.h.remember(p.e.Name, func(s *state) { s.until = now.Add(wait) })
		}
	}
	return later(fmt.Errorf("webhook: status %d", res.StatusCode), "The endpoint does not take it: "+strconv.Itoa(res.StatusCode))
}

func gone() error {
	return smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 3, Detail: 2}, "The endpoint wants no more")
}

// maxRetryAfter bounds what an endpoint may ask for.
const maxRetryAfter = time.Hour

// retryAfter reads seconds or a date (RFC 9110 §10.2.3); zero = neither.
func retryAfter(text string, now time.Time) time.Duration {
	var wait time.Duration
	if n, err := strconv.Atoi(text); err == nil {
		wait = time.Duration(min(max(n, 0), int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

const requestTimeout = 15 * time.Second

// client never follows redirects.
func (p *poster) client() *http.Client {
	c := http.Client{}
	switch {
	case p.h.Client != nil:
		c = *p.h.Client
	case p.e.Insecure:
	default:
		c.Transport = p.h.public()
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// public is a transport to public addresses, judged as they are dialed.
func (h *Hooks) public() http.RoundTripper {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.transport == nil {
		d := &net.Dialer{Timeout: requestTimeout, Control: publicnet.Control}
		h.transport = &http.Transport{
			DialContext: d.DialContext, ForceAttemptHTTP2: true, MaxIdleConns: 10, IdleConnTimeout: time.Minute,
			TLSHandshakeTimeout: requestTimeout, MaxResponseHeaderBytes: 64 << 10,
		}
	}
	return h.transport
}
