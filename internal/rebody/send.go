package rebody

import (
	"context"

	"github.com/mailstead/mailstead/smtp"
)

// Outcome is the status of a recipient.
type Outcome struct {
	smtp.RcptStatus
	Whole bool // the transaction failed: it is nobody's own
}

// Send gives the body to r in one transaction: one Outcome for each recipient of
// env.
func (s *Source) Send(ctx context.Context, r smtp.Receiver, env *smtp.Envelope) []Outcome {
	out := make([]Outcome, len(env.Recipients))
	all := func(err error) []Outcome {
		for i := range out {
			out[i] = Outcome{smtp.RcptStatus{Err: err}, true}
		}
		return out
	}
	tx, err := r.Begin(ctx, env.Mail)
	if err != nil {
		return all(err)
	}
	defer tx.Abort()
	errs := tx.Rcpt(ctx, env.Recipients)
	if len(errs) != len(out) {
		return all(smtp.ErrStatusCount)
	}
	var accepted []int
	for i, err := range errs {
		if out[i].Err = err; err == nil {
			accepted = append(accepted, i)
		}
	}
	if len(accepted) == 0 {
		return out
	}
	got, err := tx.Data(ctx, s.Body())
	if err == nil && len(got) != len(accepted) {
		err = smtp.ErrStatusCount
	}
	for n, i := range accepted {
		if err != nil {
			out[i] = Outcome{smtp.RcptStatus{Err: err}, true}
		} else {
			out[i].RcptStatus = got[n]
		}
	}
	return out
}
