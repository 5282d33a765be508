package srs

import (
	"context"
	"errors"

	"github.com/mailstead/mailstead/smtp"
)

// Forwarding returns a middleware that rewrites the reverse-path of each
// transaction, for a receiver through which mail leaves: senders of local domains
// stay, those of others were forwarded. A path that would be too long stays as
// it is: SPF then fails at the next host, DKIM may speak for the message, and
// a bounce still finds its sender.
func (s *Scheme) Forwarding() smtp.Middleware {
	return func(next smtp.Receiver) smtp.Receiver { return &forwarding{s, next} }
}

type forwarding struct {
	s    *Scheme
	next smtp.Receiver
}

func (f *forwarding) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	path, err := f.s.Forward(m.ReversePath)
	if err != nil && !errors.Is(err, ErrTooLong) {
		return nil, err
	}
	out := *m
	out.ReversePath = path
	return f.next.Begin(ctx, &out)
}

// Bounces returns a middleware that puts the original sender in the place of a
// rewritten path at RCPT. It stands behind what judges recipients, which has to
// let these addresses pass (see Scheme.Is), since the sender is not ours. What has a wrong
// hash or is too old is refused with 550 5.1.1, and a sender that is not the
// null one with 550 5.7.1.
func (s *Scheme) Bounces() smtp.Middleware {
	return func(next smtp.Receiver) smtp.Receiver { return &bounces{s, next} }
}

type bounces struct {
	s    *Scheme
	next smtp.Receiver
}

func (b *bounces) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	tx, err := b.next.Begin(ctx, m)
	if err != nil {
		return nil, err
	}
	return &bounce{tx, b.s, m}, nil
}

type bounce struct {
	smtp.Transaction
	s    *Scheme
	mail *smtp.Mail
}

// Rcpt passes on in one call what it lets through.
func (b *bounce) Rcpt(ctx context.Context, rs []*smtp.Recipient) []error {
	errs := make([]error, len(rs))
	pass := make([]*smtp.Recipient, 0, len(rs))
	at := make([]int, 0, len(rs))
	for i, r := range rs {
		to, err := b.original(r)
		if err != nil {
			errs[i] = err
			continue
		}
		pass, at = append(pass, to), append(at, i)
	}
	if len(pass) == 0 {
		return errs
	}
	inner := b.Transaction.Rcpt(ctx, pass)
	for k, i := range at {
		if len(inner) != len(pass) {
			errs[i] = smtp.ErrStatusCount
		} else {
			errs[i] = inner[k]
		}
	}
	return errs
}

func (b *bounce) original(r *smtp.Recipient) (*smtp.Recipient, error) {
	if !b.s.Is(r.ForwardPath.Path) {
		return r, nil
	}
	if !b.mail.ReversePath.IsNull() && !b.s.AnySender {
		return nil, smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, "This address takes bounces only")
	}
	path, err := b.s.Reverse(r.ForwardPath.Path)
	switch {
	case errors.Is(err, ErrConfig):
		return nil, err // ours: the bounce comes again
	case err != nil:
		return nil, &smtp.Error{Reply: smtp.NewReply(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "No such address"), Err: err}
	}
	return &smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: path}, Params: r.Params}, nil
}
