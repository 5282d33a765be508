package imapserver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/mailstead/mailstead/internal/listen"
	"github.com/mailstead/mailstead/internal/proxyproto"
	"github.com/mailstead/mailstead/internal/tlspeer"
	"github.com/mailstead/mailstead/store/view"
)

// The errors of a Server.
var (
	// ErrServerClosed is what Serve returns after Shutdown or Close.
	ErrServerClosed = errors.New("imapserver: server closed")
	// ErrTooManyConnections is what ServeConn returns beyond
	// Limits.MaxConnections and Limits.MaxConnectionsPerIP.
	ErrTooManyConnections = errors.New("imapserver: too many connections")
)

// Server serves IMAP connections. Its methods may be called from any number of
// goroutines.
type Server struct {
	cfg   Config
	log   *slog.Logger
	group listen.Group
	views *view.Views
	own   bool // views is closed with the server
	users *Users

	inflating atomic.Int64 // octets that compressed connections hold

	books   books
	entries atomic.Uint32 // whether the store keeps entries; see keepsEntries

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
}

// New returns a server. It fails with all that Config.Validate finds.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Limits = cfg.Limits.withDefaults()
	cfg.Sharing = cfg.Sharing.withDefaults()
	cfg.TLSConfig = tlspeer.Config(cfg.TLSConfig)
	s := &Server{cfg: cfg, log: cfg.Logger, views: cfg.Views, users: cfg.Users}
	if s.users == nil {
		s.users = new(Users)
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.group.Logger = s.log
	s.group.Limits = listen.Limits{
		Total: cfg.Limits.MaxConnections, PerPrefix: cfg.Limits.MaxConnectionsPerIP, Trusted: cfg.TrustedPrefixes,
	}
	if s.views == nil {
		s.views, s.own = view.New(cfg.Store, view.Options{}), true
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Serve accepts connections until the listener fails or the server ends, and
// closes the listener. After Shutdown or Close it returns ErrServerClosed.
func (s *Server) Serve(l net.Listener) error {
	err := s.group.Serve(l, func(nc net.Conn) {
		if c, err := s.admit(nc); err == nil {
			go c.serve()
		}
	})
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

// ServeConn serves one connection and returns when it has ended. Where there is
// no place for it, that is ErrTooManyConnections, or ErrServerClosed.
func (s *Server) ServeConn(nc net.Conn) error {
	c, err := s.admit(nc)
	if err != nil {
		return known(err)
	}
	c.serve()
	return nil
}

// admit takes a connection in, or answers BYE and closes it.
func (s *Server) admit(nc net.Conn) (*conn, error) {
	c := newConn(s, nc)
	addr := c.peer.Addr
	if _, ok := c.nc.(*proxyproto.Conn); ok {
		addr = netip.Addr{} // readProxy counts the client
	}
	err := s.group.Add(c, addr)
	if err == nil {
		return c, nil
	}
	c.turnAway()
	c.Close()
	return nil, err
}

// Shutdown stops accepting, lets every running command end, sends BYE to every
// client and waits; it ends connections at once that have no session yet. When ctx ends first it says BYE to those that wait for their
// client, closes what is left, and returns the context's error.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.group.Shutdown(ctx)
	if cerr := s.Close(); err == nil {
		err = cerr
	}
	return err
}

// Close closes all listeners and connections at once and waits for the
// goroutines that served them.
func (s *Server) Close() error {
	s.cancel()
	s.group.Close()
	if s.own {
		return s.views.Close()
	}
	return nil
}
