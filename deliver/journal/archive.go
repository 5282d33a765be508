package journal

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/smtp"
)

// Archive gives each message, as it is, to a second receiver before the one
// behind it sees it. To is required.
//
// The two do not share a commit: the archive comes first, so no message is
// accepted that it does not have, but it may have one that was refused
// afterwards. Where the message goes into a queue, a Journal has neither.
type Archive struct {
	// To takes the copies. What it refuses refuses the message for now.
	To smtp.Receiver

	// Recipients are those of the copies; nil = those of the message.
	Recipients []*smtp.Recipient

	// Skip reports mail that is not archived; nil = all is.
	Skip func(*smtp.Mail) bool

	// Spool is where bodies are kept until both have read them.
	Spool smtp.SpoolOptions
}

// Middleware puts the archive in front of a receiver.
func (a *Archive) Middleware() smtp.Middleware {
	return func(next smtp.Receiver) smtp.Receiver { return &archiving{a, next} }
}

type archiving struct {
	a    *Archive
	next smtp.Receiver
}

func (r *archiving) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	tx, err := r.next.Begin(ctx, m)
	if err != nil || r.a.Skip != nil && r.a.Skip(m) {
		return tx, err
	}
	return &archivingTransaction{Transaction: tx, a: r.a, mail: m}, nil
}

type archivingTransaction struct {
	smtp.Transaction
	a     *Archive
	mail  *smtp.Mail
	rcpts []*smtp.Recipient
}

func (t *archivingTransaction) Rcpt(ctx context.Context, rs []*smtp.Recipient) []error {
	errs := t.Transaction.Rcpt(ctx, rs)
	for i, err := range errs {
		if err == nil && i < len(rs) {
			t.rcpts = append(t.rcpts, rs[i])
		}
	}
	return errs
}

// Data spools the body, archives it, and passes it on.
func (t *archivingTransaction) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	spooled, err := smtp.Spool(b, t.a.Spool)
	if err != nil {
		return nil, err
	}
	defer spooled.Close()
	mail := *t.mail
	mail.PerRecipient = true // Hand wants all of them
	if mail.Once != "" {
		mail.Once = "archive\x00" + mail.Once
	}
	rcpts := t.a.Recipients
	if rcpts == nil {
		rcpts = t.rcpts
	}
	if err := smtp.Hand(ctx, t.a.To, &mail, rcpts, spooled.Body()); err != nil {
		err = fmt.Errorf("journal: archive: %w", err)
		return nil, &smtp.Error{Reply: smtp.NewReply(451, smtp.EnhancedCode{Class: 4, Subject: 3}, "Message cannot be archived now"), Err: err}
	}
	return t.Transaction.Data(ctx, spooled.Body())
}
