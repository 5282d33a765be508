package imapserver

import (
	"context"
	"errors"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// state is a set of the states of RFC 3501 §3; a session is in one of them.
type state uint8

const (
	notAuthenticated state = 1 << iota
	authenticated
	selectedState
	logout

	anyState = notAuthenticated | authenticated | selectedState
	loggedIn = authenticated | selectedState
)

// session is the state of one connection.
type session struct {
	conn *conn
	srv  *Server
	dec  *imapwire.Decoder
	enc  *imapwire.Encoder
	ctx  context.Context

	state    state
	id       store.AccountID
	account  *view.Account // nil before login
	counted  bool          // in srv.users
	clientID []string      // what the client said by ID, for Config.Hide
	sel      *selected     // nil unless in selectedState
	notifier *notifier     // nil until NOTIFY
	features feature       // turned on by the client
	sharing  *sharing      // mailboxes of others; nil = there are none
	entries  bool          // the store keeps entries

	noted annotationPoint // what the client knows of; see pollAnnotations

	authFailures int
	bad          int // malformed commands in a row

	intake    *intake // of the APPEND or REPLACE that runs
	concealed bool    // what comes of the command is not traced
}

func newSession(c *conn) *session {
	s := &session{conn: c, srv: c.server, enc: c.enc, ctx: c.ctx, state: notAuthenticated}
	l := c.server.cfg.Limits
	var onLine func([]byte, bool)
	if c.server.cfg.Trace.Line != nil {
		onLine = s.traceLine
	}
	c.dec = imapwire.NewDecoder(c, imapwire.Config{
		MaxLine:   l.MaxLineBeforeLogin,
		MaxMemory: l.MaxLiteralBytes,
		OnLiteral: s.admitLiteral,
		Continue:  s.goAhead,
		OnLine:    onLine,
	})
	s.dec = c.dec
	return s
}

// admitLiteral decides about a literal by its announced size, before one octet
// of it is asked for.
func (s *session) admitLiteral(l imapwire.Literal, stream bool) error {
	limits := s.srv.cfg.Limits
	if s.srv.cfg.LiteralMinus && l.NonSync && l.Size > maxLiteralMinus {
		return &reply{"BAD", string(imap.CodeTooBig), "A literal of more than 4096 octets has to be asked for"}
	}
	if stream {
		return s.intake.admit(l.Size, limits.MaxMessageBytes)
	}
	limit := int64(limits.MaxLineBeforeLogin)
	if s.state == notAuthenticated && limit >= 0 && l.Size > limit { // after login MaxMemory has judged
		return &imapwire.TooBigError{Size: l.Size, Limit: limit}
	}
	return nil
}

// maxLiteralMinus is the largest literal that LITERAL- lets a client send without
// asking (RFC 7888 §5).
const maxLiteralMinus = 4096

// goAhead asks for a literal (RFC 3501 §7.5).
func (s *session) goAhead() error { return s.enc.Raw("+ Ready for literal data\r\n").Flush() }

// run serves the session from greeting to BYE.
func (s *session) run() {
	s.enc.Raw("* OK [CAPABILITY ").Raw(s.capabilities()).Raw("] Mailstead ready\r\n")
	for {
		err := s.next()
		if err == nil && s.state != logout {
			err = s.command()
		}
		if err != nil {
			s.hangUp(err)
		}
		if err != nil || s.state == logout {
			return
		}
	}
}

// end gives back what the session holds.
func (s *session) end() {
	s.forgetUser()
}

// next waits for a command. An error ends the session.
func (s *session) next() error {
	if err := s.dec.Discard(); err != nil {
		return err
	}
	for {
		if s.srv.group.Closing() {
			s.shutDown()
			return nil
		}
		err := s.conn.await()
		if err == nil {
			return nil
		}
		if !errors.As(err, new(errWoken)) {
			return err
		}
		if s.announce(); s.state == logout {
			return nil
		}
	}
}

// bye says the last word; the caller returns from its command.
func (s *session) bye(text string) {
	s.enc.Raw("* BYE ").Raw(text).CRLF()
	s.state = logout
}

// shutDown ends a session that waits for its client.
func (s *session) shutDown() {
	s.conn.polite = true
	s.bye("[UNAVAILABLE] Server is shutting down")
}

// hangUp ends a session that cannot go on.
func (s *session) hangUp(err error) {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, errExpired):
		s.bye("[UNAVAILABLE] Server is shutting down")
	case errors.Is(err, imapwire.ErrDesync):
		s.bye("[TOOBIG] Too much data of a refused command")
	case errors.Is(err, errInflated):
		s.bye("Compression has ended with UNAUTHENTICATE")
	case errors.As(err, &timeout) && timeout.Timeout():
		s.bye("Autologout, idle for too long")
	default:
		s.conn.log.Debug("imap: connection lost", "err", err)
	}
}

// command runs the command that has begun to come. An error ends the session.
func (s *session) command() error {
	err := s.dec.Begin()
	if broken := s.conn.failed(); broken != nil {
		return broken
	}
	cmd := &command{session: s, start: time.Now()}
	if err == nil {
		err = s.readVerb(cmd)
	}
	if err == nil {
		err = s.runVerb(cmd)
	}
	if broken := s.conn.failed(); broken != nil {
		return broken
	}
	s.finish(cmd, err)
	return s.enc.Err()
}

// readVerb takes tag and name, and looks the command up.
func (s *session) readVerb(cmd *command) (err error) {
	if cmd.tag, err = s.dec.Tag(); err != nil {
		return err
	}
	if s.state == notAuthenticated && otherProtocol(cmd.tag) {
		s.state = logout // a confused or forged client; say nothing
		return errSilent
	}
	if err = s.dec.SP(); err != nil {
		return err
	}
	name, err := s.dec.Word()
	if err != nil {
		return err
	}
	if name == "UID" {
		if err = s.dec.SP(); err != nil {
			return err
		}
		second, err := s.dec.Word()
		if err != nil {
			return err
		}
		name, cmd.uid = "UID "+second, true
	}
	cmd.verb = findVerb(name)
	switch {
	case cmd.verb == nil:
		return bad("Unknown command")
	case cmd.verb.states&s.state == 0:
		return badState(cmd.verb, s.state)
	case !cmd.verb.isThere(s):
		return bad("Unknown command")
	}
	if s.srv.cfg.UTF8Only && !s.asUTF8() && cmd.verb.needsUTF8() {
		return no(imap.CodeCannot, "ENABLE UTF8=ACCEPT first")
	}
	if s.has(uidOnly) && cmd.verb.numbered() {
		return errNumbers
	}
	cmd.sync = cmd.verb.sync
	return nil
}

// otherProtocol recognises what browsers and mail senders say first.
func otherProtocol(tag string) bool {
	switch tag {
	case "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "PRI", "EHLO", "HELO":
		return true
	}
	return false
}

func badState(v *verb, s state) error {
	switch {
	case v.states == notAuthenticated:
		return bad("Already logged in")
	case s == notAuthenticated:
		return bad("Log in first")
	}
	return bad("No mailbox selected")
}

// runVerb runs the handler, and then tells the client what changed, where the
// command is a point for that.
func (s *session) runVerb(cmd *command) error {
	err := s.refreshShared(cmd.verb)
	if err == nil {
		err = cmd.verb.run(s, cmd)
	}
	if !isBad(err) && s.state != logout && cmd.sync != syncNone && s.conn.failed() == nil {
		s.pollAnnotations(cmd)
	}
	if isBad(err) || s.sel == nil || s.state == logout || cmd.sync == syncNone || s.conn.failed() != nil {
		return err
	}
	if serr := s.poll(cmd); serr != nil && s.state != logout {
		// The command itself has its outcome, and says so; the next one will
		// tell what this could not.
		s.report(cmd, serr)
	}
	return err
}

// deselect closes the mailbox without expunging.
func (s *session) deselect() {
	s.sel = nil
	if s.state == selectedState {
		s.state = authenticated
	}
}

// apply hands Ops to the store as one Change.
func (s *session) apply(a *view.Account, ops ...store.Op) (store.Result, error) {
	return s.applyChange(a, store.Change{Ops: ops})
}

// applyChange hands a Change to the store; one that is done only Once again,
// where its outcome is unknown. The next sync looks at the store again.
func (s *session) applyChange(a *view.Account, c store.Change) (res store.Result, err error) {
	if s.sel != nil {
		s.sel.stale = true
	}
	res, err = a.Store().Apply(s.ctx, c)
	for range 2 {
		if c.Once == "" || !errors.Is(err, store.ErrUnknown) {
			break
		}
		res, err = a.Store().Apply(s.ctx, c)
	}
	if err != nil {
		return res, err
	}
	s.sel.note(res)
	if sameAccount(a, s.account) {
		s.notifier.made(res.ModSeq, c.Ops)
	}
	return res, nil
}

// watched is the account whose changes a parked session waits for.
func (s *session) watched() *view.Account {
	if s.sel != nil {
		return s.sel.account
	}
	return s.account
}
