package smtpserver

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/mailstead/mailstead/internal/smtpscan"
	"github.com/mailstead/mailstead/smtp"
)

// state is where a session is in the order of commands (RFC 5321 §4.1.4).
type state uint8

const (
	fresh    state = 1 << iota // no hello yet, or TLS has just started
	greeted                    // no transaction
	mailOpen                   // MAIL accepted, no recipient yet
	rcptOpen                   // at least one recipient accepted
	chunking                   // between two BDAT of one body

	anyState = fresh | greeted | mailOpen | rcptOpen | chunking
	noChunks = anyState &^ chunking
)

// flag is what else the loop has to know of a verb.
type flag uint8

const (
	noArgument  flag = 1 << iota // an argument is a syntax error
	endsGroup                    // RFC 2920 §3.1: its reply does not wait
	solo                         // nothing may follow in the same flight
	clearOK                      // allowed without TLS under RequireTLS (RFC 3207 §4)
	hasPayload                   // octets follow that are no commands
	endsChunks                   // gives up a body in BDAT
	forSMTP                      // not in LMTP
	forLMTP                      // not in SMTP (RFC 2033 §4.1)
	startsHello = endsGroup | solo | clearOK
)

// verb is one row of the table of commands.
type verb struct {
	name  string
	in    state // the states that allow it; 503 in others
	flags flag
	run   func(*session, []byte) // the argument is what stands behind the verb and a space
	ext   Extensions             // known only with it; 0 = always
}

// verbTable owns the order of commands; handlers hold no state checks.
func verbTable(more []Command) []verb {
	table := []verb{
		{"MAIL", greeted, 0, (*session).mail, 0},
		{"RCPT", mailOpen | rcptOpen, 0, (*session).rcpt, 0},
		{"DATA", mailOpen | rcptOpen, noArgument | endsGroup, (*session).data, 0},
		{"BDAT", mailOpen | rcptOpen, hasPayload, (*session).bdat, 0},
		{"RSET", anyState, noArgument | clearOK | endsChunks, (*session).rset, 0},
		{"EHLO", anyState, startsHello | endsChunks | forSMTP, (*session).ehlo, 0},
		{"HELO", anyState, startsHello | endsChunks | forSMTP, (*session).helo, 0},
		{"LHLO", anyState, startsHello | endsChunks | forLMTP, (*session).ehlo, 0},
		{"NOOP", anyState, endsGroup | clearOK, (*session).noop, 0},
		{"QUIT", anyState, noArgument | endsGroup | clearOK | endsChunks, (*session).quit, 0},
		{"STARTTLS", fresh | greeted, noArgument | endsGroup | clearOK, (*session).startTLS, 0},
		{"AUTH", greeted, endsGroup, (*session).auth, 0},
		{"VRFY", anyState, endsGroup, (*session).vrfy, 0},
		{"EXPN", anyState, endsGroup, (*session).expn, 0},
		{"HELP", anyState, clearOK, (*session).help, 0},
		{"XCLIENT", fresh | greeted, endsGroup, (*session).xclient, XCLIENT},
		{"XFORWARD", greeted, 0, (*session).xforward, XFORWARD},
	}
	for i := range more {
		table = append(table, more[i].row())
	}
	return table
}

// session is the protocol state of a connection.
type session struct {
	*conn
	state    state
	extended bool // EHLO or LHLO was said
	tx       *transaction
	upstream *smtp.Upstream      // of XFORWARD, for the next transaction
	mails    int                 // MAIL commands of the connection
	domains  map[string]struct{} // of its recipients, where they are bounded

	errors       int // refused commands since the last message
	authFailures int
	batch        []*smtp.Recipient // reused by rcpt
	slots        []rcptSlot        // reused by rcpt
}

// run is the command loop.
func (s *session) run() {
	if !s.greet() {
		s.flush()
		return
	}
	for !s.closing {
		line, err := s.readLine()
		if err != nil {
			s.end(err)
			break
		}
		s.dispatch(line)
	}
	s.flush()
}

// greet sends the 220, or refuses the connection.
func (s *session) greet() bool {
	if !s.connect() || !s.greetPause() {
		return false
	}
	s.welcome()
	return true
}

// connect asks Config.Connect about the peer.
func (s *session) connect() bool {
	s.asked = true
	if s.cfg.Connect != nil {
		ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Limits.Greeting)
		defer cancel()
		if err := s.callHook(ctx, s.cfg.Connect); err != nil {
			s.replyError(err)
			return false
		}
	}
	return true
}

func (s *session) welcome() {
	what := " ESMTP"
	if s.cfg.LMTP {
		what = " LMTP"
	}
	s.say(220, smtp.EnhancedCode{}, s.cfg.Hostname+what)
}

// end says why the session ends, where the peer can still hear it.
func (s *session) end(err error) {
	switch {
	case errors.Is(err, errDraining):
		s.polite = true
		s.say(421, smtp.EnhancedCode{Class: 4, Subject: 3, Detail: 2}, s.cfg.Hostname+" Service closing transmission channel")
	case errors.Is(err, errTooSlow):
		s.say(421, smtp.EnhancedCode{Class: 4, Subject: 4, Detail: 2}, s.cfg.Hostname+" Timeout, closing transmission channel")
	case errors.Is(err, errClosed):
	default:
		s.polite = true
		if !errors.Is(err, io.EOF) {
			s.log(slog.LevelDebug, "smtp: connection lost", err)
		}
	}
	s.closing = true
}

// maxDiscard bounds what is skipped of a line that is too long.
const maxDiscard = 64 << 10

// errClosed: this side ends the session, and has said why.
var errClosed = errors.New("smtpserver: session closed by this side")

// readLine returns the next command line without its end. It is valid until
// the next read. A line that is too long is skipped and answered.
func (s *session) readLine() ([]byte, error) {
	for {
		n := s.in.NextLine(0)
		b := s.in.Buffered()
		if n > 0 {
			b = b[:n]
		}
		switch {
		case len(b) > s.lineLimit(b):
			if err := s.skipLine(); err != nil {
				return nil, err
			}
			continue
		case n > 0:
			s.in.Take(n)
			return s.cutLine(b)
		}
		s.in.Release()
		if err := s.fillCommand(s.tx != nil); err != nil {
			return nil, err
		}
		if s.state == fresh && s.in.Buffered()[0] == 0x16 { // a TLS handshake record
			return nil, errClosed
		}
	}
}

// cutLine removes the line end. What stands behind a bare LF may have been
// meant as a part of the line (RFC 5321 §2.3.8), so under RejectNewlines none
// of it is executed.
func (s *session) cutLine(line []byte) ([]byte, error) {
	n := len(line) - 1
	switch {
	case n > 0 && line[n-1] == '\r':
		return line[:n-1], nil
	case s.cfg.Newlines != RejectNewlines:
		return line[:n], nil
	}
	s.say(500, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 2}, "Line does not end in CRLF")
	return nil, errClosed
}

// lineLimit: AUTH may be longer (RFC 4954 §4).
func (s *session) lineLimit(line []byte) int {
	if len(line) >= 5 && smtpscan.EqualFold("AUTH ", line[:5]) {
		return s.cfg.Limits.AuthLine
	}
	return s.cfg.Limits.Line
}

// skipLine skips a line that is too long, up to its LF, and answers it.
func (s *session) skipLine() error {
	for skipped := 0; ; {
		if n := s.in.NextLine(0); n > 0 {
			s.in.Skip(n)
			s.refuse(500, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 2}, "Line too long")
			if s.closing {
				return errClosed
			}
			return nil
		}
		skipped += len(s.in.Buffered())
		s.in.Skip(len(s.in.Buffered()))
		if skipped > maxDiscard {
			break
		}
		if err := s.fillCommand(true); err != nil {
			return err
		}
	}
	s.say(500, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 2}, "Line too long, closing")
	return errClosed
}

// lookup finds the verb in the table, without regard to ASCII case; nil =
// unknown.
func (s *session) lookup(name []byte) *verb {
	for i := range s.srv.verbs {
		v := &s.srv.verbs[i]
		if len(v.name) == len(name) && smtpscan.EqualFold(v.name, name) {
			if s.cfg.LMTP && v.flags&forSMTP != 0 || !s.cfg.LMTP && v.flags&forLMTP != 0 || s.cfg.Extensions&v.ext != v.ext {
				return nil
			}
			return v
		}
	}
	return nil
}

// dispatch judges one command line by the table and runs it.
func (s *session) dispatch(line []byte) {
	if s.cfg.Trace != nil {
		s.traceCommand(line)
	}
	name, arg := smtpscan.SplitVerb(line)
	v := s.lookup(name)
	if s.cfg.Pause != nil && !s.pause(verbName(v)) {
		return
	}
	switch {
	case v == nil:
		s.unknown(name)
	case s.cfg.RequireTLS && s.peer.TLS == nil && v.flags&clearOK == 0:
		s.reject(v, arg, smtp.NewReply(530, smtp.EnhancedCode{Class: 5, Subject: 7}, "Must issue a STARTTLS command first"))
	case s.state&v.in == 0:
		s.reject(v, arg, smtp.NewReply(503, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 1}, "Bad sequence of commands"))
	case v.flags&noArgument != 0 && len(arg) > 0:
		s.refuse(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, v.name+" takes no argument")
	case v.flags&solo != 0 && s.pipelined():
		s.refusePipelining()
	default:
		v.run(s, arg)
		if v.flags&endsGroup != 0 && !s.closing {
			if err := s.flush(); err != nil {
				s.end(err)
			}
		}
		if s.tx == nil && !s.closing && s.isDraining() {
			s.end(errDraining)
		}
	}
}

// reject refuses a command unheard. A payload is read all the same, so that it
// is never taken for commands.
func (s *session) reject(v *verb, arg []byte, r smtp.Reply) {
	if v.flags&hasPayload != 0 && !s.discardPayload(arg) {
		return
	}
	s.refuseReply(r)
}

// pipelined reports input behind the current line where none may be.
func (s *session) pipelined() bool {
	return s.cfg.StrictPipelining && !s.in.Empty()
}

func (s *session) refusePipelining() {
	s.say(554, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 0}, "Improper use of pipelining (RFC 2920)")
	s.closing = true
}

// unknown answers what is no verb. Web browsers, and pages that make them
// talk to this port, are sent away.
func (s *session) unknown(name []byte) {
	for _, method := range [...]string{"GET", "POST", "PUT", "HEAD", "OPTIONS", "CONNECT", "DELETE", "PATCH", "TRACE", "PRI"} {
		if smtpscan.EqualFold(method, name) {
			s.say(554, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 1}, "This is no web server")
			s.closing = true
			return
		}
	}
	s.refuse(500, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 1}, "Command unrecognized")
}

// say adds a reply to those held back.
func (s *session) say(code int, enhanced smtp.EnhancedCode, text string) {
	lines := [1]string{text}
	s.sayReply(smtp.Reply{Code: code, Enhanced: enhanced, Lines: lines[:]})
}

func (s *session) sayReply(r smtp.Reply) {
	s.out = r.AppendReply(s.out, s.extended && s.cfg.Extensions&ENHANCEDSTATUSCODES != 0)
	if r.Code == 421 {
		s.closing = true
	}
}

// refuse answers a command that the peer got wrong.
func (s *session) refuse(code int, enhanced smtp.EnhancedCode, text string) {
	s.refuseReply(smtp.NewReply(code, enhanced, text))
}

// refuseReply counts permanent refusals: some cost time, many end the session.
// Replies held back leave before the delay.
func (s *session) refuseReply(r smtp.Reply) {
	if !r.Permanent() {
		s.sayReply(r)
		return
	}
	s.errors++
	switch l := &s.cfg.Limits; {
	case s.errors >= l.Errors:
		r = smtp.NewReply(421, smtp.EnhancedCode{Class: 4, Subject: 7}, s.cfg.Hostname+" Too many errors, closing transmission channel")
	case s.errors > l.SoftErrors:
		if err := s.flush(); err != nil {
			s.end(err)
			return
		}
		s.sleep(l.ErrorDelay)
	}
	s.sayReply(r)
}

// sleep waits, or until the connection is ended.
func (s *session) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ctx.Done():
	}
}

// reset gives up the transaction, if any.
func (s *session) reset() {
	if s.tx != nil {
		s.callAbort()
		s.tx = nil
	}
	s.upstream = nil
	if s.state != fresh {
		s.state = greeted
	}
}
