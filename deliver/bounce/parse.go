package bounce

import (
	"errors"
	"io"
	"strings"

	"github.com/mailstead/mailstead/deliver/arf"
	"github.com/mailstead/mailstead/deliver/autoreply"
	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/internal/reportread"
	"github.com/mailstead/mailstead/smtp"
)

// Parser reads messages. Its zero value is ready; the fields are set before the
// first use. Any number of goroutines may use it.
type Parser struct {
	// VERP is the recipient that a reverse-path of ours stands for, as one of
	// Envelope.To; nil = they say nothing.
	VERP func(to smtp.Path) (rcpt smtp.Path, ok bool)
}

// Parse reads a message of size octets. The error is one of r, or
// io.ErrUnexpectedEOF.
func (p *Parser) Parse(r io.ReaderAt, size int64, env Envelope) (*Report, error) {
	m, err := reportread.Open(r, size)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	s := &scan{rep: &Report{}, header: m.Header(), env: env}
	feedback := s.parts(m)
	if m.Err() != nil {
		return nil, m.Err()
	}
	if feedback {
		switch s.rep.Feedback, err = arf.Parse(r, size); {
		case err == nil:
			s.rep.Kind, s.rep.Format = Feedback, "arf"
			s.rep.Header, s.rep.MessageID = s.rep.Feedback.Header, s.rep.Feedback.MessageID
		case !errors.Is(err, arf.ErrFormat):
			return nil, err
		}
	}
	if s.rep.Kind == Unknown {
		s.judge()
	}
	for i := range s.rep.Recipients {
		s.rep.Recipients[i].finish()
	}
	p.verp(s.rep, env)
	return s.rep, nil
}

// scan is one message that is read.
type scan struct {
	rep    *Report
	header []byte
	env    Envelope

	text    []byte // of the first part for people
	isText  bool
	isMDN   bool
	isMulti bool // multipart/report
	failed  []string
}

// maxText bounds what is looked at of a text.
const maxText = 64 << 10

// parts looks at each part of the report itself, and reports a feedback report.
func (s *scan) parts(m *reportread.Message) (feedback bool) {
	for p := range m.Parts() {
		if p.Nested {
			continue
		}
		if header, _, ok := p.Reported(); ok {
			if s.rep.Header == nil {
				s.returned(header)
			}
			continue
		}
		switch p.Type {
		case "multipart/report":
			s.isMulti = true
			s.isMDN = s.isMDN || p.Report == "disposition-notification"
		case "message/delivery-status", "message/global-delivery-status":
			if s.rep.Format == "" && s.rep.readStatus(p.Content()) {
				s.rep.Format = "rfc3464"
			}
		case "message/disposition-notification", "message/global-disposition-notification":
			s.isMDN = true
		case "message/feedback-report":
			feedback = true
		default:
			s.takeText(p)
		}
	}
	return feedback
}

// takeText keeps the first text; a plain one in place of HTML.
func (s *scan) takeText(p reportread.Part) {
	switch {
	case p.Type == "text/plain" && !s.isText:
		s.text, s.isText = p.Text(maxText), true
	case p.Type == "text/html" && s.text == nil:
		s.text = stripTags(p.Text(maxText))
	}
}

func (s *scan) returned(header []byte) {
	s.rep.Header = header
	for f := range mime.Fields(header) {
		if !f.Is("message-id") {
			continue
		}
		for id := range mime.MessageIDs(mime.AppendUnfolded(nil, f.Value)) {
			s.rep.MessageID = oneLine(string(id), 1000)
			return
		}
	}
}

// judge says what the message is, from the strongest sign to the weakest.
func (s *scan) judge() {
	program := s.fromProgram()
	if s.rep.Format == "" && program {
		s.readForms()
	}
	switch {
	case s.rep.Format != "":
		s.rep.Kind = kindOf(s.rep.Recipients)
	case s.isMDN:
		s.rep.Kind = Disposition
	case s.isChallenge():
		s.rep.Kind = Challenge
	case s.isAutoReply():
		s.rep.Kind = AutoReply
	}
}

// kindOf is the kind of a report on these recipients.
func kindOf(rs []Recipient) Kind {
	kind := Unknown
	for i := range rs {
		switch rs[i].Action {
		case Failed:
			return Failure
		case Delayed:
			kind = Delay
		case Delivered, Relayed, Expanded:
			if kind == Unknown {
				kind = Success
			}
		case NoAction:
		}
	}
	return kind
}

// fromProgram reports a message that no person has written, and remembers
// X-Failed-Recipients.
func (s *scan) fromProgram() bool {
	yes := s.env.From.IsNull() || s.isMulti || autoreply.OfSender(s.env.From.Path) == autoreply.Daemon
	for f := range mime.Fields(s.header) {
		value := mime.AppendUnfolded(nil, f.Value)
		switch strings.ToLower(string(f.Name)) {
		case "x-failed-recipients":
			yes = true
			for a := range strings.SplitSeq(string(value), ",") {
				if a = strings.Trim(a, " \t<>"); len(s.failed) < MaxRecipients && isAddress(a) {
					s.failed = append(s.failed, a)
				}
			}
		case "from", "sender":
			for a := range mime.Addresses(value) {
				local := strings.ToLower(string(a.Local))
				yes = yes || local == "postmaster" || autoreply.OfSender(smtp.Path{Local: local}) == autoreply.Daemon
			}
		}
	}
	return yes
}

// verp puts the recipient that a reverse-path names into the report.
func (p *Parser) verp(rep *Report, env Envelope) {
	if p.VERP == nil {
		return
	}
	for _, to := range env.To {
		if rcpt, ok := p.VERP(to); ok {
			rep.prove(rcpt)
			return
		}
	}
}

// prove: the message was for rcpt. That is the only entry of the report, or one
// of its own where there is none. Among several it is the one with that address;
// without one rcpt was a list or an alias, and that a member is gone says little of it.
func (rep *Report) prove(rcpt smtp.Path) {
	if len(rep.Recipients) == 0 {
		rep.Recipients = append(rep.Recipients, Recipient{})
	}
	if len(rep.Recipients) == 1 {
		rep.Recipients[0].Sent, rep.Recipients[0].Proven = rcpt, true
		return
	}
	found := false
	for i := range rep.Recipients {
		r := &rep.Recipients[i]
		if strings.EqualFold(r.Original, rcpt.String()) || strings.EqualFold(r.Final, rcpt.String()) {
			r.Sent, r.Proven, found = rcpt, true, true
		}
	}
	for i := range rep.Recipients {
		if r := &rep.Recipients[i]; !found {
			r.Sent, r.Proven = rcpt, true
			if r.Class == Hard {
				r.Class = Uncertain
			}
		}
	}
}

// finish fills in what follows from the rest.
func (r *Recipient) finish() {
	for _, text := range []string{r.Original, r.Final} {
		if r.Sent.IsZero() {
			r.Sent = addressOf(text)
		}
	}
	r.Class, r.Cause = classify(r)
}

// addressOf is the path of an address, zero for what is none.
func addressOf(text string) smtp.Path {
	p, err := smtp.ParseForwardPath("<"+text+">", true)
	if err != nil || p.Domain == "" {
		return smtp.Path{}
	}
	return p.Path
}

func isAddress(s string) bool { return !addressOf(s).IsZero() }

// oneLine makes one line of valid UTF-8 of a text, up to max octets, with one
// space for white space of any length.
func oneLine(s string, limit int) string {
	s = strings.ToValidUTF8(s[:min(len(s), 4*limit)], "?")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }), " ")
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}
