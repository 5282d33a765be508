package smtpserver

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"
)

// ErrServerClosed is returned by Serve and ServeConn after Shutdown or Close.
var ErrServerClosed = errors.New("smtpserver: server closed")

// Server serves SMTP or LMTP on any number of listeners. Its methods may be
// called from any goroutine.
type Server struct {
	cfg     Config
	faults  error // of Config.Validate
	verbs   []verb
	limits  limiter
	buffers sync.Pool // of *[bufferSize]byte

	mu        sync.Mutex // guards what follows
	closing   bool       // Shutdown or Close was called
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	work      sync.WaitGroup // one for each connection
}

// New makes a Server. What is wrong with cfg is returned by Serve; see
// Config.Validate.
func New(cfg Config) *Server {
	s := &Server{
		cfg:       cfg.withDefaults(),
		faults:    cfg.Validate(),
		verbs:     verbTable(),
		listeners: make(map[net.Listener]struct{}),
		conns:     make(map[*conn]struct{}),
	}
	s.buffers.New = func() any { return new([bufferSize]byte) }
	s.limits = limiter{
		total: s.cfg.Limits.Connections, perAddress: s.cfg.Limits.PerAddress,
		trusted: s.cfg.TrustedPrefixes,
	}
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
	if !s.addListener(l) {
		l.Close()
		return ErrServerClosed
	}
	defer s.removeListener(l)
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	wait := time.Duration(0)
	for {
		nc, err := l.Accept()
		if err == nil {
			wait = 0
			s.accept(ctx, nc)
			continue
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case s.isClosing():
			return ErrServerClosed
		case errors.Is(err, net.ErrClosed):
			return err
		}
		// Out of descriptors, or a peer that went away: try again.
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		s.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "smtp: accept failed", slog.Any("error", err))
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// ServeConn serves one connection and returns when it has ended. It is
// counted by the limits and ended by Shutdown and Close like any other.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn) error {
	if s.faults != nil {
		nc.Close()
		return s.faults
	}
	c := s.admit(ctx, nc)
	if c == nil {
		if s.isClosing() {
			return ErrServerClosed
		}
		return nil
	}
	c.serve()
	return nil
}

// accept gives the connection its goroutine.
func (s *Server) accept(ctx context.Context, nc net.Conn) {
	if c := s.admit(ctx, nc); c != nil {
		go c.serve()
	}
}

// admit registers the connection, or turns it away and returns nil.
func (s *Server) admit(ctx context.Context, nc net.Conn) *conn {
	c := newConn(ctx, s, nc)
	if !s.limits.add(c.peer.Addr.Addr()) {
		s.cfg.Logger.LogAttrs(ctx, slog.LevelWarn, "smtp: too many connections", slog.Any("peer", c.peer.Addr))
		c.turnAway()
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		s.limits.remove(c.peer.Addr.Addr())
		c.turnAway()
		return nil
	}
	s.conns[c] = struct{}{}
	s.work.Add(1)
	return c
}

// forget ends the registration of a connection.
func (s *Server) forget(c *conn) {
	s.limits.remove(c.peer.Addr.Addr())
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.work.Done()
}

func (s *Server) addListener(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) removeListener(l net.Listener) {
	l.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
}

func (s *Server) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

// stop closes the listeners and calls each for every connection.
func (s *Server) stop(each func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	for l := range s.listeners {
		l.Close()
	}
	for c := range s.conns {
		each(c)
	}
}

// Shutdown closes the listeners, ends idle connections with 421 at once and
// others after the transaction they are in, and waits. When ctx ends first,
// it acts as Close and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop((*conn).drain)
	done := make(chan struct{})
	go func() {
		s.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		s.Close()
		<-done
		return ctx.Err()
	}
}

// Close closes listeners and connections, cancels the contexts of handlers,
// and waits until they have returned. No transaction that was not answered
// was accepted.
func (s *Server) Close() error {
	s.stop((*conn).kill)
	s.work.Wait()
	return nil
}
