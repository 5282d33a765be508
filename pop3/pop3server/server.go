package pop3server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/mailstead/mailstead/internal/listen"
	"github.com/mailstead/mailstead/internal/proxyproto"
	"github.com/mailstead/mailstead/internal/tlspeer"
	"github.com/mailstead/mailstead/pop3"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// Server serves POP3 connections. Its methods may be called from any number of
// goroutines.
type Server struct {
	cfg       Config
	group     listen.Group
	views     *view.Views
	own       bool // views is closed with the server
	locks     *store.Maildrops
	users     *Users
	languages []Language // the preferred one first
	buffers   bufferPool
}

// New returns a server. It fails with all that Config.Validate finds.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Limits = cfg.Limits.withDefaults()
	cfg.TLSConfig = tlspeer.Config(cfg.TLSConfig)
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	s := &Server{cfg: cfg, views: cfg.Views, locks: cfg.Locks, users: cfg.Users}
	if s.locks == nil {
		s.locks = new(store.Maildrops)
	}
	if s.users == nil {
		s.users = new(Users)
	}
	s.languages = append(append(s.languages, cfg.Languages...), english)
	s.group.Limits = listen.Limits{Total: cfg.Limits.MaxConnections, PerPrefix: cfg.Limits.MaxConnectionsPerIP, Trusted: cfg.TrustedPrefixes}
	s.group.Logger = cfg.Logger
	if s.views == nil {
		s.views, s.own = view.New(cfg.Store, view.Options{}), true
	}
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

// admit takes a connection in, or refuses and closes it.
func (s *Server) admit(nc net.Conn) (*conn, error) {
	c := newConn(s, nc)
	addr := c.peer.Addr
	if _, ok := c.raw.(*proxyproto.Conn); ok {
		addr = netip.Addr{} // readProxy counts the client
	}
	err := s.group.Add(c, addr)
	if err == nil {
		return c, nil
	}
	s.busy(nc)
	c.Close()
	return nil, err
}

// busy says that there are too many connections, where no TLS is expected. It
// fits into the empty send buffer, so that nobody waits for the peer.
func (s *Server) busy(nc net.Conn) {
	if s.cfg.ImplicitTLS {
		return
	}
	_ = nc.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	_, _ = io.WriteString(nc, "-ERR ["+string(pop3.CodeSysTemp)+"] "+string(textBusy)+"\r\n")
}

// Shutdown stops accepting, lets every running command end, says goodbye to
// every client and waits. Marked messages stay: only QUIT deletes. When ctx
// ends first it closes what is left and returns the context's error.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.group.Shutdown(ctx)
	return errors.Join(err, s.closeViews())
}

// Close closes all listeners and connections at once and waits for the
// goroutines that served them.
func (s *Server) Close() error {
	s.group.Close()
	return s.closeViews()
}

func (s *Server) closeViews() error {
	if s.own {
		return s.views.Close()
	}
	return nil
}
