package smtpserver_test

// The code of docs/guide/from-go-smtp.md: what a backend for go-smtp becomes.

import (
	"context"
	"crypto/tls"
	"io"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

type receiver struct{ store mailStore }

func (r receiver) judge(_ context.Context, _ *smtp.Mail, rs []*smtp.Recipient) []error {
	errs := make([]error, len(rs))
	for i, rcpt := range rs {
		if !r.store.Exists(rcpt.ForwardPath.String()) {
			errs[i] = smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "No such user")
		}
	}
	return errs
}

func (r receiver) receive(_ context.Context, env *smtp.Envelope, body io.Reader) error {
	return r.store.Save(env, body) // nil: it is on stable storage
}

func (r receiver) login(_ context.Context, _ *smtp.Peer, _, username, password string) (string, error) {
	if !r.store.Password(username, password) {
		return "", smtpserver.ErrBadCredentials
	}
	return username, nil
}

func migrated(ctx context.Context, store mailStore, cert *tls.Config) error {
	r := receiver{store}
	srv := smtpserver.New(smtpserver.Config{
		Hostname:  "mx.example.org",
		Receiver:  smtp.Chain(smtp.ReceiveFunc(r.receive), smtp.JudgeRcpt(r.judge)),
		Auth:      smtpserver.PlainAuth(r.login),
		TLSConfig: cert,
	})
	return srv.ListenAndServe(ctx, "127.0.0.1:2525")
}

// mailStore is the application's.
type mailStore interface {
	Exists(address string) bool
	Password(username, password string) bool
	Save(env *smtp.Envelope, body io.Reader) error
}

// perRecipient is LMTPData of go-smtp: one status for each recipient.
func perRecipient(save func(to string, body *smtp.Spooled) error) smtp.Receiver {
	return smtp.EachRcpt(func(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
		spooled, err := smtp.Spool(b, smtp.SpoolOptions{})
		if err != nil {
			return nil, err
		}
		defer spooled.Close()
		status := smtp.Accepted(len(env.Recipients))
		for i, r := range env.Recipients {
			status[i].Err = save(r.ForwardPath.String(), spooled)
		}
		return status, nil
	})
}

var _ = []any{migrated, perRecipient}
