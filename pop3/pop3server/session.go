package pop3server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"strings"

	"github.com/mailstead/mailstead/store"
)

// state is a state of RFC 1939 §3.
type state uint8

const (
	authorization state = 1 << iota // before PASS or AUTH has succeeded
	transaction                     // the maildrop is locked
)

// session is what one client has said so far.
type session struct {
	conn     *conn
	tls      *tls.ConnectionState
	shown    *x509.Certificate // the server's own; nil = no TLS
	state    state             // zero = authorization
	username string
	failures int // of PASS and AUTH
	errors   int // malformed or misplaced commands
	account  store.AccountID
	drop     *maildrop
}

// verb is one command: the states it is allowed in, how many arguments it
// takes, and what it does. An error ends the connection.
type verb struct {
	name     string
	in       state
	min, max int // arguments; max < 0: one argument with everything behind the verb
	do       func(s *session, args []string) error
}

// verbs is the table of RFC 1939 §5 to §7, RFC 2449 §5 and RFC 5034 §4.
var verbs = [...]verb{
	{"USER", authorization, 1, -1, (*session).user},
	{"PASS", authorization, 1, -1, (*session).pass},
	{"AUTH", authorization, 0, 2, (*session).auth},
	{"STLS", authorization, 0, 0, (*session).stls},
	{"STAT", transaction, 0, 0, (*session).stat},
	{"LIST", transaction, 0, 1, (*session).list},
	{"UIDL", transaction, 0, 1, (*session).uidl},
	{"RETR", transaction, 1, 1, (*session).retr},
	{"TOP", transaction, 2, 2, (*session).top},
	{"DELE", transaction, 1, 1, (*session).dele},
	{"RSET", transaction, 0, 0, (*session).rset},
	{"NOOP", transaction, 0, 0, (*session).noop},
	{"CAPA", authorization | transaction, 0, 0, (*session).capa},
	{"QUIT", authorization | transaction, 0, 0, (*session).quit},
}

func (s *session) open() bool { return s.state == transaction }

// command runs one line.
func (s *session) command(line []byte) error {
	name, rest, hasArgs := bytes.Cut(line, []byte(" "))
	v := findVerb(name)
	current := s.state
	if current == 0 {
		current = authorization
	}
	switch {
	case v == nil:
		return s.bad("Unknown command")
	case v.in&current == 0:
		return s.bad("Not in this state")
	}
	args, ok := arguments(v, string(rest), hasArgs)
	if !ok {
		return s.bad("Wrong number of arguments")
	}
	s.keepLock()
	return v.do(s, args)
}

// keepLock prolongs the lock of the maildrop. A lock that was lost is reported
// and no reason to stop: QUIT deletes by UID, and is right without it.
func (s *session) keepLock() {
	if s.drop == nil {
		return
	}
	if err := s.drop.lock.Keep(s.conn.ctx); err != nil {
		s.conn.srv.cfg.Logger.Warn("pop3: keep maildrop locked", "error", err, "account", s.account)
	}
}

func findVerb(name []byte) *verb {
	for i := range verbs {
		if bytes.EqualFold(name, []byte(verbs[i].name)) {
			return &verbs[i]
		}
	}
	return nil
}

// arguments splits what stands behind the verb at single spaces (RFC 1939 §3).
// USER and PASS take the rest of the line, spaces included.
func arguments(v *verb, rest string, given bool) ([]string, bool) {
	if v.max < 0 {
		return []string{rest}, given && rest != ""
	}
	args := strings.Fields(rest)
	return args, len(args) >= v.min && len(args) <= v.max
}

// bad answers a command that cannot be carried out; too many of them end the
// connection.
func (s *session) bad(text string) error {
	s.conn.fail("", text)
	if s.errors++; s.conn.srv.cfg.Limits.MaxErrors > 0 && s.errors >= s.conn.srv.cfg.Limits.MaxErrors {
		return errEnd
	}
	return nil
}

// end frees what the session holds; nothing is deleted.
func (s *session) end() {
	if s.drop != nil {
		if err := s.drop.release(s.conn.ctx); err != nil {
			s.conn.srv.cfg.Logger.Warn("pop3: unlock maildrop", "error", err, "account", s.account)
		}
		s.drop = nil
	}
}
