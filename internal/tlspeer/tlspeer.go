// Package tlspeer remembers which certificate a TLS server showed on a
// connection. The channel binding tls-server-end-point (RFC 5929 §4) is made
// of it, and crypto/tls tells a server everything else but that.
package tlspeer

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"time"
)

// Config returns a copy of cfg for Server; nil for nil. It chooses
// certificates as cfg does.
func Config(cfg *tls.Config) *tls.Config {
	if cfg == nil {
		return nil
	}
	c := cfg.Clone()
	c.Certificates = nil
	c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := choose(cfg, hello)
		if s, ok := hello.Conn.(*shownConn); ok && err == nil {
			s.shown.cert = cert
		}
		return cert, err
	}
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		var other *tls.Config
		var err error
		if cfg.GetConfigForClient != nil {
			other, err = cfg.GetConfigForClient(hello)
		}
		if s, ok := hello.Conn.(*shownConn); ok && err == nil {
			s.shown.resumed = func() (*tls.Certificate, error) { return choose(cmp.Or(other, cfg), hello) }
		}
		return Config(other), err
	}
	return c
}

// choose is what crypto/tls does with cfg.
func choose(cfg *tls.Config, hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if cfg.GetCertificate != nil && (len(cfg.Certificates) == 0 || hello.ServerName != "") {
		if cert, err := cfg.GetCertificate(hello); cert != nil || err != nil {
			return cert, err
		}
	}
	if len(cfg.Certificates) == 0 {
		return nil, errors.New("tlspeer: no certificates configured")
	}
	for i := range cfg.Certificates {
		if hello.SupportsCertificate(&cfg.Certificates[i]) == nil {
			return &cfg.Certificates[i], nil
		}
	}
	return &cfg.Certificates[0], nil
}

// Shown is what a connection was shown. It is used by the goroutine that does
// the handshake.
type Shown struct {
	cert *tls.Certificate
	// resumed chooses a certificate for a resumed session, which shows none:
	// the one that this client would be shown now.
	resumed func() (*tls.Certificate, error)
}

type shownConn struct {
	net.Conn
	shown Shown
}

// Server is tls.Server with a configuration made by Config.
func Server(nc net.Conn, cfg *tls.Config) (*tls.Conn, *Shown) {
	c := &shownConn{Conn: nc}
	return tls.Server(c, cfg), &c.shown
}

// Handshake runs the handshake of tc within limit; zero or negative = no limit.
func Handshake(ctx context.Context, tc *tls.Conn, limit time.Duration) (*tls.ConnectionState, error) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	state := tc.ConnectionState()
	return &state, nil
}

// Certificate is the server's own certificate after the handshake; nil where
// it is not known.
func (s *Shown) Certificate() *x509.Certificate {
	cert, resumed := s.cert, s.resumed
	*s = Shown{} // the ClientHello is not kept for the life of the connection
	if cert == nil && resumed != nil {
		cert, _ = resumed()
	}
	if cert == nil || len(cert.Certificate) == 0 {
		return nil
	}
	if cert.Leaf != nil {
		return cert.Leaf
	}
	leaf, err := x509.ParseCertificate(cert.Certificate[0])
	if err != nil {
		return nil
	}
	return leaf
}
