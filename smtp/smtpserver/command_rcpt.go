package smtpserver

import (
	"strings"

	"github.com/mailstead/mailstead/internal/smtpscan"
	"github.com/mailstead/mailstead/smtp"
)

// maxBatch is the largest number of recipients in one call of Rcpt.
const maxBatch = 100

// rcptSlot is one RCPT line of a group: refused here, or given to the Receiver.
type rcptSlot struct {
	reply smtp.Reply // zero: the Receiver judges
}

// rcpt: RCPT TO:Forward-path [SP Rcpt-parameters] CRLF (RFC 5321 §4.1.1.3),
// with all RCPT lines that have been received behind it, so that the Receiver
// is asked once. Replies stay in order.
func (s *session) rcpt(arg []byte) {
	s.batch, s.slots = s.batch[:0], s.slots[:0]
	s.addRcpt(arg)
	for len(s.slots) < maxBatch {
		arg, ok := s.nextRcpt()
		if !ok {
			break
		}
		s.addRcpt(arg)
	}
	var errs []error
	if len(s.batch) > 0 {
		var err error
		if errs, err = s.callRcpt(s.batch); err != nil {
			errs = make([]error, len(s.batch))
			for i := range errs {
				errs[i] = err
			}
		}
	}
	for i := range s.slots {
		r := s.slots[i].reply
		if r.IsZero() {
			r = s.judged(errs[0])
			errs = errs[1:]
		}
		if s.closing {
			break
		}
		s.refuseReply(r)
	}
	clear(s.batch)
	clear(s.slots)
}

// judged counts an accepted recipient, or answers a refused one.
func (s *session) judged(err error) smtp.Reply {
	if err != nil {
		return s.answer(err, localError())
	}
	s.tx.accepted++
	s.state = rcptOpen
	return acceptedRcpt
}

var acceptedRcpt = smtp.NewReply(250, smtp.EnhancedCode{Class: 2, Subject: 1, Detail: 5}, "OK")

// nextRcpt takes the next line if it is complete and a RCPT.
func (s *session) nextRcpt() (arg []byte, ok bool) {
	n := s.in.NextLine(0)
	if n < 7 || n > s.cfg.Limits.Line {
		return nil, false
	}
	line := s.in.Buffered()[:n]
	if line[n-2] != '\r' || line[4] != ' ' || !smtpscan.EqualFold("RCPT", line[:4]) {
		return nil, false
	}
	s.in.Skip(n)
	line = line[:n-2]
	if s.cfg.Trace != nil {
		s.traceCommand(line)
	}
	_, arg = smtpscan.SplitVerb(line)
	return arg, true
}

// addRcpt parses one line into a slot and, where it is fine, into the batch.
func (s *session) addRcpt(arg []byte) {
	rcpt, reply := s.parseRcpt(arg)
	if reply.IsZero() {
		s.batch = append(s.batch, rcpt)
	}
	s.slots = append(s.slots, rcptSlot{reply})
}

func (s *session) parseRcpt(arg []byte) (*smtp.Recipient, smtp.Reply) {
	rest, ok := smtpscan.CutKeyword(arg, "TO:")
	if !ok {
		return nil, smtp.NewReply(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "Syntax: RCPT TO:<address>")
	}
	path, n, err := smtp.ConsumeForwardPath(rest, true)
	if err != nil {
		return nil, smtp.NewReply(501, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 3}, "Syntax error in the address")
	}
	params, err := smtp.ParseRcptParams(rest[n:])
	switch {
	case err != nil:
		return nil, smtp.NewReply(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "Syntax error in the parameters")
	case s.offered()&DSN == 0 && (params.Notify != 0 || !params.Original.IsZero()), !s.known(params.Unknown):
		return nil, unknownParam()
	case !s.tx.mail.Params.UTF8 && (path.NeedsUTF8() || !smtpscan.ASCII(rest[n:])):
		return nil, needsUTF8()
	case s.tx.accepted+len(s.batch) >= s.cfg.Limits.Recipients: // RFC 5321 §4.5.3.1.10
		return nil, smtp.NewReply(452, smtp.EnhancedCode{Class: 4, Subject: 5, Detail: 3}, "Too many recipients")
	case !s.countDomain(path.Domain):
		return nil, smtp.NewReply(452, smtp.EnhancedCode{Class: 4, Subject: 5, Detail: 3}, "Too many domains")
	}
	return &smtp.Recipient{ForwardPath: path, Params: params}, smtp.Reply{}
}

// countDomain keeps the number of domains within its limit, for all
// transactions of the connection (RFC 9422, RCPTDOMAINMAX).
func (s *session) countDomain(domain string) bool {
	if s.cfg.Limits.Domains >= unlimited {
		return true
	}
	domain = strings.ToLower(domain)
	if _, ok := s.domains[domain]; ok {
		return true
	}
	if len(s.domains) >= s.cfg.Limits.Domains {
		return false
	}
	if s.domains == nil {
		s.domains = make(map[string]struct{})
	}
	s.domains[domain] = struct{}{}
	return true
}
