package smtppolicy

import (
	"context"

	"github.com/mailstead/mailstead/smtp"
)

// RequireTLS refuses MAIL without TLS, with 530 5.7.0 (RFC 3207 §4). Mail for
// which unless reports true passes; nil = none. smtpserver.Config.RequireTLS
// does it for a whole server.
func RequireTLS(unless func(*smtp.Mail) bool) smtp.Middleware {
	return require("Must issue a STARTTLS command first", func(m *smtp.Mail) bool {
		return m.Peer.TLS != nil || unless != nil && unless(m)
	})
}

// RequireAuth refuses MAIL without AUTH, with 530 5.7.0 (RFC 4954 §6). Mail for
// which unless reports true passes; nil = none. smtpserver.Config.RequireAuth
// does it for a whole server.
func RequireAuth(unless func(*smtp.Mail) bool) smtp.Middleware {
	return require("Authentication required", func(m *smtp.Mail) bool {
		return m.Peer.Identity != "" || unless != nil && unless(m)
	})
}

// require refuses mail that does not fulfil a condition. Mail that starts here
// has no peer and does.
func require(text string, fulfils func(*smtp.Mail) bool) smtp.Middleware {
	return smtp.JudgeMail(func(_ context.Context, m *smtp.Mail) error {
		if m.Peer == nil || fulfils(m) {
			return nil
		}
		return smtp.Errorf(530, smtp.EnhancedCode{Class: 5, Subject: 7}, "%s", text)
	})
}

// SenderLogin lets an authenticated account use only reverse-paths for which
// may reports true, and the null sender, which reports need (RFC 8098 §3);
// others are refused with 553 5.7.1 (RFC 6409 §6.1). When may fails, MAIL is
// deferred with 451 4.3.0. Who is not authenticated is not judged: see
// RequireAuth. deliver.MaySend asks a Directory.
func SenderLogin(may func(ctx context.Context, account string, from smtp.ReversePath) (bool, error)) smtp.Middleware {
	return smtp.JudgeMail(func(ctx context.Context, m *smtp.Mail) error {
		if m.Peer == nil || m.Peer.Identity == "" || m.ReversePath.IsNull() {
			return nil
		}
		ok, err := may(ctx, m.Peer.Identity, m.ReversePath)
		if err != nil {
			return refusal(451, smtp.EnhancedCode{Class: 4, Subject: 3}, "Cannot look up the sender now", err)
		}
		if !ok {
			return smtp.Errorf(553, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, "This sender address is not yours")
		}
		return nil
	})
}
