package imapserver

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/mailstead/mailstead/store/view"
)

// ErrServerClosed is what Serve returns after Shutdown or Close.
var ErrServerClosed = errors.New("imapserver: server closed")

// Server serves IMAP connections. Its methods may be called from any number of
// goroutines.
type Server struct {
	cfg   Config
	log   *slog.Logger
	views *view.Views
	own   bool // views is closed with the server

	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu        sync.Mutex
	closing   bool
	listeners map[net.Listener]bool
	conns     map[*conn]bool
	perIP     map[netip.Prefix]int
	wg        sync.WaitGroup // connections
}

// New returns a server. It fails with all that Config.Validate finds.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Limits = cfg.Limits.withDefaults()
	s := &Server{
		cfg: cfg, log: cfg.Logger, views: cfg.Views,
		listeners: make(map[net.Listener]bool), conns: make(map[*conn]bool), perIP: make(map[netip.Prefix]int),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
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
	defer l.Close()
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return ErrServerClosed
	}
	s.listeners[l] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, l)
		s.mu.Unlock()
	}()
	var pause time.Duration
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.start(nc)
		case s.isClosing():
			return ErrServerClosed
		case isTemporary(err):
			// Out of file descriptors, for instance: wait for some to close.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log.Warn("imap: accept failed", "err", err, "retry", pause)
			if !sleep(s.ctx, pause) {
				return ErrServerClosed
			}
		default:
			return err
		}
	}
}

func isTemporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// start serves an accepted connection in its own goroutine.
func (s *Server) start(nc net.Conn) {
	c, err := s.admit(nc)
	if err != nil {
		return
	}
	go func() {
		defer s.wg.Done()
		c.serve()
	}()
}

// ServeConn serves one connection and returns when it has ended.
func (s *Server) ServeConn(nc net.Conn) error {
	c, err := s.admit(nc)
	if err != nil {
		return err
	}
	defer s.wg.Done()
	c.serve()
	return nil
}

var errTooMany = errors.New("imapserver: too many connections")

// admit takes a connection in, or answers BYE and closes it. The caller calls
// s.wg.Done when the connection has ended.
func (s *Server) admit(nc net.Conn) (*conn, error) {
	c := newConn(s, nc)
	s.mu.Lock()
	err := s.admitLocked(c)
	s.mu.Unlock()
	if err == nil {
		return c, nil
	}
	if !s.cfg.ImplicitTLS {
		_ = nc.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = io.WriteString(nc, "* BYE [UNAVAILABLE] Too many connections, try again later\r\n")
	}
	nc.Close()
	c.cancel()
	return nil, err
}

func (s *Server) admitLocked(c *conn) error {
	l := s.cfg.Limits
	if s.closing {
		return ErrServerClosed
	}
	if l.MaxConnections >= 0 && len(s.conns) >= l.MaxConnections {
		return errTooMany
	}
	if c.prefix.IsValid() && l.MaxConnectionsPerIP >= 0 && s.perIP[c.prefix] >= l.MaxConnectionsPerIP {
		return errTooMany
	}
	if c.prefix.IsValid() {
		s.perIP[c.prefix]++
	}
	s.conns[c] = true
	s.wg.Add(1)
	return nil
}

// gone takes an ended connection out.
func (s *Server) gone(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if c.prefix.IsValid() {
		if s.perIP[c.prefix]--; s.perIP[c.prefix] == 0 {
			delete(s.perIP, c.prefix)
		}
	}
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// Shutdown stops accepting, lets every running command end, sends BYE to every
// client and waits. When ctx ends first it closes what is left, as Close does,
// and returns the context's error.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, c := range s.stop() {
		c.wake()
	}
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return errors.Join(err, s.Close())
}

// Close closes all listeners and connections at once and waits for the
// goroutines that served them.
func (s *Server) Close() error {
	conns := s.stop()
	s.cancel()
	for _, c := range conns {
		c.nc.Close()
	}
	s.wg.Wait()
	if s.own {
		return s.views.Close()
	}
	return nil
}

// stop closes the listeners and returns the connections.
func (s *Server) stop() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	for l := range s.listeners {
		l.Close()
	}
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	return conns
}
