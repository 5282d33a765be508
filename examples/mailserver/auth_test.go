package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// The three servers give the answers that the table in the package comment of
// login asks for: a backend in trouble is never told as a wrong password.
func TestLoginErrors(t *testing.T) {
	other := errors.New("no database")
	tests := []struct {
		err        error
		smtp       int   // code of a reply; 0 = the server's own for smtpIs
		smtpIs     error // nil = none of the server's
		imap, pop3 error
	}{
		{nil, 0, nil, nil, nil},
		{login.ErrRejected, 0, smtpserver.ErrBadCredentials, imapserver.ErrRejected, pop3server.ErrRejected},
		{login.ErrTooMany, 0, nil, imapserver.ErrTooManyTries, pop3server.ErrTooManyTries},
		{login.ErrTemporary, 0, nil, login.ErrTemporary, login.ErrTemporary},
		{login.ErrTLSRequired, 538, nil, imapserver.ErrPrivacyRequired, login.ErrTLSRequired},
		{login.ErrMechanism, 504, nil, login.ErrMechanism, login.ErrMechanism},
		{login.ErrMalformed, 501, nil, imapserver.ErrMalformed, login.ErrMalformed},
		{other, 0, nil, other, other},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.err), func(t *testing.T) {
			err := test.err
			if err != nil {
				err = fmt.Errorf("wrapped: %w", err)
			}
			got := smtpLoginError(err)
			reply, isReply := errors.AsType[*smtp.Error](got)
			switch {
			case test.smtp != 0 && (!isReply || reply.Reply.Code != test.smtp):
				t.Errorf("SMTP: %v, want %d", got, test.smtp)
			case test.smtp == 0 && isReply, test.smtpIs != nil && !errors.Is(got, test.smtpIs),
				test.smtpIs == nil && errors.Is(got, smtpserver.ErrBadCredentials), !errors.Is(got, err):
				t.Errorf("SMTP: %v, want %v", got, test.smtpIs)
			}
			if got := imapLoginError(err); !errors.Is(got, test.imap) {
				t.Errorf("IMAP: %v, want %v", got, test.imap)
			}
			if got := pop3LoginError(err); !errors.Is(got, test.pop3) {
				t.Errorf("POP3: %v, want %v", got, test.pop3)
			}
		})
	}
}
