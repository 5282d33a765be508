package watch

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
)

// backoff says how long to wait behind failures.
type backoff struct {
	first, most         time.Duration
	authFirst, authMost time.Duration
	failures            int
	refused             int // logins in a row
}

// reset is called when all went well.
func (b *backoff) reset() { b.failures, b.refused = 0, 0 }

// after is the time to wait behind an error; nil is one, too: the connection
// ended.
func (b *backoff) after(err error) time.Duration {
	d := b.first << min(b.failures, 20)
	b.failures++
	most := b.most
	if refusedLogin(err) {
		d, most = b.authFirst<<min(b.refused, 20), b.authMost
		b.refused++
	}
	if d > most || d <= 0 {
		d = most
	}
	return d - d/5 + rand.N(2*d/5+1)
}

// refusedLogin reports whether trying again soon would only lock the user out.
func refusedLogin(err error) bool {
	var e *imapclient.Error
	if !errors.As(err, &e) {
		return errors.Is(err, imapclient.ErrNoAuth)
	}
	switch e.Response.Code {
	case imap.CodeAuthenticationFailed, imap.CodeAuthorizationFailed, imap.CodeExpired, imap.CodePrivacyRequired, imap.CodeContactAdmin:
		return true
	}
	return (e.Command == "LOGIN" || e.Command == "AUTHENTICATE") && !e.Temporary()
}
