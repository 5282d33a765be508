package imapserver

import (
	"bytes"
	"crypto/tls"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/store"
)

// Peer says who talks to the server.
type Peer struct {
	// ConnID names the connection in logs.
	ConnID string
	// Addr is the client's address, that of a PROXY header where there was one;
	// the zero Addr for a transport without.
	Addr netip.Addr
	// TLS is the state of the TLS layer; nil = none.
	TLS *tls.ConnectionState
}

// Client is what Config.Hide is told of a session.
type Client struct {
	Peer
	// Account is who is logged in; "" = nobody.
	Account store.AccountID
	// ID is what the client said by ID, in pairs of field and value (RFC 2971);
	// nil = nothing yet.
	ID []string
}

// Trace are hooks into the life of sessions. Each may be nil. They are called
// from the session's goroutine and must not block.
type Trace struct {
	// Connected: a connection was accepted.
	Connected func(p Peer)
	// LoggedIn: a client authenticated.
	LoggedIn func(p Peer, id store.AccountID)
	// Command: a command was answered. verb is in upper case, "" for one that
	// could not be read; status is OK, NO, BAD or "" for one without an answer.
	Command func(p Peer, verb, status string, d time.Duration)
	// Line: a line of a command came (client is true), or one of a response
	// leaves. Before the login a command is shown by its tag and name alone, and
	// nothing of an exchange of AUTHENTICATE; after it, the octets of literals
	// are not shown. text has no line end, is cut off behind 1,000 octets, and
	// is not kept.
	Line func(p Peer, client bool, text []byte)
	// Closed: the connection ended.
	Closed func(p Peer, t Traffic)
}

// Traffic is what went over a connection.
type Traffic struct {
	In, Out   int64 // octets of IMAP, behind TLS and compression
	Commands  int64 // answered
	Connected time.Duration
}

// maxTraced is how much of a line is shown.
const maxTraced = 1000

// hidden stands for what is not shown.
const hidden = " ***"

// traceLine shows a line of the client. first: it starts a command.
func (s *session) traceLine(line []byte, first bool) {
	line = bytes.TrimRight(line, "\r\n")
	if s.state == notAuthenticated || first && secret(line) {
		line = redacted(line, first)
	}
	s.srv.cfg.Trace.Line(s.conn.peer, true, line[:min(len(line), maxTraced)])
}

// secret reports whether a command's arguments are never shown: passwords, and
// URLs that anyone who has them may use (RFC 4467).
func secret(line []byte) bool {
	fields := bytes.SplitN(line, []byte(" "), 3)
	if len(fields) < 3 {
		return false
	}
	switch strings.ToUpper(string(fields[1])) {
	case "LOGIN", "AUTHENTICATE", "GENURLAUTH", "URLFETCH", "RESETKEY", "CATENATE":
		return true
	}
	return false
}

// redacted is what is shown of a line before the login: tag and name of a
// command that exists. Whatever else stands there may be a secret, or a part of
// one that a confused client sends as a command.
func redacted(line []byte, first bool) []byte {
	fields := bytes.SplitN(line, []byte(" "), 3)
	if !first || len(fields) < 2 || len(fields[0]) > 20 || findVerb(string(bytes.ToUpper(fields[1]))) == nil {
		return []byte(hidden[1:])
	}
	shown := append(append(bytes.Clone(fields[0]), ' '), fields[1]...)
	if len(fields) > 2 {
		shown = append(shown, hidden...)
	}
	return shown
}

// responseTrace cuts what the server writes into lines, and leaves literals out.
type responseTrace struct {
	line    []byte // begun; at most maxTraced octets
	tail    []byte // its last octets
	literal int64  // octets of a literal that are not shown
}

// tailSize is enough for the announcement of a literal.
const tailSize = 24

// write shows the lines that p ends.
func (t *responseTrace) write(p []byte, show func([]byte)) {
	for len(p) > 0 {
		if t.literal > 0 {
			n := min(t.literal, int64(len(p)))
			t.literal -= n
			p = p[n:]
			continue
		}
		i := bytes.IndexByte(p, '\n')
		part := p[:i+1]
		if i < 0 {
			part = p
		}
		p = p[len(part):]
		t.line = append(t.line, part[:min(len(part), maxTraced-len(t.line))]...)
		t.tail = append(t.tail, part[max(0, len(part)-tailSize):]...)
		t.tail = t.tail[max(0, len(t.tail)-tailSize):]
		if i >= 0 {
			show(bytes.TrimRight(t.line, "\r\n"))
			t.literal = announced(t.tail)
			t.line, t.tail = t.line[:0], t.tail[:0]
		}
	}
	if len(t.line) == 0 {
		t.line, t.tail = nil, nil // a parked session holds no buffer
	}
}

// announced is the size of the literal that the end of a line announces.
func announced(tail []byte) int64 {
	digits, ok := bytes.CutSuffix(tail, []byte("}\r\n"))
	i := bytes.LastIndexByte(digits, '{')
	if !ok || i < 0 {
		return 0
	}
	n, err := strconv.ParseInt(string(digits[i+1:]), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// traceResponse shows what is written.
func (c *conn) traceResponse(p []byte) {
	c.said.write(p, func(line []byte) {
		switch {
		case bytes.HasPrefix(line, []byte("+ ")): // perhaps a challenge, sent late
			line = []byte("+" + hidden)
		case bytes.HasPrefix(line, []byte("* GENURLAUTH ")), bytes.HasPrefix(line, []byte("* URLFETCH ")):
			line = append(bytes.Join(bytes.SplitN(line, []byte(" "), 3)[:2], []byte(" ")), hidden...)
		}
		c.server.cfg.Trace.Line(c.peer, false, line)
	})
}
