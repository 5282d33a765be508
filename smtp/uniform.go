package smtp

import (
	"context"
	"fmt"
)

// Uniform makes the results of r equal for callers that can pass on only one
// (plain SMTP; Mail.PerRecipient is false). Where r accepts the message for
// some recipients and refuses it for others, the others are handed to losers,
// a queue or a maker of DSNs, before anything is accepted. Where losers fails
// too, the whole message fails temporarily: a duplicate, never a loss.
//
// The body is spooled first, since it may be needed twice; a transaction with
// one recipient is passed through.
func Uniform(r, losers Receiver) Receiver { return &uniform{r: r, losers: losers} }

type uniform struct{ r, losers Receiver }

func (u *uniform) Begin(ctx context.Context, m *Mail) (Transaction, error) {
	if m.PerRecipient {
		return u.r.Begin(ctx, m)
	}
	inner := *m
	inner.PerRecipient = true
	t, err := u.r.Begin(ctx, &inner)
	if err != nil {
		return nil, err
	}
	return &uniformTransaction{Transaction: t, losers: u.losers, mail: &inner}, nil
}

type uniformTransaction struct {
	Transaction
	losers   Receiver
	mail     *Mail
	accepted []*Recipient
}

func (t *uniformTransaction) Rcpt(ctx context.Context, rs []*Recipient) []error {
	errs := t.Transaction.Rcpt(ctx, rs)
	for i, err := range errs {
		if err == nil && i < len(rs) {
			t.accepted = append(t.accepted, rs[i])
		}
	}
	return errs
}

func (t *uniformTransaction) Data(ctx context.Context, b *Body) ([]RcptStatus, error) {
	if len(t.accepted) < 2 {
		return t.Transaction.Data(ctx, b)
	}
	spooled, err := Spool(b, SpoolOptions{})
	if err != nil {
		return nil, err
	}
	defer spooled.Close()
	status, err := t.Transaction.Data(ctx, spooled.Body())
	if err != nil {
		return nil, err
	}
	if len(status) != len(t.accepted) {
		return nil, ErrStatusCount
	}
	var lost []*Recipient
	for i, s := range status {
		if s.Err != nil {
			lost = append(lost, t.accepted[i])
		}
	}
	if len(lost) == len(status) {
		return Refused(len(status), worst(status)), nil
	}
	if len(lost) > 0 {
		if err := Hand(ctx, t.losers, t.mail, lost, spooled.Body()); err != nil {
			return nil, fmt.Errorf("smtp: recipients that failed could not be handed on: %w", temporary(err))
		}
	}
	for i := range status {
		status[i].Err = nil
	}
	return status, nil
}

// worst chooses the error that stands for all: a temporary one where there is
// one, since trying again may help somebody.
func worst(status []RcptStatus) error {
	for _, s := range status {
		if !IsPermanent(s.Err) {
			return s.Err
		}
	}
	return status[0].Err
}

// temporary hides a permanent reply: it was the losers' receiver that gave
// it, and the sender may not take it for a verdict on all recipients.
func temporary(err error) error {
	if !IsPermanent(err) {
		return err
	}
	return &Error{Reply: localError(), Err: err}
}

// Hand gives a whole message to r: one transaction with the recipients rs. It
// returns nil only when r took responsibility for all of them.
func Hand(ctx context.Context, r Receiver, m *Mail, rs []*Recipient, b *Body) error {
	t, err := r.Begin(ctx, m)
	if err != nil {
		return err
	}
	defer t.Abort()
	for start := 0; start < len(rs); start += maxRcptBatch {
		batch := rs[start:min(start+maxRcptBatch, len(rs))]
		errs := t.Rcpt(ctx, batch)
		if len(errs) != len(batch) {
			return ErrStatusCount
		}
		for _, err := range errs {
			if err != nil {
				return err
			}
		}
	}
	status, err := t.Data(ctx, b)
	if err != nil {
		return err
	}
	if len(status) != len(rs) {
		return ErrStatusCount
	}
	for _, s := range status {
		if s.Err != nil {
			return s.Err
		}
	}
	return nil
}

// maxRcptBatch is the largest number of recipients in one call of Rcpt.
const maxRcptBatch = 100
