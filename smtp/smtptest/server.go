package smtptest

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/smtp"
)

// Message is what the Server took.
type Message struct {
	Hello       string // the argument of EHLO, HELO or LHLO
	TLS         bool   // it came under TLS
	User        string // who is authenticated; "" = nobody
	ReversePath smtp.ReversePath
	Params      smtp.MailParams
	Recipients  []smtp.Recipient // those accepted
	Data        []byte           // without dot-stuffing
	Chunked     bool             // it came by BDAT
}

// Options are the choices of NewServerWith; the zero value is that of NewServer.
type Options struct {
	// LMTP answers the end of a body once for each recipient.
	LMTP bool

	// Extensions are the lines of the reply to EHLO; nil = PIPELINING,
	// 8BITMIME, SMTPUTF8, DSN, SIZE and ENHANCEDSTATUSCODES. CHUNKING and PRDR
	// are served too.
	Extensions []string

	// StartTLS adds STARTTLS to Extensions, until TLS is on. ImplicitTLS speaks
	// TLS from the first octet. See Server.ClientTLS.
	StartTLS, ImplicitTLS bool

	// Auth adds AUTH PLAIN LOGIN to Extensions and decides about passwords.
	Auth func(user, password string) bool

	// Reply overrides the reply to a command line, as it was received; "" =
	// the usual one. The first reply is asked for as "greeting". The end of a
	// body, by DATA or BDAT LAST, is asked for as ".", in LMTP and with PRDR
	// also as ". <path>" for each recipient. A text of several lines is sent as
	// it is. The reply "close" drops the connection, "hang" says no more until
	// the client closes. It may be called from several goroutines.
	Reply func(command string) string
}

// Server captures messages on a port of the loopback interface.
type Server struct {
	// Addr is "127.0.0.1:port".
	Addr string

	opts   Options
	l      net.Listener
	server *tls.Config // nil = no TLS
	client *tls.Config
	work   sync.WaitGroup

	mu       sync.Mutex // guards what follows
	messages []Message
	more     chan struct{} // closed when messages grows
	conns    map[net.Conn]struct{}
	closed   bool
}

// NewServer starts a server that takes everything. It ends with the test.
func NewServer(tb testing.TB) *Server { return NewServerWith(tb, Options{}) }

// NewServerWith starts a server with options. It ends with the test.
func NewServerWith(tb testing.TB, opts Options) *Server {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("smtptest: %v", err)
	}
	if opts.Extensions == nil {
		opts.Extensions = []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE", "ENHANCEDSTATUSCODES"}
	}
	s := &Server{
		Addr: l.Addr().String(), opts: opts, l: l,
		more: make(chan struct{}), conns: make(map[net.Conn]struct{}),
	}
	if opts.StartTLS || opts.ImplicitTLS {
		s.server, s.client = Certificate(tb)
	}
	s.work.Go(s.accept)
	tb.Cleanup(s.close)
	return s
}

// ClientTLS is what a client needs to trust the server; nil without TLS.
func (s *Server) ClientTLS() *tls.Config { return s.client.Clone() }

// Messages returns what was taken so far, in order.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.messages)
}

// Wait returns the messages as soon as there are n. The error is that of ctx.
func (s *Server) Wait(ctx context.Context, n int) ([]Message, error) {
	for {
		s.mu.Lock()
		got, more := slices.Clone(s.messages), s.more
		s.mu.Unlock()
		if len(got) >= n {
			return got, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return got, ctx.Err()
		}
	}
}

// keep makes m visible; the reply that accepts it comes after.
func (s *Server) keep(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, m)
	close(s.more)
	s.more = make(chan struct{})
}

func (s *Server) accept() {
	for {
		c, err := s.l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.closed {
			c.Close()
		} else {
			s.conns[c] = struct{}{}
			s.work.Go(func() { s.serve(c) })
		}
		s.mu.Unlock()
	}
}

func (s *Server) close() {
	s.mu.Lock()
	s.closed = true
	s.l.Close()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.work.Wait()
}

func (s *Server) serve(raw net.Conn) {
	defer func() {
		raw.Close()
		s.mu.Lock()
		delete(s.conns, raw)
		s.mu.Unlock()
	}()
	se := &serverSession{s: s}
	se.use(raw)
	if s.opts.ImplicitTLS && !se.startTLS() {
		return
	}
	if se.reply("greeting", "220 smtptest.example ready") {
		for se.command() {
		}
	}
	se.w.Flush()
}

// extensions is the reply to EHLO.
func (se *serverSession) extensions() string {
	o := se.s.opts
	lines := append([]string{"smtptest.example"}, o.Extensions...)
	if o.StartTLS && !se.m.TLS {
		lines = append(lines, "STARTTLS")
	}
	if o.Auth != nil {
		lines = append(lines, "AUTH PLAIN LOGIN")
	}
	last := len(lines) - 1
	var b strings.Builder
	for _, l := range lines[:last] {
		b.WriteString("250-" + l + "\r\n")
	}
	return b.String() + "250 " + lines[last]
}

type serverSession struct {
	s *Server
	c net.Conn
	r *bufio.Reader
	w *bufio.Writer
	m Message // the head of the next one, and what of it is known
}

func (se *serverSession) use(c net.Conn) {
	se.c, se.r, se.w = c, bufio.NewReader(c), bufio.NewWriter(c)
}

// startTLS makes the handshake.
func (se *serverSession) startTLS() bool {
	if se.w.Flush() != nil {
		return false
	}
	tc := tls.Server(se.c, se.s.server)
	if tc.Handshake() != nil {
		return false
	}
	se.use(tc)
	se.m = Message{TLS: true}
	return true
}

// reset forgets the transaction.
func (se *serverSession) reset() {
	se.m = Message{Hello: se.m.Hello, TLS: se.m.TLS, User: se.m.User}
}
