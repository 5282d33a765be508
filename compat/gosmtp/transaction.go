package gosmtp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"

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
	if err := s.Mail(mailbox(m.ReversePath.Path), mailOptions(&m.Params)); err != nil {
		return nil, refusal(err)
	}
	return &transaction{s: s, lmtp: a.server.LMTP}, nil
}

type transaction struct {
	s    *session
	lmtp bool
	to   []string // accepted recipients
}

// Rcpt implements smtp.Transaction.
func (t *transaction) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	errs := make([]error, len(rs))
	for i, r := range rs {
		if errs[i] = t.s.alive(); errs[i] != nil {
			continue
		}
		to := mailbox(r.ForwardPath.Path)
		if errs[i] = refusal(t.s.Rcpt(to, rcptOptions(&r.Params))); errs[i] == nil {
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
