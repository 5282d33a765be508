package deliver

import (
	"context"

	"github.com/mailstead/mailstead/smtp"
)

// Gate returns a middleware that judges each RCPT by a Directory: who may
// relay is said by the function relay (an authenticated submission), nil =
// nobody. Unknown local recipients are refused with 550 5.1.1, foreign ones
// with 550 5.7.1 (RFC 5321 §3.6.2), a failing directory with 451 4.3.0.
func Gate(dir Directory, relay func(*smtp.Mail) bool) smtp.Middleware {
	return func(next smtp.Receiver) smtp.Receiver {
		return &gate{dir: dir, relay: relay, next: next}
	}
}

type gate struct {
	dir   Directory
	relay func(*smtp.Mail) bool
	next  smtp.Receiver
}

func (g *gate) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	tx, err := g.next.Begin(ctx, m)
	if err != nil {
		return nil, err
	}
	return &gateTransaction{Transaction: tx, g: g, relay: g.relay != nil && g.relay(m)}, nil
}

type gateTransaction struct {
	smtp.Transaction
	g     *gate
	relay bool
}

// Rcpt passes on those that the directory lets through, in one call.
func (t *gateTransaction) Rcpt(ctx context.Context, rs []*smtp.Recipient) []error {
	paths := make([]smtp.ForwardPath, len(rs))
	for i, r := range rs {
		paths[i] = r.ForwardPath
	}
	errs := make([]error, len(rs))
	entries, err := t.g.dir.Lookup(ctx, paths)
	if err == nil && len(entries) != len(rs) {
		err = errLookupCount
	}
	var pass []*smtp.Recipient
	var places []int
	for i, r := range rs {
		if err != nil {
			errs[i] = directoryError(err)
		} else if errs[i] = t.judge(entries[i]); errs[i] == nil {
			pass, places = append(pass, r), append(places, i)
		}
	}
	if len(pass) == 0 {
		return errs
	}
	inner := t.Transaction.Rcpt(ctx, pass)
	for i, place := range places {
		if len(inner) != len(pass) {
			errs[place] = smtp.ErrStatusCount
		} else {
			errs[place] = inner[i]
		}
	}
	return errs
}

func (t *gateTransaction) judge(e Entry) error {
	switch {
	case e.Err != nil:
		return directoryError(e.Err)
	case e.Kind == Unknown:
		return errNoSuchUser()
	case e.Kind == Remote && !t.relay:
		return smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, "Relaying denied")
	}
	return nil
}

func errNoSuchUser() error {
	return smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "No such user here")
}

func directoryError(err error) error {
	return &smtp.Error{
		Reply: smtp.NewReply(451, smtp.EnhancedCode{Class: 4, Subject: 3}, "Cannot look up this address now"),
		Err:   err,
	}
}
