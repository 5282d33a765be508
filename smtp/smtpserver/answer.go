package smtpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/mailstead/mailstead/smtp"
)

// answer is the reply that err leaves as. What has no Reply becomes fallback
// with an id, under which the log has the text.
func (s *session) answer(err error, fallback smtp.Reply) smtp.Reply {
	if e, ok := errors.AsType[*smtp.Error](err); ok && (e.Reply.Temporary() || e.Reply.Permanent()) {
		if e.Err != nil {
			s.logAt(slog.LevelInfo, "smtp: refused", s.txID(), err)
		}
		return e.Reply
	}
	id := s.txID()
	if id == "" {
		id = smtp.NewID()
	}
	s.logAt(slog.LevelError, "smtp: local error", id, err)
	fallback.Lines = []string{fallback.Lines[0] + " (" + id + ")"}
	return fallback
}

func localError() smtp.Reply {
	return smtp.NewReply(451, smtp.EnhancedCode{Class: 4, Subject: 3}, "Local error in processing")
}

// replyError refuses a command for what a handler said.
func (s *session) replyError(err error) {
	s.refuseReply(s.answer(err, localError()))
}

func (s *session) logAt(level slog.Level, msg, id string, err error) {
	s.cfg.Logger.LogAttrs(s.ctx, level, msg,
		slog.String("id", id), slog.Any("peer", s.peer.Addr), slog.Any("error", err))
}

// errPanic: a handler panicked; the log has the stack.
var errPanic = errors.New("smtpserver: handler panicked")

// contain turns a panic of a handler into an error. It is deferred.
func (s *session) contain(err *error) {
	v := recover()
	if v == nil {
		return
	}
	*err = errPanic
	s.logAt(slog.LevelError, "smtp: panic", s.txID(), fmt.Errorf("%v\n%s", v, debug.Stack()))
}

func (s *session) callHook(ctx context.Context, hook func(context.Context, *smtp.Peer) error) (err error) {
	defer s.contain(&err)
	return hook(ctx, s.peer)
}

func (s *session) callAdmit(size int64) (err error) {
	if s.cfg.Admit == nil {
		return nil
	}
	defer s.contain(&err)
	return s.cfg.Admit(s.ctx, size)
}

func (s *session) callBegin(m *smtp.Mail) (t smtp.Transaction, err error) {
	defer s.contain(&err)
	return s.cfg.Receiver.Begin(s.ctx, m)
}

func (s *session) callRcpt(rs []*smtp.Recipient) (errs []error, err error) {
	defer s.contain(&err)
	errs = s.tx.recv.Rcpt(s.ctx, rs)
	if len(errs) != len(rs) {
		return nil, smtp.ErrStatusCount
	}
	return errs, nil
}

func (s *session) callData() (st []smtp.RcptStatus, err error) {
	defer s.contain(&err)
	return s.tx.recv.Data(s.ctx, &s.tx.body)
}

func (s *session) callAbort() {
	defer s.contain(new(error))
	s.tx.recv.Abort()
}

func (s *session) callVerify(arg string) (r smtp.Reply) {
	defer s.contain(new(error))
	return s.cfg.Verify(s.ctx, s.peer, arg)
}

func (s *session) callPriority(level int) (n int, err error) {
	defer s.contain(&err)
	return s.cfg.Priority(s.ctx, s.peer, level)
}

func (s *session) callCommand(c *Command, arg string) (r smtp.Reply) {
	defer s.contain(new(error))
	return c.Run(s.ctx, s.peer, arg)
}

func (s *session) callKeywords() (lines []string) {
	if s.cfg.Keywords == nil {
		return nil
	}
	defer s.contain(new(error))
	return s.cfg.Keywords(s.peer)
}
