package pop3server

import (
	"bytes"
	"crypto/tls"
	"net/netip"
	"time"

	"github.com/mailstead/mailstead/store"
)

// Peer says who talks to the server.
type Peer struct {
	// ConnID names the connection in logs.
	ConnID string
	// Addr is the client's address, that of a PROXY header where there was
	// one; the zero Addr for a transport without.
	Addr netip.Addr
	// TLS is the state of the TLS layer; nil = none.
	TLS *tls.ConnectionState
}

// Trace are hooks into the life of sessions. Each may be nil. They are called
// from the session's goroutine and must not block.
type Trace struct {
	// Connected: a connection was accepted.
	Connected func(p Peer)
	// LoggedIn: a client has its maildrop.
	LoggedIn func(p Peer, id store.AccountID)
	// Command: a command was answered. verb is in upper case, "" for one that
	// is not known; ok says whether the last answer was +OK.
	Command func(p Peer, verb string, ok bool, d time.Duration)
	// Line: a line came (client is true), or a single-line answer or the first
	// line of another leaves. Secrets are shown as "***". text has no line end
	// and is not kept.
	Line func(p Peer, client bool, text []byte)
	// Closed: the connection ended.
	Closed func(p Peer)
}

var hidden = []byte("***")

// traceLine shows a command without what may be a secret. Once a login was
// tried, what is no command may be a response that was sent too early.
func (c *conn) traceLine(v *verb, line []byte) {
	f := c.srv.cfg.Trace.Line
	if f == nil {
		return
	}
	switch {
	case v == nil && c.sess.tried && !c.sess.open():
		line = hidden
	case v != nil && v.secret >= 0:
		fields := bytes.SplitAfterN(line, []byte(" "), v.secret+1)
		if len(fields) > v.secret {
			shown := line[:len(line)-len(fields[v.secret])]
			line = append(bytes.Clone(shown), hidden...)
		}
	}
	f(c.peer, true, line)
}

// traceAnswer shows what answer begins with.
func (c *conn) traceAnswer(line []byte) {
	if f := c.srv.cfg.Trace.Line; f != nil {
		f(c.peer, false, bytes.TrimSuffix(line, []byte("\r\n")))
	}
}

// traceExchange shows that there was a challenge, or a response to one.
func (c *conn) traceExchange(client bool) {
	if f := c.srv.cfg.Trace.Line; f != nil {
		f(c.peer, client, hidden)
	}
}
