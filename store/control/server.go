package control

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// The bounds of a Server whose fields are zero.
const (
	DefaultMaxRequestBytes = 1 << 20
	DefaultMaxConnections  = 32
)

const (
	readTimeout = 30 * time.Second // for a request to arrive whole
	idleTimeout = time.Minute
	maxHeader   = 16 << 10
)

// ErrStopping is the cause with which the context of a request ends at
// Shutdown.
var ErrStopping = errors.New("control: the server is stopping")

// Server serves a Handler. Its fields are not changed after Serve was called.
type Server struct {
	Handler http.Handler

	// MaxRequestBytes bounds the body of a request. Zero =
	// DefaultMaxRequestBytes, negative = none.
	MaxRequestBytes int64

	// MaxConnections bounds the connections at a time; more wait. Zero =
	// DefaultMaxConnections, negative = none.
	MaxConnections int

	// Logger is told what goes wrong below requests; nil = slog.Default().
	Logger *slog.Logger

	arrive time.Duration // zero = readTimeout

	once   sync.Once
	http   http.Server
	cancel context.CancelCauseFunc
}

func (s *Server) init() {
	s.once.Do(func() {
		ctx, cancel := context.WithCancelCause(context.Background())
		s.cancel = cancel
		log := s.Logger
		if log == nil {
			log = slog.Default()
		}
		handler := s.Handler
		if limit := s.MaxRequestBytes; limit >= 0 {
			if limit == 0 {
				limit = DefaultMaxRequestBytes
			}
			handler = http.MaxBytesHandler(handler, limit)
		}
		if s.arrive == 0 {
			s.arrive = readTimeout
		}
		s.http = http.Server{
			Handler: handler, MaxHeaderBytes: maxHeader,
			ReadTimeout: s.arrive, ReadHeaderTimeout: s.arrive, IdleTimeout: idleTimeout,
			ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelWarn),
			BaseContext: func(net.Listener) context.Context { return ctx },
		}
	})
}

// Serve accepts connections until Shutdown, and then returns nil. It closes l.
func (s *Server) Serve(l net.Listener) error {
	s.init()
	if n := s.MaxConnections; n >= 0 {
		if n == 0 {
			n = DefaultMaxConnections
		}
		l = &bounded{Listener: l, room: make(chan struct{}, n), closed: make(chan struct{})}
	}
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown closes the listener, ends the contexts of all requests with
// ErrStopping, and waits for them; at the end of ctx their connections are
// cut.
func (s *Server) Shutdown(ctx context.Context) error {
	s.init()
	s.cancel(ErrStopping)
	err := s.http.Shutdown(ctx)
	if err != nil {
		return errors.Join(err, s.http.Close())
	}
	return nil
}

// bounded is a listener that accepts no more than room at a time.
type bounded struct {
	net.Listener
	room   chan struct{}
	once   sync.Once
	closed chan struct{}
}

func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.room <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.room
		return nil, err
	}
	return &counted{Conn: c, free: sync.OnceFunc(func() { <-b.room })}, nil
}

func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

// counted gives its room back when it is closed.
type counted struct {
	net.Conn
	free func()
}

func (c *counted) Close() error {
	defer c.free()
	return c.Conn.Close()
}
