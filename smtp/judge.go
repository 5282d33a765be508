package smtp

import "context"

// JudgeMail returns a middleware that lets judge refuse a transaction at MAIL,
// before the next Receiver sees it.
func JudgeMail(judge func(ctx context.Context, m *Mail) error) Middleware {
	return func(next Receiver) Receiver { return &mailJudge{judge, next} }
}

type mailJudge struct {
	judge func(context.Context, *Mail) error
	next  Receiver
}

func (j *mailJudge) Begin(ctx context.Context, m *Mail) (Transaction, error) {
	if err := j.judge(ctx, m); err != nil {
		return nil, err
	}
	return j.next.Begin(ctx, m)
}

// JudgeRcpt returns a middleware that lets judge refuse recipients: it returns
// one result each, and those with nil are passed on in one call, which judges
// them again.
func JudgeRcpt(judge func(ctx context.Context, m *Mail, rs []*Recipient) []error) Middleware {
	return func(next Receiver) Receiver { return &rcptJudge{judge, next} }
}

type rcptJudge struct {
	judge func(context.Context, *Mail, []*Recipient) []error
	next  Receiver
}

func (j *rcptJudge) Begin(ctx context.Context, m *Mail) (Transaction, error) {
	tx, err := j.next.Begin(ctx, m)
	if err != nil {
		return nil, err
	}
	return &judgedTransaction{Transaction: tx, j: j, mail: m}, nil
}

type judgedTransaction struct {
	Transaction
	j    *rcptJudge
	mail *Mail
}

// Rcpt passes on those that the judge lets through. A wrong number of results
// on either side is a temporary failure of all that it concerns.
func (t *judgedTransaction) Rcpt(ctx context.Context, rs []*Recipient) []error {
	errs := t.j.judge(ctx, t.mail, rs)
	if len(errs) != len(rs) {
		return allErrors(len(rs), ErrStatusCount)
	}
	var pass []*Recipient
	for i, r := range rs {
		if errs[i] == nil {
			pass = append(pass, r)
		}
	}
	if len(pass) == 0 {
		return errs
	}
	inner := t.Transaction.Rcpt(ctx, pass)
	if len(inner) != len(pass) {
		inner = allErrors(len(pass), ErrStatusCount)
	}
	for i := range errs {
		if errs[i] == nil {
			errs[i], inner = inner[0], inner[1:]
		}
	}
	return errs
}

func allErrors(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}
