package mtasts

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/internal/certtest"
)

// web is a web server on loopback, and a transport that finds each name there.
type web struct {
	server    *httptest.Server
	transport *http.Transport
}

func newWeb(t *testing.T, a *certtest.Authority, template *x509.Certificate, h http.HandlerFunc) *web {
	t.Helper()
	key, cert := a.Issue(t, template)
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certtest.Chain(key, cert)}}
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(a.Cert)
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
		},
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &web{s, tr}
}

func (w *web) fetcher() *Fetcher { return &Fetcher{Client: &http.Client{Transport: w.transport}} }

func named(names ...string) *x509.Certificate { return &x509.Certificate{DNSNames: names} }

func serve(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Host != "mta-sts.example.org" || r.URL.Path != "/.well-known/mta-sts.txt" || r.TLS.ServerName != r.Host {
			http.Error(w, "no such page", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, body)
	}
}

func TestFetch(t *testing.T) {
	a := certtest.New(t)
	for _, name := range []string{"mta-sts.example.org", "*.example.org"} {
		w := newWeb(t, a, named(name), serve(good))
		for _, domain := range []string{"example.org", "EXAMPLE.org."} {
			if p, err := w.fetcher().Fetch(t.Context(), domain); err != nil || p.Mode != Enforce {
				t.Errorf("%s, %s: %+v, %v", name, domain, p, err)
			}
		}
	}
	for _, domain := range []string{"", ".", "a..b", "[192.0.2.1]", "a b", "a/b", strings.Repeat("a.", 123) + "b", "x@y"} {
		if _, err := new(Fetcher).Fetch(t.Context(), domain); !errors.Is(err, ErrDomain) {
			t.Errorf("%q: %v", domain, err)
		}
	}
}

// TestCertificates: RFC 8461 §3.3.
func TestCertificates(t *testing.T) {
	a, other := certtest.New(t), certtest.New(t)
	old := named("mta-sts.example.org")
	old.NotAfter = time.Now().Add(-time.Hour)
	common := named()
	common.Subject.CommonName = "mta-sts.example.org"
	for _, c := range []struct {
		name     string
		by       *certtest.Authority
		template *x509.Certificate
	}{
		{"other name", a, named("example.org")},
		{"deeper wildcard", a, named("*.org")},
		{"common name only", a, common},
		{"expired", a, old},
		{"unknown authority", other, named("mta-sts.example.org")},
	} {
		w := newWeb(t, c.by, c.template, serve(good))
		if c.by != a {
			w.transport.TLSClientConfig.RootCAs = x509.NewCertPool()
			w.transport.TLSClientConfig.RootCAs.AddCert(a.Cert)
		}
		if p, err := w.fetcher().Fetch(t.Context(), "example.org"); !errors.Is(err, ErrCertificate) || p != nil {
			t.Errorf("%s: %+v, %v", c.name, p, err)
		}
		// Invariant M2: a client that looks away changes nothing.
		w.transport.TLSClientConfig.InsecureSkipVerify = true
		if p, err := w.fetcher().Fetch(t.Context(), "example.org"); !errors.Is(err, ErrCertificate) || p != nil {
			t.Errorf("%s, not verified: %+v, %v", c.name, p, err)
		}
	}
	w := newWeb(t, a, named("b.example"), serve(good))
	w.transport.TLSClientConfig.ServerName = "b.example" // verified, but for another name
	if _, err := w.fetcher().Fetch(t.Context(), "example.org"); !errors.Is(err, ErrCertificate) {
		t.Error(err)
	}
}

func TestHostileServers(t *testing.T) {
	a := certtest.New(t)
	plain := func(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/plain") }
	for _, c := range []struct {
		name string
		want error
		h    http.HandlerFunc
	}{
		{"redirect to itself", ErrFetch, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "" {
				http.Redirect(w, r, "?x", http.StatusFound)
				return
			}
			plain(w)
			io.WriteString(w, good)
		}},
		{"redirect with a policy in it", ErrFetch, func(w http.ResponseWriter, _ *http.Request) {
			plain(w)
			w.Header().Set("Location", "/x")
			w.WriteHeader(http.StatusMovedPermanently)
			io.WriteString(w, good)
		}},
		{"203", ErrFetch, func(w http.ResponseWriter, _ *http.Request) {
			plain(w)
			w.WriteHeader(http.StatusNonAuthoritativeInfo)
			io.WriteString(w, good)
		}},
		{"404", ErrFetch, http.NotFound},
		{"HTML", ErrPolicy, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, good)
		}},
		{"no type", ErrPolicy, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			io.WriteString(w, good)
		}},
		{"endless", ErrPolicy, func(w http.ResponseWriter, _ *http.Request) {
			plain(w)
			for line := []byte(strings.Repeat("x: y\n", 1000)); ; {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		}},
		{"gzip without being asked", ErrFetch, func(w http.ResponseWriter, _ *http.Request) {
			plain(w)
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			io.WriteString(z, good)
			z.Close()
		}},
		{"shorter than announced", ErrFetch, func(w http.ResponseWriter, _ *http.Request) {
			plain(w)
			w.Header().Set("Content-Length", "10000")
			io.WriteString(w, good)
		}},
		{"huge header", ErrFetch, func(w http.ResponseWriter, _ *http.Request) {
			plain(w)
			w.Header().Set("X", strings.Repeat("x", 1<<20))
			io.WriteString(w, good)
		}},
		{"silence", ErrFetch, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		{"a body that never ends", ErrFetch, func(w http.ResponseWriter, r *http.Request) {
			plain(w)
			io.WriteString(w, good)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			panic(http.ErrAbortHandler) // or the end may come before the connection is closed
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWeb(t, a, named("mta-sts.example.org"), c.h)
			w.transport.MaxResponseHeaderBytes = 64 << 10
			f := w.fetcher()
			if f.Timeout = time.Minute; c.name == "silence" || c.name == "a body that never ends" {
				f.Timeout = 500 * time.Millisecond
			}
			if p, err := f.Fetch(t.Context(), "example.org"); !errors.Is(err, c.want) || p != nil {
				t.Errorf("%+v, %v", p, err)
			}
		})
	}
}

// TestTLSConfig: a host with a certificate for its own name, not for the
// pattern of the policy (§4.2).
func TestTLSConfig(t *testing.T) {
	a := certtest.New(t)
	roots := x509.NewCertPool()
	roots.AddCert(a.Cert)
	base := &tls.Config{RootCAs: roots, InsecureSkipVerify: true}
	p := &Policy{Mode: Enforce, MX: []string{"*.example.org"}}
	for name, ok := range map[string]bool{"mx.example.org": true, "*.example.org": true, "other.example.org": false, "example.org": false} {
		w := newWeb(t, a, named(name), serve(""))
		c, err := (&tls.Dialer{Config: p.TLSConfig(base, "mx.example.org.")}).DialContext(t.Context(), "tcp", w.server.Listener.Addr().String())
		if (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
		if c != nil {
			c.Close()
		}
	}
	if !base.InsecureSkipVerify || p.TLSConfig(nil, "x").MinVersion != tls.VersionTLS12 {
		t.Error("the base was changed, or TLS may be too old")
	}
}
