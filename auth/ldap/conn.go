package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// wire is a network connection on which every operation has an end: a time,
// and a number of octets that the server may send. go-ldap knows neither, and
// reads what it is sent into memory.
type wire struct {
	net.Conn
	limit    int64
	left     atomic.Int64
	exceeded atomic.Bool
}

// begin starts an operation.
func (w *wire) begin() { w.left.Store(w.limit) }

// interrupt makes all reads and writes fail.
func (w *wire) interrupt() { _ = w.SetDeadline(time.Unix(1, 0)) }

// Read implements net.Conn. Only go-ldap's reader calls it.
func (w *wire) Read(p []byte) (int, error) {
	left := w.left.Load()
	if left <= 0 {
		w.exceeded.Store(true)
		return 0, ErrTooLarge
	}
	if int64(len(p)) > left {
		p = p[:left]
	}
	n, err := w.Conn.Read(p)
	w.left.Add(-int64(n))
	return n, err
}

// conn is a connection to one server. One goroutine uses it at a time.
type conn struct {
	wire      *wire
	ldap      *goldap.Conn
	server    *server
	broken    bool // not to be used again
	lost      bool // ended by the server or on the way, not by us
	idleSince time.Time
}

// connect makes a connection with its TLS layer; nobody is bound yet.
func connect(ctx context.Context, s *server, c *compiled) (*conn, error) {
	socket, err := c.Dial(ctx, s.network, s.address)
	if err != nil {
		return nil, ended(ctx, err)
	}
	cn := &conn{wire: &wire{Conn: socket, limit: c.MaxResultBytes}, server: s}
	if err := cn.secure(ctx, c.DialTimeout); err != nil {
		cn.close()
		return nil, err
	}
	return cn, nil
}

// secure starts the protocol, and TLS before anything else is said.
func (cn *conn) secure(ctx context.Context, limit time.Duration) error {
	return cn.do(ctx, limit, func() error {
		if cn.server.layer == implicitTLS {
			layer := tls.Client(cn.wire, cn.server.tls)
			if err := layer.HandshakeContext(ctx); err != nil {
				return err
			}
			cn.ldap = goldap.NewConn(layer, true)
			cn.ldap.Start()
			return nil
		}
		cn.ldap = goldap.NewConn(cn.wire, false)
		cn.ldap.Start()
		if cn.server.layer == plain {
			return nil
		}
		if err := cn.ldap.StartTLS(cn.server.tls); err != nil {
			return fmt.Errorf("StartTLS: %w", err)
		}
		return nil
	})
}

// withTimeout is context.WithTimeout, for which a negative limit is none.
func withTimeout(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit < 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, limit, ErrTimeout)
}

// ended says why a context ended, if it is what err comes from.
func ended(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}

// do runs one exchange with the server, which ends when ctx does and after
// limit at the latest. Whatever ends otherwise than with an answer breaks the
// connection: a late answer must not meet the next operation.
func (cn *conn) do(ctx context.Context, limit time.Duration, exchange func() error) error {
	ctx, cancel := withTimeout(ctx, limit)
	defer cancel()
	cn.wire.begin()
	stop := context.AfterFunc(ctx, cn.wire.interrupt)
	err := contained(exchange)
	if !stop() {
		cn.broken = true // interrupt has run, or still does
	}
	if err == nil {
		return nil
	}
	if _, answered := resultCode(err); answered {
		return err
	}
	cn.broken = true
	switch {
	case cn.wire.exceeded.Load():
		return ErrTooLarge
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	cn.lost = true
	return err
}

// contained runs an exchange; go-ldap panics at answers of unexpected form.
func contained(exchange func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v", ErrAnswer, v)
		}
	}()
	return exchange()
}

// usable reports whether the server has not closed the connection yet.
func (cn *conn) usable() bool { return !cn.broken && !cn.ldap.IsClosing() }

// farewell bounds the polite end of a connection.
const farewell = time.Second

// close ends the connection and go-ldap's goroutines.
func (cn *conn) close() {
	if cn.ldap == nil {
		_ = cn.wire.Close()
		return
	}
	if cn.usable() {
		_ = cn.wire.SetDeadline(time.Now().Add(farewell))
		_ = contained(cn.ldap.Unbind)
	}
	_ = cn.wire.Close()
	_ = cn.ldap.Close()
}

// bind proves to the server that we are dn (RFC 4511 §4.2). The password is
// not empty.
func (cn *conn) bind(ctx context.Context, limit time.Duration, dn, password string) (*goldap.SimpleBindResult, error) {
	if dn == "" || password == "" {
		return nil, fmt.Errorf("%w: a bind without name or password proves nothing", ErrAnswer)
	}
	var result *goldap.SimpleBindResult
	err := cn.do(ctx, limit, func() (err error) {
		result, err = cn.ldap.SimpleBind(goldap.NewSimpleBindRequest(dn, password,
			[]goldap.Control{goldap.NewControlBeheraPasswordPolicy()}))
		return err
	})
	return result, err
}

// search finds entries. A result that is larger than request.SizeLimit is
// ErrAmbiguous.
func (cn *conn) search(ctx context.Context, limit time.Duration, request *goldap.SearchRequest) ([]*entry, error) {
	request.EnforceSizeLimit = true
	if limit > 0 {
		request.TimeLimit = int((limit + time.Second - 1) / time.Second)
	}
	var result *goldap.SearchResult
	err := cn.do(ctx, limit, func() (err error) {
		result, err = cn.ldap.Search(request)
		if errors.Is(err, goldap.ErrSizeLimitExceeded) {
			cn.broken = true // the rest is still on its way
			err = goldap.NewError(goldap.LDAPResultSizeLimitExceeded, err)
		}
		return err
	})
	switch code, _ := resultCode(err); {
	case code == goldap.LDAPResultSizeLimitExceeded:
		return nil, ErrAmbiguous
	case code == goldap.LDAPResultReferral:
		return nil, ErrReferral
	case err != nil:
		return nil, err
	}
	list := make([]*entry, len(result.Entries))
	for i, found := range result.Entries {
		list[i] = newEntry(found)
	}
	return list, nil // result.Referrals are places where more may be, which nobody asks
}
