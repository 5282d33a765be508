package pop3test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/internal/netpipe"
)

// Message is what lies in the maildrop.
type Message struct {
	// ID is the unique-id; "" = one that Add makes.
	ID string
	// Text is the message. It is sent with its dots stuffed at the beginning of
	// each line, that is behind each LF, and with CRLF added where it does not end
	// in it.
	Text string
	// Size is what LIST says; 0 = the truth.
	Size int64
}

// Texts makes messages of texts.
func Texts(texts ...string) (messages []Message) {
	for _, t := range texts {
		messages = append(messages, Message{Text: t})
	}
	return messages
}

// Options are the choices of NewServer. The zero value is an empty maildrop for
// anybody.
type Options struct {
	Messages []Message

	// Capabilities are the lines of the reply to CAPA; nil = TOP, USER, UIDL,
	// PIPELINING, RESP-CODES and AUTH-RESP-CODE. One that is empty, and not nil:
	// the server does not know CAPA.
	Capabilities []string

	// StartTLS adds STLS to Capabilities, until TLS is on. ImplicitTLS speaks TLS
	// from the first octet. Both need TLSConfig, which is the server's.
	StartTLS, ImplicitTLS bool
	TLSConfig             *tls.Config

	// Login decides about USER and PASS, and AUTH PLAIN; nil = everybody.
	Login func(user, password string) bool

	// Reply overrides the reply to a command line, as it was received; "" = the
	// usual one. The greeting is asked for as "greeting". conn counts the
	// connections from 1. A text of several lines is sent as it is, with CRLF
	// behind it. What the command does is not done then. Some replies are none:
	//
	//	close   drops the connection
	//	hang    says no more until the client closes
	//	lose    does what the command does, and drops the connection
	//
	// It may be called from several goroutines.
	Reply func(conn int, command string) string

	// Wire, if set, stands between the server and each connection: CutAfter, for
	// one.
	Wire func(conn int, c net.Conn) net.Conn

	// Shared lets several sessions have the maildrop at a time. Otherwise a
	// second login is refused with [IN-USE].
	Shared bool
}

// Server is a maildrop and those who read it.
type Server struct {
	opts Options
	work sync.WaitGroup

	mu       sync.Mutex // guards what follows
	messages []Message
	made     int // unique-ids made
	conns    map[net.Conn]struct{}
	count    int // connections so far
	inUse    bool
	closed   bool
	commands []string
	listener net.Listener // nil = none
}

// NewServer makes a server. It ends with the test.
func NewServer(tb testing.TB, opts Options) *Server {
	tb.Helper()
	if opts.Capabilities == nil {
		opts.Capabilities = []string{"TOP", "USER", "UIDL", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE"}
	}
	if (opts.StartTLS || opts.ImplicitTLS) && opts.TLSConfig == nil {
		tb.Fatal("pop3test: TLS without TLSConfig")
	}
	s := &Server{opts: opts, conns: make(map[net.Conn]struct{})}
	s.Add(opts.Messages...)
	tb.Cleanup(s.Close)
	return s
}

// Listen serves on a port of the loopback interface, too, and returns
// "127.0.0.1:port".
func (s *Server) Listen(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("pop3test: %v", err)
	}
	s.mu.Lock()
	s.listener = l
	s.mu.Unlock()
	s.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.serve(c)
		}
	})
	return l.Addr().String()
}

// DialContext connects to the server in memory, whatever the address.
func (s *Server) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	client, server := netpipe.Pair(addr("client"), addr("server"))
	if !s.serve(server) {
		return nil, net.ErrClosed
	}
	return client, nil
}

type addr string

func (a addr) Network() string { return "pipe" }
func (a addr) String() string  { return string(a) }

// serve starts a session.
func (s *Server) serve(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		c.Close()
		return false
	}
	s.count++
	number := s.count
	if s.opts.Wire != nil {
		c = s.opts.Wire(number, c)
	}
	s.conns[c] = struct{}{}
	s.work.Go(func() {
		defer func() {
			c.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		}()
		(&session{s: s, conn: number}).run(c)
	})
	return true
}

// Close ends all sessions and waits for them.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	if s.listener != nil {
		s.listener.Close()
	}
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.work.Wait()
}

// Add puts messages behind those that are there. A session sees them when it
// logs in.
func (s *Server) Add(messages ...Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range messages {
		if m.ID == "" {
			s.made++
			m.ID = fmt.Sprintf("id%d", s.made)
		}
		if m.Size == 0 {
			m.Size = int64(len(complete(m.Text)))
		}
		s.messages = append(s.messages, m)
	}
}

// Messages are those that are there.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Commands are all command lines so far, in the order of their arrival.
func (s *Server) Commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.commands)
}

// Connections counts those so far.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// CutAfter is a connection that closes when the server has written n octets.
func CutAfter(c net.Conn, n int) net.Conn { return &cut{Conn: c, left: n} }

type cut struct {
	net.Conn
	left int
}

func (c *cut) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p[:min(len(p), c.left)])
	c.left -= n
	if err == nil && c.left == 0 {
		c.Close()
		return n, net.ErrClosed
	}
	return n, err
}
