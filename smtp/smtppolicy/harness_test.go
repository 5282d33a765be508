package smtppolicy_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// peerAt is a peer as a server shows it to a policy.
func peerAt(addr string) *smtp.Peer {
	return &smtp.Peer{Addr: netip.AddrPortFrom(netip.MustParseAddr(addr), 25), Hello: "client.example", Protocol: "ESMTP"}
}

// accept takes everything.
func accept() smtp.Receiver {
	return smtp.ReceiveFunc(func(_ context.Context, _ *smtp.Envelope, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
}

// offer runs MAIL and RCPT through a middleware and returns the reply codes.
func offer(t *testing.T, mw smtp.Middleware, p *smtp.Peer, from string, to ...string) (mail int, rcpts []int) {
	t.Helper()
	return offerTo(t, mw(accept()), p, from, to...)
}

func offerTo(t *testing.T, r smtp.Receiver, p *smtp.Peer, from string, to ...string) (mail int, rcpts []int) {
	t.Helper()
	rp, _, err := smtp.ConsumeReversePath([]byte("<"+from+">"), true)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := r.Begin(t.Context(), &smtp.Mail{ID: "id", ReversePath: rp, Peer: p})
	if err != nil {
		return smtp.ReplyOf(err).Code, nil
	}
	defer tx.Abort()
	var rs []*smtp.Recipient
	for _, to := range to {
		fp, _, err := smtp.ConsumeForwardPath([]byte("<"+to+">"), true)
		if err != nil {
			t.Fatal(err)
		}
		rs = append(rs, &smtp.Recipient{ForwardPath: fp})
	}
	for _, err := range tx.Rcpt(t.Context(), rs) {
		code := 250
		if err != nil {
			code = smtp.ReplyOf(err).Code
		}
		rcpts = append(rcpts, code)
	}
	return 250, rcpts
}

// addrConn is a pipe that has addresses.
type addrConn struct {
	net.Conn
	remote netip.AddrPort
}

func (c addrConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

// session is a client of a server under test, over a pipe.
type session struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	done chan struct{} // closed when the server has ended the session
}

// dial connects a client at addr. In a synctest bubble the server lives in it.
func dial(t *testing.T, srv *smtpserver.Server, addr string) *session {
	t.Helper()
	client, server := net.Pipe()
	s := &session{t: t, conn: client, in: bufio.NewReader(client), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		srv.ServeConn(context.Background(), addrConn{server, netip.AddrPortFrom(netip.MustParseAddr(addr), 1025)})
	}()
	t.Cleanup(s.close)
	return s
}

func (s *session) close() {
	s.conn.Close()
	<-s.done
}

// reply reads one reply and returns its last line.
func (s *session) reply() string {
	s.t.Helper()
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			return err.Error()
		}
		if len(line) < 4 || line[3] != '-' {
			return strings.TrimRight(line, "\r\n")
		}
	}
}

func (s *session) send(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.conn, text); err != nil {
		s.t.Error(err)
	}
}

// cmd sends a line and wants a reply that begins with want.
func (s *session) cmd(line, want string) {
	s.t.Helper()
	if line != "" {
		s.send(line + "\r\n")
	}
	if got := s.reply(); !strings.HasPrefix(got, want) {
		s.t.Errorf("%q: got %q, want %q", line, got, want)
	}
}

func quiet(cfg smtpserver.Config) *smtpserver.Server {
	cfg.Hostname = "mx.example"
	cfg.Logger = slog.New(slog.DiscardHandler)
	if cfg.Receiver == nil {
		cfg.Receiver = accept()
	}
	return smtpserver.New(cfg)
}

// fakeDNS answers by name; a name that it does not know does not exist.
type fakeDNS struct {
	mu    sync.Mutex
	a     map[string][]string // names with a dot at the end
	ptr   map[string][]string
	fail  map[string]bool // these do not answer
	block bool            // nothing answers before the context ends
	delay time.Duration   // before each answer
	asked map[string]int

	busy, most int // lookups under way, and the most of them at once
}

func (d *fakeDNS) ask(ctx context.Context, name string) error {
	d.mu.Lock()
	if d.asked == nil {
		d.asked = make(map[string]int)
	}
	d.asked[name]++
	d.busy++
	d.most = max(d.most, d.busy)
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.busy--
		d.mu.Unlock()
	}()
	time.Sleep(d.delay)
	switch {
	case d.block:
		<-ctx.Done()
		return &net.DNSError{Err: ctx.Err().Error(), Name: name, IsTimeout: true}
	case d.fail[name]:
		return &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}
	case d.a[name] == nil && d.ptr[name] == nil:
		return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return nil
}

func (d *fakeDNS) LookupNetIP(ctx context.Context, _, host string) (out []netip.Addr, err error) {
	if err := d.ask(ctx, host); err != nil {
		return nil, err
	}
	for _, a := range d.a[host] {
		out = append(out, netip.MustParseAddr(a))
	}
	return out, nil
}

func (d *fakeDNS) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	if err := d.ask(ctx, addr); err != nil {
		return nil, err
	}
	return d.ptr[addr], nil
}

// fakeDNSNone knows no name.
type fakeDNSNone struct{}

func (*fakeDNSNone) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return nil, errNone
}

func (*fakeDNSNone) LookupAddr(context.Context, string) ([]string, error) { return nil, errNone }

var errNone = &net.DNSError{Err: "no such host", IsNotFound: true}
