package smtppolicy

import (
	"context"

	"github.com/mailstead/mailstead/smtp"
)

// WrapData returns a middleware that calls f before the next receiver reads a
// body: f may wrap the body or add fields to it. An error refuses the message
// unread.
func WrapData(f func(ctx context.Context, m *smtp.Mail, b *smtp.Body) error) smtp.Middleware {
	return func(next smtp.Receiver) smtp.Receiver { return &dataWrapper{f, next} }
}

type dataWrapper struct {
	f    func(context.Context, *smtp.Mail, *smtp.Body) error
	next smtp.Receiver
}

func (w *dataWrapper) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	tx, err := w.next.Begin(ctx, m)
	if err != nil {
		return nil, err
	}
	return &wrappedTransaction{tx, w, m}, nil
}

type wrappedTransaction struct {
	smtp.Transaction
	w    *dataWrapper
	mail *smtp.Mail
}

func (t *wrappedTransaction) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	if err := t.w.f(ctx, t.mail, b); err != nil {
		return nil, err
	}
	return t.Transaction.Data(ctx, b)
}
