package pop3server

import (
	"bytes"
	"errors"
	"log/slog"
	"time"

	"github.com/mailstead/mailstead/internal/saslwire"
	"github.com/mailstead/mailstead/pop3"
	"github.com/mailstead/mailstead/store"
)

// state is a state of RFC 1939 §3.
type state uint8

const (
	authorization state = 1 << iota // before PASS, APOP or AUTH has succeeded
	transaction                     // the maildrop is locked
)

// session is what one client has said so far.
type session struct {
	conn      *conn
	state     state // zero = authorization
	lang      *Language
	utf8      bool   // the client said UTF8
	timestamp string // of the greeting; "" = no APOP
	username  string // of USER, until the command behind it
	last      bool   // the last answer was +OK
	failures  int    // of PASS, APOP and AUTH
	errors    int    // malformed or misplaced commands
	commands  int
	account   store.AccountID
	counted   bool   // in Users
	policy    Policy // of the user
	drop      *maildrop
}

// arguments of a command, as many as it takes.
type arguments [2][]byte

// verb is one command: the states it is allowed in, how many arguments it
// takes, and what it does. An error ends the connection.
type verb struct {
	name     string
	in       state
	min, max int // arguments; max < 0: one argument with everything behind the verb
	secret   int // from which word on the line is not shown; -1 = all of it is
	do       func(s *session, args arguments) error
}

// verbs is the table of RFC 1939 §5 to §7, RFC 2449 §5, RFC 5034 §4 and RFC
// 6856 §2, §3.
var verbs = [...]verb{
	{"RETR", transaction, 1, 1, -1, (*session).retr},
	{"DELE", transaction, 1, 1, -1, (*session).dele},
	{"TOP", transaction, 2, 2, -1, (*session).top},
	{"UIDL", transaction, 0, 1, -1, (*session).uidl},
	{"LIST", transaction, 0, 1, -1, (*session).list},
	{"STAT", transaction, 0, 0, -1, (*session).stat},
	{"RSET", transaction, 0, 0, -1, (*session).rset},
	{"NOOP", transaction, 0, 0, -1, (*session).noop},
	{"USER", authorization, 1, -1, -1, (*session).user},
	{"PASS", authorization, 1, -1, 1, (*session).pass},
	{"APOP", authorization, 2, 2, 2, (*session).apop},
	{"AUTH", authorization, 0, 2, 2, (*session).auth},
	{"STLS", authorization, 0, 0, -1, (*session).stls},
	{"UTF8", authorization, 0, 0, -1, (*session).useUTF8},
	{"LANG", authorization | transaction, 0, 1, -1, (*session).language},
	{"CAPA", authorization | transaction, 0, 0, -1, (*session).capa},
	{"QUIT", authorization | transaction, 0, 0, -1, (*session).quit},
}

const (
	// maxCommand is the longest command line; passwords may be long.
	maxCommand = 4 * pop3.MaxCommandLine

	maxAuthLine = saslwire.MaxLine
)

func (s *session) open() bool { return s.state == transaction }

// next reads and runs one command.
func (s *session) next() error {
	line, err := s.conn.readLine(maxCommand)
	switch {
	case errors.Is(err, errLineTooLong):
		return s.bad(textTooLong)
	case errors.Is(err, errTLSHere):
		s.conn.fail("", textTLSHere)
		return errEnd
	case err != nil:
		return err
	}
	s.commands++
	f := s.conn.srv.cfg.Trace.Command
	if f == nil {
		_, err := s.command(line)
		return err
	}
	begun := time.Now()
	v, err := s.command(line)
	name := ""
	if v != nil {
		name = v.name
	}
	f(s.conn.peer, name, s.last, time.Since(begun))
	return err
}

// command runs one line.
func (s *session) command(line []byte) (*verb, error) {
	name, rest, given := bytes.Cut(line, []byte(" "))
	v := findVerb(name)
	s.conn.traceLine(v, line)
	current := s.state
	if current == 0 {
		current = authorization
	}
	switch {
	case v == nil && s.commands == 1 && s.foreign(line):
		return nil, errEnd
	case bytes.ContainsAny(line, "\x00\r"):
		return v, s.bad(textCharacters)
	case v == nil:
		return nil, s.bad(textUnknown)
	case v.in&current == 0:
		return v, s.bad(textState)
	}
	args, ok := split(v, rest, given)
	if !ok {
		return v, s.bad(textArguments)
	}
	s.keepLock()
	return v, v.do(s, args)
}

// keepLock prolongs the lock of the maildrop. A lock that was lost is reported
// and no reason to stop: QUIT deletes by UID, and is right without it.
func (s *session) keepLock() {
	if s.drop == nil || s.drop.lock == nil {
		return
	}
	if err := s.drop.lock.Keep(s.conn.ctx); err != nil {
		s.conn.logs(slog.LevelWarn, "pop3: keep maildrop locked", "error", err)
	}
}

// findVerb looks a keyword up, in whatever case.
func findVerb(name []byte) *verb {
	var upper [4]byte
	if len(name) > len(upper) {
		return nil
	}
	for i, c := range name {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper[i] = c
	}
	for i := range verbs {
		if verbs[i].name == string(upper[:len(name)]) {
			return &verbs[i]
		}
	}
	return nil
}

// split takes what stands behind the verb apart at spaces (RFC 1939 §3; more
// than one is let pass). USER and PASS take the rest of the line, spaces
// included.
func split(v *verb, rest []byte, given bool) (args arguments, ok bool) {
	if v.max < 0 {
		args[0] = rest
		return args, given && len(rest) > 0
	}
	n := 0
	for rest = bytes.TrimLeft(rest, " \t"); len(rest) > 0; n++ {
		if n == v.max {
			return args, false
		}
		i := bytes.IndexAny(rest, " \t")
		if i < 0 {
			i = len(rest)
		}
		args[n], rest = rest[:i], bytes.TrimLeft(rest[i:], " \t")
	}
	return args, n >= v.min
}

// bad answers a command that cannot be carried out; too many of them end the
// connection.
func (s *session) bad(t text) error {
	s.conn.fail("", t)
	if s.errors++; s.conn.srv.cfg.Limits.MaxErrors > 0 && s.errors >= s.conn.srv.cfg.Limits.MaxErrors {
		return errEnd
	}
	return nil
}

// foreign answers a first line of another protocol, whose client has to be
// kept from speaking on; false: it is none.
func (s *session) foreign(line []byte) bool {
	method, _, _ := bytes.Cut(line, []byte(" "))
	switch string(method) {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI":
		s.conn.fail("", textForeign)
		return true
	}
	return false
}

// pause ends what holds for commands that came together, and reports whether
// the session has something in hand for the next ones.
func (s *session) pause() bool { return s.drop != nil && s.drop.pause() }

// parked gives up what a session does not need while it waits.
func (s *session) parked() {
	if s.drop != nil {
		s.drop.parked()
	}
}

// end frees what the session holds; nothing is deleted.
func (s *session) end() {
	defer s.leave()
	if s.drop == nil {
		return
	}
	drop := s.drop
	s.drop = nil
	if err := drop.release(s.conn.ctx); err != nil {
		s.conn.logs(slog.LevelWarn, "pop3: unlock maildrop", "error", err)
	}
}

// leave takes the session out of Users.
func (s *session) leave() {
	if s.counted {
		s.counted = false
		s.conn.srv.users.leave(s.account)
	}
}
