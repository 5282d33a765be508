package imapserver

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapfetch"
	"github.com/mailstead/mailstead/internal/imapmsg"
	"github.com/mailstead/mailstead/internal/imapsearch"
	"github.com/mailstead/mailstead/internal/imapsort"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/view"
)

// command is one command of the client while it runs.
type command struct {
	session *session
	tag     string
	verb    *verb     // nil until it was read
	uid     bool      // a UID command
	sync    syncPoint // of the verb; a handler may lower it
	start   time.Time

	status string // that was answered; "" = not yet, or never
	okCode string // response code of the OK, without brackets
	okText string // text of the OK; "" = the usual

	limit    string // code of a command that looked at a part of its messages; "" = at all
	expunged bool   // EXPUNGE removed something: its OK has HIGHESTMODSEQ
}

// reply is a tagged answer other than OK, as an error.
type reply struct {
	status string // NO or BAD
	code   string // without brackets; "" = none
	text   string
}

func (r *reply) Error() string { return r.status + " " + r.text }

func no(code imap.Code, text string) error { return &reply{"NO", string(code), text} }

func bad(text string) error { return &reply{"BAD", "", text} }

// errNumbers refuses message sequence numbers of a client that does without
// (RFC 9586 §3).
var errNumbers error = &reply{"BAD", string(imap.CodeUIDRequired), "Message numbers are not allowed with UIDONLY"}

// errSilent ends a command without an answer.
var errSilent = errors.New("imapserver: no answer")

// isBad reports whether err says that the command was malformed.
func isBad(err error) bool {
	var r *reply
	if errors.As(err, &r) {
		return r.status == "BAD"
	}
	return errors.As(err, new(*imapwire.SyntaxError))
}

// finish writes the tagged response.
func (s *session) finish(cmd *command, err error) {
	s.tellLimit(cmd, err)
	switch {
	case err == errSilent:
	case err == nil:
		s.succeed(cmd)
	default:
		r := s.answer(cmd, err)
		cmd.status = r.status
		s.tagged(cmd, r.status, r.code, r.text)
		if r.status == "BAD" {
			s.countBad()
		}
	}
	s.conn.traffic.Commands++
	if f := s.srv.cfg.Trace.Command; f != nil {
		name := ""
		if cmd.verb != nil {
			name = cmd.verb.name
		}
		f(s.conn.peer, name, cmd.status, time.Since(cmd.start))
	}
}

// succeed writes the OK.
func (s *session) succeed(cmd *command) {
	s.bad, cmd.status = 0, "OK"
	text := cmd.okText
	if text == "" {
		text = cmd.verb.name + " completed"
	}
	s.tagged(cmd, cmd.status, cmd.okCode, text)
}

// finishNow writes the OK of a command behind which the octets change their
// meaning, and sends it. The command then ends with errSilent.
func (s *session) finishNow(cmd *command) error {
	s.succeed(cmd)
	return s.enc.Flush()
}

// tagged writes a response; a command whose tag could not be read is answered
// by an untagged one (RFC 3501 §7.1.3).
func (s *session) tagged(cmd *command, status, code, text string) {
	s.concealTag(cmd)
	if cmd.tag == "" {
		s.enc.Raw("* ")
	} else {
		s.enc.Raw(cmd.tag).SP()
	}
	s.enc.Raw(status).SP()
	if code != "" {
		s.enc.Raw("[").Raw(code).Raw("] ")
	}
	s.enc.Raw(text).CRLF()
}

// countBad ends the session of a client that talks nonsense.
func (s *session) countBad() {
	s.bad++
	limit := s.srv.cfg.Limits.MaxBadCommands
	if s.state == notAuthenticated {
		limit = s.srv.cfg.Limits.MaxBadBeforeLogin
	}
	if limit >= 0 && s.bad >= limit && s.state != logout {
		s.bye("Too many bad commands")
	}
}

// answer turns an error into a response. It is the only place that does.
func (s *session) answer(cmd *command, err error) *reply {
	if r, ok := errors.AsType[*reply](err); ok {
		return r
	}
	if e, ok := errors.AsType[*imapwire.SyntaxError](err); ok {
		return &reply{"BAD", "", e.Reason}
	}
	if _, ok := errors.AsType[*imapwire.TooBigError](err); ok {
		return &reply{"NO", string(imap.CodeTooBig), "Literal too large"}
	}
	for _, a := range answers {
		if errors.Is(err, a.err) {
			return &reply{"NO", string(a.code), a.text}
		}
	}
	return s.report(cmd, err)
}

// answers are the errors that mean something to a client.
var answers = []struct {
	err  error
	code imap.Code
	text string
}{
	{imapmsg.ErrEncoding, imap.CodeUnknownCTE, "Transfer encoding cannot be decoded"},
	{imapfetch.ErrTooManySections, imap.CodeLimit, "Too many sections"},
	{imapsearch.ErrComplex, imap.CodeLimit, "Search too complex"},
	{imapsort.ErrRelevancy, imap.CodeCannot, "RELEVANCY is possible as the first criterion only"},
	{imapsearch.ErrCharset, "BADCHARSET (US-ASCII UTF-8)", "Charset not supported"},
	{store.ErrNoMailbox, imap.CodeNonExistent, "No such mailbox"},
	{store.ErrExists, imap.CodeAlreadyExists, "Mailbox exists already"},
	{store.ErrInbox, imap.CodeCannot, "Not possible with INBOX"},
	{store.ErrName, imap.CodeCannot, "Name not allowed"},
	{store.ErrOverQuota, imap.CodeOverQuota, "Over quota"},
	{store.ErrTooLarge, imap.CodeLimit, "Too many messages in one command"},
	{store.ErrLimit, imap.CodeLimit, "A limit is reached"},
	{store.ErrExpunged, imap.CodeExpungeIssued, "Message is gone"},
	{store.ErrNoMessage, imap.CodeExpungeIssued, "Message is gone"},
	{store.ErrHeld, imap.CodeCannot, "What is under a hold stays"},
	{store.ErrImporting, imap.CodeInUse, "Account is being imported"},
	{store.ErrClosedAcct, imap.CodeNoPerm, "Account is closed"},
	{store.ErrReadOnly, imap.CodeNoPerm, "Store is read-only"},
}

// report logs an error that is none of the client's business, and makes the
// answer that names only the entry in the log.
func (s *session) report(cmd *command, err error) *reply {
	id := rand.Text()[:10]
	name := ""
	if cmd.verb != nil {
		name = cmd.verb.name
	}
	s.conn.log.Error("imap: command failed", "id", id, "verb", name, "account", s.id, "err", err)
	code := imap.CodeServerBug
	switch {
	case errors.Is(err, store.ErrCorrupt):
		code = imap.CodeCorruption
	case isTransient(err):
		code = imap.CodeUnavailable
	}
	return &reply{"NO", string(code), "Internal error, log id " + id}
}

// isTransient reports whether trying again later may help.
func isTransient(err error) bool {
	for _, e := range []error{
		store.ErrTemporary, store.ErrUnknown, store.ErrConflict, store.ErrClosed, store.ErrInUse, store.ErrResync,
		store.ErrNoAccount, view.ErrClosed, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
