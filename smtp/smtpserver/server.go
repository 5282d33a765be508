package smtpserver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"

	"github.com/mailstead/mailstead/internal/listen"
	"github.com/mailstead/mailstead/internal/proxyproto"
	"github.com/mailstead/mailstead/internal/smtpinput"
	"github.com/mailstead/mailstead/internal/tlspeer"
)

// The errors of a Server.
var (
	// ErrServerClosed is returned by Serve and ServeConn after Shutdown or Close.
	ErrServerClosed = errors.New("smtpserver: server closed")
	// ErrTooManyConnections is returned by ServeConn beyond Limits.Connections
	// and Limits.PerAddress.
	ErrTooManyConnections = errors.New("smtpserver: too many connections")
)

// Server serves SMTP or LMTP on any number of listeners. Its methods may be
// called from any goroutine.
type Server struct {
	cfg     Config
	faults  error // of Config.Validate
	verbs   []verb
	group   listen.Group
	buffers smtpinput.Pool
}

// New makes a Server. What is wrong with cfg is returned by Serve; see
// Config.Validate.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg.withDefaults(), faults: cfg.Validate(), verbs: verbTable(cfg.Commands)}
	s.cfg.TLSConfig = tlspeer.Config(s.cfg.TLSConfig)
	s.group.Limits = listen.Limits{
		Total: s.cfg.Limits.Connections, PerPrefix: s.cfg.Limits.PerAddress, Trusted: s.cfg.TrustedPrefixes,
	}
	s.group.Logger = s.cfg.Logger
	return s
}

// ListenAndServe listens on the TCP address and serves it.
func (s *Server) ListenAndServe(ctx context.Context, addr string) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return s.Serve(ctx, l)
}

// Serve accepts connections on l until Shutdown, Close, or the end of ctx,
// and closes l. ctx is the parent of every handler's context; its end acts on
// the connections of l as Close does. The error is never nil.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if s.faults != nil {
		l.Close()
		return s.faults
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	err := s.group.Serve(l, func(nc net.Conn) {
		if c, err := s.admit(ctx, nc); err == nil {
			go c.serve()
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	return known(err)
}

// known gives the group's errors the server's names.
func known(err error) error {
	switch {
	case errors.Is(err, listen.ErrClosed):
		return ErrServerClosed
	case errors.Is(err, listen.ErrTooMany):
		return ErrTooManyConnections
	}
	return err
}

// ServeConn serves one connection and returns when it has ended. It is
// counted by the limits and ended by Shutdown and Close like any other.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn) error {
	if s.faults != nil {
		nc.Close()
		return s.faults
	}
	c, err := s.admit(ctx, nc)
	if err != nil {
		return known(err)
	}
	c.serve()
	return nil
}

// admit counts the connection in, or turns it away.
func (s *Server) admit(ctx context.Context, nc net.Conn) (*conn, error) {
	c := newConn(ctx, s, nc)
	addr := c.peer.Addr.Addr()
	if _, ok := c.raw.(*proxyproto.Conn); ok {
		addr = netip.Addr{} // readProxy counts the client
	}
	err := s.group.Add(c, addr)
	if err == nil {
		return c, nil
	}
	if errors.Is(err, listen.ErrTooMany) {
		s.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "smtp: too many connections", slog.Any("peer", c.peer.Addr))
	}
	c.turnAway()
	return nil, err
}

// Shutdown closes the listeners, ends idle connections with 421 at once and
// others after the transaction they are in, and waits. When ctx ends first,
// all that are left get 421 where they are, and ctx's error is returned.
func (s *Server) Shutdown(ctx context.Context) error { return s.group.Shutdown(ctx) }

// Close closes listeners and connections, cancels the contexts of handlers,
// and waits until they have returned. No transaction that was not answered
// was accepted.
func (s *Server) Close() error {
	s.group.Close()
	return nil
}
