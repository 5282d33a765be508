package smtptest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/smtp"
)

// Message is what the Server took.
type Message struct {
	Hello       string // the argument of EHLO, HELO or LHLO
	ReversePath smtp.ReversePath
	Params      smtp.MailParams
	Recipients  []smtp.Recipient // those accepted
	Data        []byte           // without dot-stuffing
}

// Options are the choices of NewServerWith; the zero value is that of NewServer.
type Options struct {
	// LMTP answers DATA once for each recipient.
	LMTP bool

	// Extensions are the lines of the reply to EHLO; nil = PIPELINING,
	// 8BITMIME, SMTPUTF8, DSN, SIZE and ENHANCEDSTATUSCODES.
	Extensions []string

	// Reply overrides the reply to a command line; "" = the usual one. The
	// end of a body is asked for as ".", in LMTP as ". <path>". The reply
	// "close" drops the connection. It may be called from several goroutines.
	Reply func(command string) string
}

// Server captures messages on a port of the loopback interface.
type Server struct {
	// Addr is "127.0.0.1:port".
	Addr string

	opts Options
	l    net.Listener
	work sync.WaitGroup

	mu       sync.Mutex // guards what follows
	messages []Message
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
	s := &Server{Addr: l.Addr().String(), opts: opts, l: l, conns: make(map[net.Conn]struct{})}
	s.work.Go(s.accept)
	tb.Cleanup(s.close)
	return s
}

// Messages returns what was taken so far, in order.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.messages...)
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

func (s *Server) serve(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	se := &serverSession{s: s, r: bufio.NewReader(c), w: bufio.NewWriter(c)}
	if se.reply("greeting", "220 smtptest.example ready") {
		for se.command() {
		}
	}
	se.w.Flush()
}

type serverSession struct {
	s *Server
	r *bufio.Reader
	w *bufio.Writer
	m Message
}

// reply sends the reply that Options wants, or usual; false: the session ends.
func (se *serverSession) reply(command, usual string) bool {
	return se.send(se.decide(command, usual))
}

// answer also reports whether a 2xx or 3xx was sent.
func (se *serverSession) answer(command, usual string) (positive, ok bool) {
	text := se.decide(command, usual)
	return accepts(text), se.send(text)
}

func (se *serverSession) decide(command, usual string) string {
	if se.s.opts.Reply != nil {
		if own := se.s.opts.Reply(command); own != "" {
			return own
		}
	}
	return usual
}

func accepts(text string) bool { return text[0] == '2' || text[0] == '3' }

func (se *serverSession) send(text string) bool {
	if text == "close" {
		return false
	}
	fmt.Fprintf(se.w, "%s\r\n", text)
	if se.r.Buffered() == 0 && se.w.Flush() != nil {
		return false
	}
	return !strings.HasPrefix(text, "421") && !strings.HasPrefix(text, "221")
}

// command serves one command; false: the session ends.
func (se *serverSession) command() bool {
	line, err := se.r.ReadString('\n')
	if err != nil {
		return false
	}
	line = strings.TrimRight(line, "\r\n")
	verb, arg, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO", "LHLO":
		se.m = Message{Hello: arg}
		return se.reply(line, se.extensions())
	case "HELO":
		se.m = Message{Hello: arg}
		return se.reply(line, "250 smtptest.example")
	case "MAIL":
		return se.mail(line)
	case "RCPT":
		return se.rcpt(line)
	case "DATA":
		return se.data(line)
	case "RSET":
		se.m = Message{Hello: se.m.Hello}
		return se.reply(line, "250 2.0.0 OK")
	case "NOOP":
		return se.reply(line, "250 2.0.0 OK")
	case "QUIT":
		return se.reply(line, "221 2.0.0 Bye")
	}
	return se.reply(line, "500 5.5.1 Command unrecognized")
}

// extensions is the reply to EHLO.
func (se *serverSession) extensions() string {
	lines := append([]string{"smtptest.example"}, se.s.opts.Extensions...)
	last := len(lines) - 1
	var b strings.Builder
	for _, l := range lines[:last] {
		b.WriteString("250-" + l + "\r\n")
	}
	return b.String() + "250 " + lines[last]
}

func (se *serverSession) mail(line string) bool {
	_, arg, _ := strings.Cut(line, ":")
	path, n, err := smtp.ConsumeReversePath([]byte(arg), true)
	if err != nil {
		return se.reply(line, "501 5.1.7 Syntax error")
	}
	params, err := smtp.ParseMailParams([]byte(arg[n:]))
	if err != nil {
		return se.reply(line, "501 5.5.4 Syntax error")
	}
	positive, ok := se.answer(line, "250 2.1.0 OK")
	se.m = Message{Hello: se.m.Hello}
	if positive {
		se.m.ReversePath, se.m.Params = path, params
	}
	return ok
}

func (se *serverSession) rcpt(line string) bool {
	_, arg, _ := strings.Cut(line, ":")
	path, n, err := smtp.ConsumeForwardPath([]byte(arg), true)
	if err != nil {
		return se.reply(line, "501 5.1.3 Syntax error")
	}
	params, err := smtp.ParseRcptParams([]byte(arg[n:]))
	if err != nil {
		return se.reply(line, "501 5.5.4 Syntax error")
	}
	positive, ok := se.answer(line, "250 2.1.5 OK")
	if positive {
		se.m.Recipients = append(se.m.Recipients, smtp.Recipient{ForwardPath: path, Params: params})
	}
	return ok
}

func (se *serverSession) data(line string) bool {
	if len(se.m.Recipients) == 0 {
		return se.reply(line, "503 5.5.1 No valid recipients")
	}
	go354 := se.decide(line, "354 Go ahead")
	if ok := se.send(go354); !ok || go354[0] != '3' {
		return ok
	}
	if se.w.Flush() != nil {
		return false
	}
	var err error
	if se.m.Data, err = readDots(se.r); err != nil {
		return false
	}
	m := se.m
	se.m = Message{Hello: m.Hello}
	if !se.s.opts.LMTP {
		text := se.decide(".", "250 2.0.0 OK queued as smtptest")
		if accepts(text) {
			se.s.keep(m)
		}
		return se.send(text)
	}
	var replies []string
	var kept []smtp.Recipient
	for _, r := range m.Recipients {
		text := se.decide(". <"+r.ForwardPath.String()+">", "250 2.0.0 OK")
		if accepts(text) {
			kept = append(kept, r)
		}
		replies = append(replies, text)
	}
	if m.Recipients = kept; len(kept) > 0 {
		se.s.keep(m)
	}
	for _, text := range replies {
		if !se.send(text) {
			return false
		}
	}
	return true
}

// keep makes m visible; the reply that accepts it comes after.
func (s *Server) keep(m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = append(s.messages, m)
}

// readDots reads up to CRLF "." CRLF and removes dot-stuffing (RFC 5321 §4.5.2).
func readDots(r *bufio.Reader) ([]byte, error) {
	var body bytes.Buffer
	for start := true; ; {
		line, err := r.ReadBytes('\n')
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		if start && line[0] == '.' {
			if string(line) == ".\r\n" {
				return body.Bytes(), nil
			}
			line = line[1:]
		}
		body.Write(line)
		start = bytes.HasSuffix(line, []byte("\r\n"))
	}
}
