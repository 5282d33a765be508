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
	// Connected: a connection was accepted, and its PROXY header read.
	Connected func(p Peer)
	// LoggedIn: a client has its maildrop.
	LoggedIn func(p Peer, id store.AccountID)
	// Command: a command was answered. verb is in upper case, "" for one that
	// is not known; ok says whether the last answer was +OK.
	Command func(p Peer, verb string, ok bool, d time.Duration)
	// Line: a line came (client is true), or a single-line answer or the first
	// line of another leaves. Secrets are shown as "***", and so is what is no
	// command and may hold one. text has no line end and is not kept.
	Line func(p Peer, client bool, text []byte)
	// Closed: a connection that Connected was called for has ended.
	Closed func(p Peer)
}

var hidden = []byte("***")

// traceLine shows a command without what may be a secret. What is no command may
// be one that is written badly, or a response that was sent too early: before the
// login nothing of it is shown, and then its first word.
func (c *conn) traceLine(v *verb, line []byte) {
	f := c.srv.cfg.Trace.Line
	if f == nil {
		return
	}
	switch {
	case v == nil && !c.sess.open():
		line = hidden
	case v == nil:
		line = firstWords(line, 1)
	case v.secret >= 0:
		line = firstWords(line, v.secret)
	}
	f(c.peer, true, line)
}

// firstWords is the first n words of a line, and "***" for more.
func firstWords(line []byte, n int) []byte {
	end := 0
	for ; n > 0; n-- {
		start := len(line) - len(bytes.TrimLeft(line[end:], blanks))
		length := bytes.IndexAny(line[start:], blanks)
		if length < 0 {
			return line
		}
		end = start + length
	}
	return append(append(bytes.Clone(line[:end]), ' '), hidden...)
}

// blanks are what may be taken for a space.
const blanks = " \t\v\f\r\x00"

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
