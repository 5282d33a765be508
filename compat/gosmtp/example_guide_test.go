package gosmtp_test

// The code of docs/guide/from-go-smtp.md: a backend for go-smtp, and how it runs.

import (
	"context"
	"io"
	"log"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/mailstead/mailstead/compat/gosmtp"
	mailsmtp "github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

type Backend struct{ store Store }

func (b *Backend) NewSession(*smtp.Conn) (smtp.Session, error) {
	return &Session{store: b.store}, nil
}

type Session struct {
	store Store
	from  string
	to    []string
}

func (s *Session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *Session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if !s.store.Exists(to) {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such user"}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *Session) Data(r io.Reader) error { return s.store.Save(s.from, s.to, r) }
func (s *Session) Reset()                 { s.from, s.to = "", nil }
func (s *Session) Logout() error          { return nil }

func (s *Session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *Session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if !s.store.Password(username, password) {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

// Store is the application's.
type Store interface {
	Exists(address string) bool
	Password(username, password string) bool
	Save(from string, to []string, r io.Reader) error
}

func before(store Store) {
	s := smtp.NewServer(&Backend{store})
	s.Addr = "127.0.0.1:2525"
	s.Domain = "mx.example.org"
	log.Fatal(s.ListenAndServe())
}

func onOurServer(ctx context.Context, store Store) error {
	s := smtp.NewServer(&Backend{store})
	s.Domain = "mx.example.org"
	srv, err := gosmtp.NewServer(s)
	if err != nil {
		return err
	}
	return srv.ListenAndServe(ctx, "127.0.0.1:2525")
}

func withPolicies(ctx context.Context, s *smtp.Server) error {
	cfg, err := gosmtp.Config(s)
	if err != nil {
		return err
	}
	throttle := &smtppolicy.Throttle{}
	cfg.Connect = smtppolicy.AllOf(throttle.Connect, cfg.Connect)
	cfg.Closed = smtppolicy.Each(throttle.Closed, cfg.Closed)
	cfg.StrictPipelining = true
	cfg.Newlines = smtpserver.RejectNewlines
	cfg.Receiver = mailsmtp.Chain(cfg.Receiver, throttle.Limit())
	return smtpserver.New(cfg).ListenAndServe(ctx, "127.0.0.1:2525")
}

var _ = []any{before, onOurServer, withPolicies}
