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
	return smtp.JudgeRcpt(func(ctx context.Context, m *smtp.Mail, rs []*smtp.Recipient) []error {
		mayRelay := relay != nil && relay(m)
		paths := make([]smtp.ForwardPath, len(rs))
		for i, r := range rs {
			paths[i] = r.ForwardPath
		}
		errs := make([]error, len(rs))
		entries, err := dir.Lookup(ctx, paths)
		if err == nil && len(entries) != len(rs) {
			err = errLookupCount
		}
		for i := range rs {
			if err != nil {
				errs[i] = directoryError(err)
			} else {
				errs[i] = judge(entries[i], mayRelay)
			}
		}
		return errs
	})
}

func judge(e Entry, mayRelay bool) error {
	switch {
	case e.Err != nil:
		return directoryError(e.Err)
	case e.Kind == Unknown:
		return errNoSuchUser()
	case e.Kind == Remote && !mayRelay:
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
