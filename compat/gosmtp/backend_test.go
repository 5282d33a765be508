package gosmtp_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// backend notes what it is called for. It is written for go-smtp, and knows
// nothing of Mailstead.
type backend struct {
	lmtp bool

	mu    sync.Mutex
	calls []string
	news  chan struct{} // has one entry after a call
}

func newBackend(lmtp bool) *backend { return &backend{lmtp: lmtp, news: make(chan struct{}, 1)} }

func (b *backend) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, fmt.Sprintf(format, args...))
	select {
	case b.news <- struct{}{}:
	default:
	}
}

// taken returns the calls since it was last asked.
func (b *backend) taken() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	calls := b.calls
	b.calls = nil
	return calls
}

func (b *backend) NewSession(c *smtp.Conn) (smtp.Session, error) {
	b.note("new %s", c.Hostname())
	switch c.Hostname() {
	case "refused.example":
		return nil, &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Go away"}
	case "broken.example":
		return nil, errors.New("secret: no database")
	case "panic.example":
		panic("NewSession")
	case "rejected.example":
		c.Reject()
	}
	s := &session{b: b, conn: c}
	if b.lmtp {
		return lmtpSession{s}, nil
	}
	return s, nil
}

type session struct {
	b    *backend
	conn *smtp.Conn
}

func (s *session) Reset() {}

func (s *session) Logout() error {
	s.b.note("logout")
	return nil
}

func (s *session) Mail(from string, o *smtp.MailOptions) error {
	auth := "-"
	if o.Auth != nil {
		auth = *o.Auth
	}
	s.b.note("mail %q size=%d body=%s utf8=%v ret=%s envid=%s auth=%s", from, o.Size, o.Body, o.UTF8, o.Return, o.EnvelopeID, auth)
	return judge(from)
}

func (s *session) Rcpt(to string, o *smtp.RcptOptions) error {
	extra := ""
	if o.DeliverBy != nil {
		extra += fmt.Sprintf(" by=%v", *o.DeliverBy)
	}
	if o.MTPriority != nil {
		extra += fmt.Sprintf(" priority=%d", *o.MTPriority)
	}
	if !o.RequireRecipientValidSince.IsZero() {
		extra += " since=" + o.RequireRecipientValidSince.UTC().Format(time.RFC3339)
	}
	s.b.note("rcpt %q notify=%v orcpt=%s;%s%s", to, o.Notify, o.OriginalRecipientType, o.OriginalRecipient, extra)
	return judge(to)
}

func (s *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		s.b.note("data %v", err)
		return err
	}
	s.b.note("data %q", b)
	for word, verdict := range map[string]error{
		"bad":      &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "Bad message"},
		"internal": errors.New("secret: no database"),
	} {
		if strings.Contains(string(b), word) {
			return verdict
		}
	}
	if strings.Contains(string(b), "panic") {
		panic("Data")
	}
	return nil
}

// judge refuses addresses by their local-part.
func judge(address string) error {
	switch local, _, _ := strings.Cut(address, "@"); local {
	case "refused":
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such user\nnor will there be"}
	case "later":
		return &smtp.SMTPError{Code: 450, Message: "Later"}
	case "plain":
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.NoEnhancedCode, Message: "No"}
	case "wrapped":
		return fmt.Errorf("secret: %w", &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "No"})
	case "broken":
		return errors.New("secret: no database")
	}
	return nil
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain, "X-Ask"} }

func (s *session) Auth(mech string) (sasl.Server, error) {
	s.b.note("auth %s", mech)
	switch mech {
	case sasl.Plain:
		return sasl.NewPlainServer(func(identity, username, password string) error {
			switch password {
			case "right":
				return nil
			case "locked":
				return &smtp.SMTPError{Code: 534, EnhancedCode: smtp.EnhancedCode{5, 7, 9}, Message: "Locked"}
			case "broken":
				return errors.New("secret: no database")
			}
			return smtp.ErrAuthFailed
		}), nil
	case "X-ASK":
		return &asking{}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

// asking is a mechanism in which the server speaks first.
type asking struct{ asked bool }

func (a *asking) Next(response []byte) ([]byte, bool, error) {
	if !a.asked {
		a.asked = true
		return []byte("who?"), false, nil
	}
	if string(response) == "me" {
		return nil, true, nil
	}
	return nil, false, smtp.ErrAuthFailed
}

// lmtpSession answers for each recipient.
type lmtpSession struct{ *session }

func (s lmtpSession) LMTPData(r io.Reader, status smtp.StatusCollector) error {
	b, err := io.ReadAll(r)
	s.b.note("lmtp data %q %v", b, err)
	if err != nil {
		return err
	}
	status.SetStatus("one@x.example", nil)
	status.SetStatus("two@x.example", &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "Full"})
	status.SetStatus("one@x.example", &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 2, 1}, Message: "Again?"})
	if strings.Contains(string(b), "bad") {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "Bad message"}
	}
	return nil
}
