package smtpserver

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/mailstead/mailstead/internal/smtpscan"
	"github.com/mailstead/mailstead/smtp"
)

// transaction is one message on its way in.
type transaction struct {
	mail     smtp.Mail
	recv     smtp.Transaction
	accepted int // recipients
	body     smtp.Body
	reader   bodyReader
}

// txID is the id of the transaction; "" outside of one.
func (s *session) txID() string {
	if s.tx == nil {
		return ""
	}
	return s.tx.mail.ID
}

// mail: MAIL FROM:Reverse-path [SP Mail-parameters] CRLF (RFC 5321 §4.1.1.2).
func (s *session) mail(arg []byte) {
	if s.mails++; s.mails > s.cfg.Limits.Mails { // RFC 9422: MAILMAX
		s.say(421, smtp.EnhancedCode{Class: 4, Subject: 5, Detail: 3}, s.cfg.Hostname+" Too many messages on this connection")
		return
	}
	if s.cfg.RequireAuth && s.peer.Identity == "" {
		s.refuse(530, smtp.EnhancedCode{Class: 5, Subject: 7}, "Authentication required")
		return
	}
	rest, ok := smtpscan.CutKeyword(arg, "FROM:")
	if !ok {
		s.refuse(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "Syntax: MAIL FROM:<address>")
		return
	}
	path, n, err := smtp.ConsumeReversePath(rest, true)
	if err != nil {
		s.refusePath(err, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 7})
		return
	}
	params, err := smtp.ParseMailParams(rest[n:])
	if err != nil {
		s.refuseParams(err)
		return
	}
	r := s.judgeMail(path, &params)
	if r.IsZero() && !params.UTF8 && !smtpscan.ASCII(rest[n:]) {
		r = needsUTF8()
	}
	if !r.IsZero() {
		s.refuseReply(r)
		return
	}
	s.admitMail(path, params)
}

// admitMail asks the hooks, and opens the transaction.
func (s *session) admitMail(path smtp.ReversePath, params smtp.MailParams) {
	changed, err := s.prioritise(&params)
	if err != nil {
		s.replyError(err)
		return
	}
	if err := s.callAdmit(params.Size); err != nil {
		s.refuseReply(s.answer(err, smtp.NewReply(452, smtp.EnhancedCode{Class: 4, Subject: 3, Detail: 1}, "Insufficient system storage")))
		return
	}
	if !s.begin(path, params) {
		return
	}
	if changed { // RFC 6710 §4.1
		s.say(250, smtp.EnhancedCode{Class: 2, Subject: 3, Detail: 6}, strconv.Itoa(int(params.Priority.Level))+" is the priority of this message")
		return
	}
	s.say(250, smtp.EnhancedCode{Class: 2, Subject: 1}, "OK")
}

// prioritise decides the priority (RFC 6710 §4.1), and reports whether it is
// another one than MAIL asked for.
func (s *session) prioritise(p *smtp.MailParams) (changed bool, err error) {
	if s.offered()&MTPRIORITY == 0 {
		return false, nil
	}
	asked := int(p.Priority.Level)
	level := asked
	if s.cfg.Priority != nil {
		if level, err = s.callPriority(asked); err != nil {
			return false, err
		}
	} else if s.peer.Identity == "" {
		level = min(level, 0)
	}
	level = max(smtp.MinPriority, min(level, smtp.MaxPriority))
	p.Priority = smtp.Priority{Level: int8(level), Given: p.Priority.Given || level != 0}
	return level != asked, nil
}

// begin opens the transaction at the Receiver; false: it was refused, and
// answered.
func (s *session) begin(path smtp.ReversePath, params smtp.MailParams) bool {
	tx := &transaction{mail: smtp.Mail{
		ID: smtp.NewID(), ReversePath: path, Params: params,
		Peer: s.peer, PerRecipient: s.cfg.LMTP || params.PRDR, Upstream: s.upstream, Received: time.Now(),
	}}
	recv, err := s.callBegin(&tx.mail)
	if err != nil || recv == nil {
		if err == nil {
			err = errors.New("smtpserver: Begin returned no transaction")
		}
		s.replyError(err)
		return false
	}
	tx.recv = recv
	s.tx, s.state = tx, mailOpen
	s.body = s.newProgress()
	return true
}

// refusePath answers a path that could not be parsed.
func (s *session) refusePath(err error, enhanced smtp.EnhancedCode) {
	text := "Syntax error in the address"
	if errors.Is(err, smtp.ErrTooLong) {
		text = "Path too long" // RFC 5321 §4.5.3.1.10
	}
	s.refuse(501, enhanced, text)
}

// refuseParams answers a parameter list that could not be parsed.
func (s *session) refuseParams(err error) {
	text := "Syntax error in the parameters"
	if errors.Is(err, smtp.ErrRepeated) {
		text = "Repeated parameter"
	}
	s.refuse(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, text)
}

// judgeMail holds the parameters of MAIL against what is offered. A zero
// Reply: fine.
func (s *session) judgeMail(path smtp.ReversePath, p *smtp.MailParams) smtp.Reply {
	ext := s.offered()
	switch {
	case s.strange(p):
		return unknownParam()
	case p.Body == smtp.BodyBinaryMIME && ext&BINARYMIME == 0:
		return smtp.NewReply(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "BINARYMIME is not offered")
	case path.NeedsUTF8() && !p.UTF8:
		return needsUTF8()
	case p.Size > s.cfg.Limits.Message: // RFC 1870 §6.1
		return tooBig()
	case p.DeliverBy.Mode == smtp.ByReturn && time.Duration(p.DeliverBy.Seconds)*time.Second < s.cfg.Limits.DeliverBy:
		return smtp.NewReply(555, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "Delivery cannot be that soon")
	case !p.FutureRelease.IsZero() && p.FutureRelease.Release(time.Now()).After(time.Now().Add(s.cfg.Limits.Hold)):
		return smtp.NewReply(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "The message cannot be held that long")
	}
	return smtp.Reply{}
}

// strange reports a parameter of MAIL that is not offered.
func (s *session) strange(p *smtp.MailParams) bool {
	ext := s.offered()
	if s.cfg.LMTP {
		ext &^= PRDR
	}
	if s.peer.TLS == nil {
		ext &^= REQUIRETLS
	}
	for _, want := range [...]struct {
		given bool
		ext   Extensions
	}{
		{p.Size > 0, SIZE},
		{p.Body != smtp.BodyDefault, EightBitMIME},
		{p.UTF8, SMTPUTF8},
		{p.Return != smtp.ReturnDefault || p.EnvelopeID != "", DSN},
		{p.RequireTLS, REQUIRETLS},
		{p.Priority.Given, MTPRIORITY},
		{!p.DeliverBy.IsZero(), DELIVERBY},
		{!p.FutureRelease.IsZero(), FUTURERELEASE},
		{p.PRDR, PRDR},
	} {
		if want.given && ext&want.ext == 0 {
			return true
		}
	}
	return p.Auth != "" && s.cfg.Auth == nil || !s.known(p.Unknown)
}

// known reports whether the Receiver understands each of ps.
func (s *session) known(ps []smtp.Param) bool {
	for _, p := range ps {
		if !slices.ContainsFunc(s.cfg.Parameters, func(k string) bool { return smtpscan.EqualFold(k, []byte(p.Keyword)) }) {
			return false
		}
	}
	return true
}

func unknownParam() smtp.Reply {
	return smtp.NewReply(555, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "Parameter not recognized or not implemented")
}

// needsUTF8: RFC 6531 §3.5.
func needsUTF8() smtp.Reply {
	return smtp.NewReply(553, smtp.EnhancedCode{Class: 5, Subject: 6, Detail: 7}, "This address needs SMTPUTF8")
}

func tooBig() smtp.Reply {
	return smtp.NewReply(552, smtp.EnhancedCode{Class: 5, Subject: 3, Detail: 4}, "Message size exceeds the limit")
}
