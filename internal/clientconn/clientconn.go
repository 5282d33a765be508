// Package clientconn is what the clients of SMTP, POP3 and IMAP do alike with a
// connection: dial, bound each wait, and start TLS.
package clientconn

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// ContextDialer makes connections; *net.Dialer is one.
type ContextDialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Dial connects within timeout; negative = no bound. d nil = a net.Dialer. host is
// that of addr, for which a certificate has to be.
func Dial(ctx context.Context, d ContextDialer, network, addr string, timeout time.Duration) (conn net.Conn, host string, err error) {
	if host, _, err = net.SplitHostPort(addr); err != nil {
		host = addr
	}
	if d == nil {
		d = &net.Dialer{}
	}
	ctx, cancel := WithTimeout(ctx, timeout)
	defer cancel()
	conn, err = d.DialContext(ctx, network, addr)
	return conn, host, err
}

// WithTimeout is that of package context; negative = no bound.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d < 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

// Watch makes the end of ctx end every wait on the connection, until the function
// that it returns is called.
func Watch(ctx context.Context, conn net.Conn) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	done := make(chan struct{})
	unwatch := context.AfterFunc(ctx, func() {
		conn.SetDeadline(time.Unix(1, 0))
		close(done)
	})
	return func() {
		if !unwatch() {
			<-done
		}
	}
}

// Arm sets a deadline; zero or less = none. One that is set while ctx ends is
// overtaken by Watch, or the error says so.
func Arm(ctx context.Context, set func(time.Time) error, timeout time.Duration) error {
	var deadline time.Time
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	set(deadline)
	return ctx.Err()
}

// Handshake starts TLS within timeout, for a server of this name unless cfg has
// another one. cfg nil = the zero Config; it is not changed.
func Handshake(ctx context.Context, conn net.Conn, cfg *tls.Config, host string, timeout time.Duration) (*tls.Conn, *tls.ConnectionState, error) {
	if cfg == nil {
		cfg = &tls.Config{}
	} else {
		cfg = cfg.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = host
	}
	tc := tls.Client(conn, cfg)
	ctx, cancel := WithTimeout(ctx, timeout)
	defer cancel()
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, nil, err
	}
	state := tc.ConnectionState()
	return tc, &state, nil
}
