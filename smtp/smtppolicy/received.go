package smtppolicy

import (
	"context"

	"github.com/mailstead/mailstead/smtp"
)

// Received returns a middleware that puts this host's Received field in front
// of each message (RFC 5321 §4.4). hostname is the name in its "by" clause.
func Received(hostname string) smtp.Middleware {
	return func(next smtp.Receiver) smtp.Receiver { return &receivedWrapper{hostname, next} }
}

type receivedWrapper struct {
	hostname string
	next     smtp.Receiver
}

func (w *receivedWrapper) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	tx, err := w.next.Begin(ctx, m)
	if err != nil {
		return nil, err
	}
	return &receivedTransaction{Transaction: tx, hostname: w.hostname, mail: m}, nil
}

type receivedTransaction struct {
	smtp.Transaction
	hostname string
	mail     *smtp.Mail
	accepted []*smtp.Recipient
}

// Rcpt notes whom the "for" clause may name: only a single recipient.
func (t *receivedTransaction) Rcpt(ctx context.Context, rs []*smtp.Recipient) []error {
	errs := t.Transaction.Rcpt(ctx, rs)
	for i, err := range errs {
		if err == nil && i < len(rs) && len(t.accepted) < 2 {
			t.accepted = append(t.accepted, rs[i])
		}
	}
	return errs
}

func (t *receivedTransaction) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	b.Prepend(smtp.AppendReceived(nil, t.mail, t.hostname, t.accepted))
	return t.Transaction.Data(ctx, b)
}
