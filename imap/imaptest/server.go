package imaptest

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/imap"
)

// The user that a Server knows.
const (
	User     = "alice"
	Password = "secret"
)

// Server is a small IMAP server of which a test decides each word: what it
// announces, what it answers to a command (Verbs), and how its octets are
// spoilt on their way (Fault). It serves one Account to every connection, and
// is no server for mail that anybody wants to keep.
//
// Its fields must not be changed while it serves.
type Server struct {
	// Account is served; nil = NewAccount(), made at the first connection.
	Account *Account

	// Caps are announced at all times, STARTTLS and AUTH=PLAIN added where they
	// are possible; nil = DefaultCaps(). What is not announced is refused, as far
	// as it is a command.
	Caps []string

	// Greeting is the text of the greeting; "" = "ready".
	Greeting string

	// ID is told to clients (RFC 2971).
	ID map[string]string

	// TLS has the server's certificate; nil = no TLS. Connections begin without
	// TLS unless ImplicitTLS is set.
	TLS         *tls.Config
	ImplicitTLS bool

	// Verbs answer commands in place of the server: "SELECT", "UID FETCH". An
	// error closes the connection.
	Verbs map[string]Verb

	// Fault spoils what the server sends; nil = nothing.
	Fault *Fault

	// Log is shown each line that arrives, without its CRLF and with literals
	// within, and each that leaves, before the Fault. nil = nobody looks.
	Log func(sent bool, line string)

	once   sync.Once
	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
	wg     sync.WaitGroup
}

// Verb answers a command. Conn.Default does what the server does on its own.
type Verb func(c *Conn, cmd *Command) error

// ErrClose closes a connection when a Verb returns it.
var ErrClose = errors.New("imaptest: connection is closed")

// DefaultCaps are what a Server does.
func DefaultCaps() []string {
	return []string{
		"IMAP4rev1", "SASL-IR", "LITERAL+", "ID", "ENABLE", "IDLE", "NAMESPACE", "UIDPLUS", "UNSELECT", "MOVE", "CONDSTORE", "QRESYNC",
	}
}

// Start serves on loopback until the test ends, and returns the address.
func (s *Server) Start(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		l.Close()
		s.Close()
	})
	s.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			s.serve(nc)
		}
	})
	return l.Addr().String()
}

// DialContext connects to the server without a network: the other end of a pipe,
// which also works in a synctest bubble. The arguments are not looked at.
func (s *Server) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	client, server := net.Pipe()
	s.serve(server)
	return client, nil
}

// Close ends all connections and waits for them. The listener is the caller's.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	for nc := range s.conns {
		nc.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// Drop ends all connections, and serves new ones.
func (s *Server) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for nc := range s.conns {
		nc.Close()
	}
}

func (s *Server) serve(nc net.Conn) {
	s.once.Do(func() {
		if s.Account == nil {
			s.Account = NewAccount()
		}
		if s.Caps == nil {
			s.Caps = DefaultCaps()
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		nc.Close()
		return
	}
	if s.conns == nil {
		s.conns = make(map[net.Conn]bool)
	}
	s.conns[nc] = true
	s.wg.Go(func() {
		defer func() {
			nc.Close()
			s.mu.Lock()
			delete(s.conns, nc)
			s.mu.Unlock()
		}()
		_ = (&Conn{Server: s}).run(nc)
	})
}

// Command is what a client sent.
type Command struct {
	Tag  string
	Name string // in upper case; "UID FETCH"
	Args string // behind the name, literals within
}

// Conn is a connection of a client.
type Conn struct {
	Server *Server

	raw     net.Conn
	r       *bufio.Reader
	out     *outbox
	tls     bool
	user    bool
	enabled []string
	sel     *view
}

func (c *Conn) run(nc net.Conn) error {
	if c.Server.ImplicitTLS {
		nc, c.tls = tls.Server(nc, c.Server.TLS), true
	}
	c.attach(nc)
	defer func() { c.out.close() }()
	greeting := c.Server.Greeting
	if greeting == "" {
		greeting = "ready"
	}
	c.Send("* OK [CAPABILITY %s] %s", strings.Join(c.caps(), " "), greeting)
	for {
		cmd, err := c.readCommand()
		if err != nil {
			return err
		}
		if err := c.dispatch(cmd); err != nil {
			return c.end(err)
		}
	}
}

// end closes the connection once all has been sent, or the client closed it.
func (c *Conn) end(err error) error {
	var wg sync.WaitGroup
	wg.Go(func() {
		c.out.flush()
		c.raw.Close()
	})
	_, _ = io.Copy(io.Discard, c.r)
	c.out.abort()
	wg.Wait()
	return err
}

// attach makes nc what the connection reads and writes from now on.
func (c *Conn) attach(nc net.Conn) {
	c.raw, c.r = nc, bufio.NewReader(nc)
	var m Mangle
	if c.Server.Fault != nil && c.Server.Fault.New != nil {
		m = c.Server.Fault.New()
	}
	c.out = newOutbox(nc, m)
}

func (c *Conn) caps() []string {
	caps := slices.Clone(c.Server.Caps)
	if c.Server.TLS != nil && !c.tls {
		caps = append(caps, "STARTTLS")
	}
	if !c.user {
		caps = append(caps, "AUTH=PLAIN")
	}
	return caps
}

// Has reports whether the server announces a capability.
func (c *Conn) Has(capability string) bool {
	return slices.ContainsFunc(c.caps(), func(s string) bool { return strings.EqualFold(s, capability) })
}

// Enabled reports whether the client has enabled a capability (RFC 5161).
func (c *Conn) Enabled(capability string) bool { return slices.Contains(c.enabled, capability) }

// Send sends a line; CRLF is added. Its arguments may hold literals.
func (c *Conn) Send(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if c.Server.Log != nil {
		c.Server.Log(true, line)
	}
	c.Raw(line + "\r\n")
}

// Raw sends octets as they are.
func (c *Conn) Raw(octets string) { c.out.write([]byte(octets)) }

// Tell sends the answer to a command: "OK done", "NO [TRYCREATE] no".
func (c *Conn) Tell(cmd *Command, answer string) error {
	c.Send("%s %s", cmd.Tag, answer)
	return nil
}

// Default answers a command as the server does on its own.
func (c *Conn) Default(cmd *Command) error {
	v, ok := verbs()[cmd.Name]
	switch {
	case !ok, v.needs != "" && !c.Has(v.needs):
		return c.Tell(cmd, "BAD unknown command")
	case v.state > 0 && !c.user, v.state > 1 && c.sel == nil:
		return c.Tell(cmd, "BAD not in this state")
	}
	return v.do(c, cmd)
}

func (c *Conn) dispatch(cmd *Command) error {
	if v := c.Server.Verbs[cmd.Name]; v != nil {
		return v(c, cmd)
	}
	return c.Default(cmd)
}

// readLine reads up to CRLF, which is cut off.
func (c *Conn) readLine() (string, error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// readCommand reads a line and the literals within it.
func (c *Conn) readCommand() (*Command, error) {
	var text strings.Builder
	for {
		line, err := c.readLine()
		if err != nil {
			return nil, err
		}
		text.WriteString(line)
		n, sync, ok := literalAtEnd(line)
		if !ok {
			break
		}
		if sync {
			c.Send("+ go on")
		}
		text.WriteString("\r\n")
		if _, err := io.CopyN(&text, c.r, n); err != nil {
			return nil, err
		}
	}
	if c.Server.Log != nil {
		c.Server.Log(false, text.String())
	}
	tag, rest, _ := strings.Cut(text.String(), " ")
	name, args, _ := strings.Cut(rest, " ")
	cmd := &Command{Tag: tag, Name: strings.ToUpper(name), Args: args}
	if cmd.Name == "UID" {
		name, args, _ = strings.Cut(args, " ")
		cmd.Name, cmd.Args = "UID "+strings.ToUpper(name), args
	}
	return cmd, nil
}

// literalAtEnd finds {n}, {n+} or ~{n} at the end of a line.
func literalAtEnd(line string) (n int64, sync, ok bool) {
	rest, ok := strings.CutSuffix(line, "}")
	open := strings.LastIndexByte(rest, '{')
	if !ok || open < 0 {
		return 0, false, false
	}
	digits, plus := strings.CutSuffix(rest[open+1:], "+")
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, !plus, err == nil && n >= 0
}

// Mailbox is the name of the selected one; "" = none.
func (c *Conn) Mailbox() string {
	if c.sel == nil {
		return ""
	}
	return c.sel.name
}

// flagList is a list of flags as it is sent.
func flagList(flags []string) string { return "(" + strings.Join(flags, " ") + ")" }

// uidSet reads a set of UIDs of a mailbox whose greatest is last.
func uidSet(s string, last imap.UID) (imap.UIDSet, error) {
	set, err := imap.ParseNumSet(s)
	if err != nil {
		return nil, err
	}
	return set.Resolve(uint32(last)), nil
}
