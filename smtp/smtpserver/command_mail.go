package smtpserver

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"time"

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

// cutKeyword cuts "FROM:" or "TO:" off. Blanks behind the colon are tolerated;
// many clients send one.
func cutKeyword(arg []byte, keyword string) ([]byte, bool) {
	if len(arg) < len(keyword) || !equalFold(keyword, arg[:len(keyword)]) {
		return nil, false
	}
	return bytes.TrimLeft(arg[len(keyword):], " "), true
}

// mail: MAIL FROM:Reverse-path [SP Mail-parameters] CRLF (RFC 5321 §4.1.1.2).
func (s *session) mail(arg []byte) {
	if s.cfg.RequireAuth && s.peer.Identity == "" {
		s.refuse(530, smtp.EnhancedCode{Class: 5, Subject: 7}, "Authentication required")
		return
	}
	rest, ok := cutKeyword(arg, "FROM:")
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
	if r := s.judgeMail(path, &params); !r.IsZero() {
		s.refuseReply(r)
		return
	}
	if err := s.callAdmit(params.Size); err != nil {
		s.refuseReply(s.answer(err, smtp.NewReply(452, smtp.EnhancedCode{Class: 4, Subject: 3, Detail: 1}, "Insufficient system storage")))
		return
	}
	s.begin(path, params)
}

// begin opens the transaction at the Receiver.
func (s *session) begin(path smtp.ReversePath, params smtp.MailParams) {
	tx := &transaction{mail: smtp.Mail{
		ID: smtp.NewID(), ReversePath: path, Params: params,
		Peer: s.peer, PerRecipient: s.cfg.LMTP, Received: time.Now(),
	}}
	recv, err := s.callBegin(&tx.mail)
	if err != nil || recv == nil {
		if err == nil {
			err = errors.New("smtpserver: Begin returned no transaction")
		}
		s.replyError(err)
		return
	}
	tx.recv = recv
	s.tx, s.state = tx, mailOpen
	s.body = s.newProgress()
	s.say(250, smtp.EnhancedCode{Class: 2, Subject: 1}, "OK")
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
	case p.Size > 0 && ext&SIZE == 0, p.Body != smtp.BodyDefault && ext&EightBitMIME == 0,
		p.UTF8 && ext&SMTPUTF8 == 0, p.Return != smtp.ReturnDefault && ext&DSN == 0,
		p.EnvelopeID != "" && ext&DSN == 0, p.Auth != "" && s.cfg.Auth == nil,
		p.RequireTLS && (ext&REQUIRETLS == 0 || s.peer.TLS == nil), !s.known(p.Unknown):
		return unknownParam()
	case p.Body == smtp.BodyBinaryMIME && ext&BINARYMIME == 0:
		return smtp.NewReply(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "BINARYMIME is not offered")
	case path.NeedsUTF8() && !p.UTF8:
		return needsUTF8()
	case p.Size > s.cfg.Limits.Message: // RFC 1870 §6.1
		return tooBig()
	}
	return smtp.Reply{}
}

// offered are the extensions that the peer has been told of.
func (s *session) offered() Extensions {
	if !s.extended {
		return 0
	}
	return s.cfg.Extensions
}

// known reports whether the Receiver understands each of ps.
func (s *session) known(ps []smtp.Param) bool {
	for _, p := range ps {
		if !slices.ContainsFunc(s.cfg.Parameters, func(k string) bool { return strings.EqualFold(k, p.Keyword) }) {
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
