package smtpserver

import (
	"errors"
	"log/slog"

	"github.com/mailstead/mailstead/smtp"
)

// data: DATA CRLF (RFC 5321 §4.1.1.4).
func (s *session) data([]byte) {
	switch {
	case s.tx.accepted == 0:
		s.refuseNoRecipients()
		return
	case s.tx.mail.Params.Body == smtp.BodyBinaryMIME: // RFC 3030 §3
		s.refuse(503, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 1}, "BINARYMIME needs BDAT")
		return
	case s.pipelined():
		s.refusePipelining()
		return
	}
	s.say(354, smtp.EnhancedCode{}, "End data with <CR><LF>.<CR><LF>")
	if err := s.flush(); err != nil {
		s.end(err)
		return
	}
	s.in.Grow()
	s.tx.reader = newDataReader(s)
	s.receive()
}

// refuseNoRecipients: RFC 5321 §3.3.
func (s *session) refuseNoRecipients() {
	s.refuse(503, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 1}, "No valid recipients")
}

// receive gives the body to the Receiver, reads what it left of it, and
// answers.
func (s *session) receive() {
	tx := s.tx
	tx.body = *smtp.NewBody(&tx.reader, -1)
	status, err := s.callData()
	err = s.outcome(status, err)
	tx.reader.drain()
	s.conclude(status, err)
	tx.recv = nil // Abort has no meaning after Data
	s.tx, s.upstream = nil, nil
	if s.state != fresh {
		s.state = greeted
	}
}

// outcome checks what the Receiver says against what it has seen: nobody may
// accept a body that did not reach its clean end.
func (s *session) outcome(status []smtp.RcptStatus, err error) error {
	tx := s.tx
	switch {
	case tx.reader.refused != nil:
		return tx.reader.refused
	case err != nil:
		return err
	case tx.body.Err() != nil:
		return tx.body.Err()
	case !tx.body.Ended() || !tx.reader.ended:
		return errNotRead
	case len(status) != tx.accepted:
		return smtp.ErrStatusCount
	}
	return nil
}

var (
	errNotRead = errors.New("smtpserver: receiver accepted a body that it did not read to its end")
	errMixed   = errors.New("smtpserver: receiver returned mixed results over plain SMTP; see smtp.Uniform")
)

// conclude answers the end of the body: once, or once for each accepted
// recipient in LMTP (RFC 2033 §4.2).
func (s *session) conclude(status []smtp.RcptStatus, err error) {
	r := &s.tx.reader
	switch {
	case errors.Is(r.lost, errGivenUp):
		return // RSET and the like, which have their own reply
	case errors.Is(r.lost, errTooSlow), errors.Is(r.lost, errDraining):
		s.end(r.lost)
		return
	case r.lost != nil && !errors.Is(r.lost, errTooMuch):
		s.logAt(slog.LevelInfo, "smtp: connection lost inside a body", s.txID(), r.lost)
		s.closing = true
		return
	}
	switch {
	case s.cfg.LMTP:
		s.concludeEach(status, err)
	case s.tx.mail.Params.PRDR && err == nil:
		s.concludePRDR(status)
	default:
		s.concludeOne(statusText(status, 0), s.merge(status, err))
	}
	if r.lost != nil { // the body has no end in sight
		s.closing = true
	}
}

// concludeEach answers each accepted recipient.
func (s *session) concludeEach(status []smtp.RcptStatus, err error) {
	for i := range s.tx.accepted {
		one := err
		if one == nil {
			one = status[i].Err
		}
		s.concludeOne(statusText(status, i), one)
	}
}

// concludePRDR answers each accepted recipient and then the message
// (draft-hall-prdr-00 §4.5). A body that nobody took as such has one reply,
// without the 353.
func (s *session) concludePRDR(status []smtp.RcptStatus) {
	s.say(353, smtp.EnhancedCode{}, "Replies for each recipient follow")
	s.concludeEach(status, nil)
	refused := s.merge(status, nil)
	if refused == nil || errors.Is(refused, errMixed) {
		s.say(250, smtp.EnhancedCode{Class: 2}, "OK queued as "+s.tx.mail.ID)
		return
	}
	r := smtp.NewReply(550, smtp.EnhancedCode{Class: 5}, "No recipient took the message")
	if !smtp.IsPermanent(refused) {
		r = smtp.NewReply(451, smtp.EnhancedCode{Class: 4}, "No recipient took the message")
	}
	s.refuseReply(r)
}

func statusText(status []smtp.RcptStatus, i int) string {
	if i < len(status) {
		return status[i].Text
	}
	return ""
}

// merge makes one result of many: all accepted, all refused, or a temporary
// failure of all.
func (s *session) merge(status []smtp.RcptStatus, err error) error {
	if err != nil {
		return err
	}
	failed := 0
	for i := range status {
		if e := status[i].Err; e != nil {
			failed++
			if err == nil || smtp.IsPermanent(err) && !smtp.IsPermanent(e) {
				err = e
			}
		}
	}
	if failed > 0 && failed < len(status) {
		return errMixed
	}
	return err
}

// concludeOne gives the reply; a 250 carries the id of the transaction. Where
// each recipient has one, a refusal is the next hop's verdict on one recipient, and no error of
// the client's: it neither costs time nor ends the session.
func (s *session) concludeOne(text string, err error) {
	if err != nil {
		r := s.answer(err, localError())
		if s.tx.mail.PerRecipient {
			s.sayReply(r)
		} else {
			s.refuseReply(r)
		}
		return
	}
	s.errors = 0
	line := "OK queued as " + s.tx.mail.ID
	if text != "" {
		line += " (" + text + ")"
	}
	s.say(250, smtp.EnhancedCode{Class: 2}, line)
}
