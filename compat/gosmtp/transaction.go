package gosmtp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"github.com/mailstead/mailstead/smtp"
)

// Begin implements smtp.Receiver.
func (a *adapter) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	s := a.sessionOf(m.Peer)
	if s == nil {
		return nil, errNoSession
	}
	if err := s.alive(); err != nil {
		return nil, err
	}
	if len(m.Params.Unknown) > 0 { // one of RCPT's
		return nil, smtp.Errorf(555, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "Parameter not recognized")
	}
	if err := s.Mail(mailbox(m.ReversePath.Path), mailOptions(&m.Params)); err != nil {
		return nil, refusal(err)
	}
	return &transaction{s: s, mail: m, least: a.server.MinimumDeliverByTime, lmtp: a.server.LMTP}, nil
}

type transaction struct {
	s     *session
	mail  *smtp.Mail
	least time.Duration // of BY= with "return"
	lmtp  bool
	to    []string // accepted recipients
}

// Rcpt implements smtp.Transaction.
func (t *transaction) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	errs := make([]error, len(rs))
	for i, r := range rs {
		if errs[i] = t.s.alive(); errs[i] != nil {
			continue
		}
		to := mailbox(r.ForwardPath.Path)
		o, err := t.options(&r.Params)
		if err != nil {
			errs[i] = err
			continue
		}
		if errs[i] = refusal(t.s.Rcpt(to, o)); errs[i] == nil {
			t.to = append(t.to, to)
		}
	}
	return errs
}

// Abort implements smtp.Transaction.
func (t *transaction) Abort() { t.s.Reset() }

// Data implements smtp.Transaction. What the backend leaves of the body is read
// here: nothing is accepted before its end.
func (t *transaction) Data(_ context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	defer t.s.Reset()
	r := &reader{b: b}
	if s, ok := t.s.Session.(gosmtp.LMTPSession); ok && t.lmtp {
		c := newCollector(t.to)
		rest := refusal(s.LMTPData(r, c))
		if err := r.drain(); err != nil {
			return nil, err
		}
		return c.statuses(rest), nil
	}
	if err := t.s.Data(r); err != nil {
		return nil, refusal(err)
	}
	if err := r.drain(); err != nil {
		return nil, err
	}
	return smtp.Accepted(len(t.to)), nil
}

// reader is a body with the errors that a go-smtp backend knows.
type reader struct{ b *smtp.Body }

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.b.Read(p)
	switch {
	case err == nil, err == io.EOF:
	case errors.Is(err, smtp.ErrTruncated):
		err = io.ErrUnexpectedEOF
	case smtp.ReplyOf(err).Code == gosmtp.ErrDataTooLarge.Code:
		err = gosmtp.ErrDataTooLarge
	}
	return n, err
}

// drain reads what is left, and returns what the body ended with.
func (r *reader) drain() error {
	_, err := io.Copy(io.Discard, r.b)
	return err
}

// collector is go-smtp's StatusCollector: the statuses of one address are given
// to its recipients in order.
type collector struct {
	to  []string
	set map[string][]error
}

func newCollector(to []string) *collector {
	return &collector{to: to, set: make(map[string][]error)}
}

// SetStatus implements gosmtp.StatusCollector. As there, it panics for an address
// that is no recipient, and when it is called too often for one.
func (c *collector) SetStatus(to string, err error) {
	left := -len(c.set[to])
	for _, a := range c.to {
		if a == to {
			left++
		}
	}
	if left <= 0 {
		panic("gosmtp: SetStatus for no recipient, or too often for one")
	}
	c.set[to] = append(c.set[to], refusal(err))
}

// statuses are those of all recipients; rest is for those without one.
func (c *collector) statuses(rest error) []smtp.RcptStatus {
	out := make([]smtp.RcptStatus, len(c.to))
	for i, a := range c.to {
		if set := c.set[a]; len(set) > 0 {
			out[i].Err, c.set[a] = set[0], set[1:]
		} else {
			out[i].Err = rest
		}
	}
	return out
}

// refusal is the error as smtpserver takes it: an SMTPError with its reply, any
// other without one.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*gosmtp.SMTPError](err)
	if !ok || e.Code/100 != 4 && e.Code/100 != 5 {
		return err
	}
	r := smtp.Reply{Code: e.Code}
	if class := e.EnhancedCode[0]; class > 0 && class < 6 && e.EnhancedCode[1] >= 0 && e.EnhancedCode[2] >= 0 {
		r.Enhanced = smtp.EnhancedCode{Class: uint16(class), Subject: uint16(e.EnhancedCode[1]), Detail: uint16(e.EnhancedCode[2])}
	}
	if e.Message != "" {
		r.Lines = strings.Split(e.Message, "\n")
	}
	return &smtp.Error{Reply: r}
}

// mailbox is an address in the form that go-smtp gives: without quotes.
func mailbox(p smtp.Path) string {
	if p.Domain == "" {
		return p.Local // null, or postmaster
	}
	return p.Local + "@" + p.Domain
}

func mailOptions(p *smtp.MailParams) *gosmtp.MailOptions {
	o := &gosmtp.MailOptions{
		Body: gosmtp.BodyType(p.Body.String()), Size: p.Size, RequireTLS: p.RequireTLS, UTF8: p.UTF8,
		Return: gosmtp.DSNReturn(p.Return.String()), EnvelopeID: p.EnvelopeID,
	}
	if p.Auth != "" {
		auth := p.Auth
		if auth == "<>" {
			auth = ""
		}
		o.Auth = &auth
	}
	return o
}

func rcptOptions(p *smtp.RcptParams) *gosmtp.RcptOptions {
	o := &gosmtp.RcptOptions{
		OriginalRecipientType: gosmtp.DSNAddressType(strings.ToUpper(p.Original.Type)),
		OriginalRecipient:     p.Original.Address,
	}
	if p.Notify != 0 {
		for word := range strings.SplitSeq(p.Notify.String(), ",") {
			o.Notify = append(o.Notify, gosmtp.DSNNotify(word))
		}
	}
	return o
}

// Parameters that go-smtp takes at RCPT. BY and MT-PRIORITY belong to MAIL
// (RFC 2852, RFC 6710 §7), where smtpserver takes them; RRVS is that of RFC 7293.
const (
	paramBy       = "BY"
	paramPriority = "MT-PRIORITY"
	paramRRVS     = "RRVS"
)

// options are those of RCPT, with what MAIL said where RCPT says nothing.
func (t *transaction) options(p *smtp.RcptParams) (*gosmtp.RcptOptions, error) {
	o := rcptOptions(p)
	by, priority := t.mail.Params.DeliverBy, t.mail.Params.Priority
	for _, param := range p.Unknown {
		var err error
		switch strings.ToUpper(param.Keyword) {
		case paramBy:
			by, err = smtp.ParseDeliverBy(param.Value)
			if err == nil && by.Mode == smtp.ByReturn && time.Duration(by.Seconds)*time.Second < t.least {
				err = errTooSoon
			}
		case paramPriority:
			priority, err = smtp.ParsePriority(param.Value)
		case paramRRVS:
			date, _, _ := strings.Cut(param.Value, ";") // the rest says what a host without RRVS does
			o.RequireRecipientValidSince, err = time.Parse(time.RFC3339, date)
		}
		if err != nil {
			return nil, &smtp.Error{
				Reply: smtp.NewReply(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "Bad value of "+strings.ToUpper(param.Keyword)), Err: err,
			}
		}
	}
	if !by.IsZero() {
		o.DeliverBy = &gosmtp.DeliverByOptions{Time: time.Duration(by.Seconds) * time.Second, Mode: gosmtp.DeliverByNotify, Trace: by.Trace}
		if by.Mode == smtp.ByReturn {
			o.DeliverBy.Mode = gosmtp.DeliverByReturn
		}
	}
	if !priority.IsZero() {
		level := int(priority.Level)
		o.MTPriority = &level
	}
	return o, nil
}

var errTooSoon = errors.New("gosmtp: BY= is below MinimumDeliverByTime")

// addr is an address of another kind than TCP.
type addr struct{}

func (addr) Network() string { return "unix" }
func (addr) String() string  { return "" }

func address(a netip.AddrPort) net.Addr {
	if !a.IsValid() {
		return addr{}
	}
	return net.TCPAddrFromAddrPort(a)
}
