package imapserver

import (
	"bytes"
	"crypto/tls"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/imap"
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
	// nothing of an exchange of AUTHENTICATE; after it, the octets of literals,
	// lines that are no command, and URLs that URLAUTH authorizes are not shown.
	// text has no line end, is cut off behind 1,000 octets, and is not kept.
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

// maxTracedTag is the longest tag that is shown: a longer one may be something
// else.
const maxTracedTag = 20

// hidden stands for what is not shown.
const hidden = " ***"

// traceLine shows a line of the client. first: it starts a command, or answers
// the server.
func (s *session) traceLine(line []byte, first bool) {
	line = bytes.TrimRight(line, "\r\n")
	if first {
		s.concealed = s.state == notAuthenticated || secret(line)
	}
	if s.concealed {
		line = redacted(line, first)
	} else if i := catenate(line); i >= 0 {
		s.concealed = true
		line = append(bytes.Clone(line[:i]), hidden...)
	}
	s.srv.cfg.Trace.Line(s.conn.peer, true, line[:min(len(line), maxTraced)])
}

// secret reports whether no arguments of a command are shown: passwords, and URLs
// that anyone who has them may use (RFC 4467). What is no command may be the rest
// of one that was refused: the response of AUTHENTICATE, or a literal.
func secret(line []byte) bool {
	if bytes.EqualFold(line, []byte("DONE")) {
		return false
	}
	v := tracedVerb(line)
	return v == nil || v.secret()
}

// tracedVerb is the command that a line starts; nil for none.
func tracedVerb(line []byte) *verb {
	fields := bytes.SplitN(line, []byte(" "), 4)
	if len(fields) < 2 || len(fields[0]) > maxTracedTag {
		return nil
	}
	name := strings.ToUpper(string(fields[1]))
	if name == "UID" && len(fields) > 2 {
		name += " " + strings.ToUpper(string(fields[2]))
	}
	return findVerb(name)
}

// catenate is where in a line the parts of a message begin (RFC 4469), which may
// be URLs; -1 = nowhere.
func catenate(line []byte) int {
	const word = " CATENATE"
	for i := 0; i+len(word) <= len(line); i++ {
		if line[i] == ' ' && strings.EqualFold(string(line[i:i+len(word)]), word) {
			return i + len(word)
		}
	}
	return -1
}

// redacted is what is shown of a line that may hold a secret: tag and name of a
// command that exists. Whatever else stands there may be a secret, or a part of
// one that a confused client sends as a command.
func redacted(line []byte, first bool) []byte {
	if !first || tracedVerb(line) == nil {
		return []byte(hidden[1:])
	}
	fields := bytes.SplitN(line, []byte(" "), 3)
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
	inside  bool   // of a response: the line goes on behind a literal
	secret  bool   // the rest of that response is not shown

	tags []string // of answers to come that are not shown: they may be secrets
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
			show(t.redacted(bytes.TrimRight(t.line, "\r\n")))
			t.literal, t.inside = announced(t.tail)
			t.line, t.tail = t.line[:0], t.tail[:0]
		}
	}
	if len(t.line) == 0 {
		t.line, t.tail = nil, nil // a parked session holds no buffer
	}
}

// redacted is what is shown of a line: of a response with URLs that anyone who
// has them may use, its name, up to where it ends.
func (t *responseTrace) redacted(line []byte) []byte {
	if t.inside && t.secret {
		return []byte(hidden[1:])
	}
	if line, ok := t.untagged(line); ok {
		return line
	}
	n := 0 // fields that are shown
	fields := bytes.SplitN(line, []byte(" "), 4)
	switch {
	case t.inside:
	case bytes.HasPrefix(line, []byte("+ ")): // perhaps a challenge, sent late
		n = 1
	case bytes.HasPrefix(line, []byte("* GENURLAUTH ")), bytes.HasPrefix(line, []byte("* URLFETCH ")):
		n = 2
	case len(fields) == 4 && string(fields[2]) == "["+string(imap.CodeBadURL):
		n = 3
	}
	if t.secret = n > 0; t.secret {
		return append(bytes.Join(fields[:n], []byte(" ")), hidden...)
	}
	return line
}

// untagged is what is shown of the answer to a line that was not shown: it repeats
// what may be a part of a secret as its tag. ok is false for any other line.
func (t *responseTrace) untagged(line []byte) (shown []byte, ok bool) {
	if t.inside || len(t.tags) == 0 {
		return nil, false
	}
	tag := t.tags[0]
	if rest, ok := bytes.CutPrefix(line, []byte(tag+" ")); ok {
		shown = append([]byte(hidden + " ")[1:], rest...)
	} else if strings.HasPrefix(tag, string(line)) && len(line) == maxTraced {
		shown = []byte(hidden[1:])
	} else {
		return nil, false
	}
	if t.tags = t.tags[1:]; len(t.tags) == 0 {
		t.tags = nil
	}
	return shown, true
}

// concealTag keeps the tag of a command out of the trace of its answer where the
// command was not shown with it.
func (s *session) concealTag(cmd *command) {
	if s.srv.cfg.Trace.Line != nil && cmd.tag != "" && (cmd.verb == nil || len(cmd.tag) > maxTracedTag) {
		s.conn.said.tags = append(s.conn.said.tags, cmd.tag)
	}
}

// announced is the size of the literal that the end of a line announces; ok is
// false where it announces none.
func announced(tail []byte) (size int64, ok bool) {
	digits, ok := bytes.CutSuffix(tail, []byte("}\r\n"))
	i := bytes.LastIndexByte(digits, '{')
	if !ok || i < 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(digits[i+1:]), 10, 64)
	if err != nil || n < 0 {
		return 0, false
	}
	return n, true
}

// traceResponse shows what is written.
func (c *conn) traceResponse(p []byte) {
	c.said.write(p, func(line []byte) { c.server.cfg.Trace.Line(c.peer, false, line) })
}
