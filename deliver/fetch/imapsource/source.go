package imapsource

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
)

// Source is an account on an IMAP server, or some of its mailboxes. Its fields
// do not change while it is used; any number of goroutines may use it.
type Source struct {
	// Addr is the server, "host:port".
	Addr string

	// Dialer connects and logs in; nil = the zero one, with implicit TLS.
	Dialer *imapclient.Dialer

	// Mailboxes are those that are collected, in UTF-8; nil = INBOX. A name with
	// "*" or "%" is a pattern (RFC 9051 §6.3.9), which leaves out what cannot be
	// selected, drafts, junk, trash, and what holds messages of other mailboxes
	// (\All, \Flagged), and where the server refuses one, that one.
	Mailboxes []string

	// OnRefused hears of a mailbox of a pattern that the server refuses to open;
	// it must not block. nil = nobody.
	OnRefused func(mailbox string, err error)

	// Except are mailboxes that patterns leave out.
	Except []string

	// MoveTo is the mailbox to which messages go that are to leave the server;
	// "" = they are deleted. It is no mailbox that is collected.
	MoveTo string

	// ReadOnly opens mailboxes without the right to delete: for an account of
	// which all stays on the server.
	ReadOnly bool
}

// ErrMoveTo: messages would be collected where they are moved to.
var ErrMoveTo = errors.New("imapsource: MoveTo is collected itself")

// Open connects and logs in; it is a fetch.Source's Open. fetch.ErrAuth: the
// server does not take the credentials; fetch.ErrBusy: it does not want another
// connection now.
func (s Source) Open(ctx context.Context) (fetch.Session, error) {
	if s.Dialer == nil {
		s.Dialer = &imapclient.Dialer{}
	}
	c, err := s.Dialer.Dial(ctx, "tcp", s.Addr)
	if err != nil {
		return nil, meaning(err)
	}
	ses := &session{s: s, c: c, boxes: make(map[string]*box), marked: make(map[string]imap.UIDSet)}
	ses.listen(s.Dialer.Handler)
	return ses, nil
}

// meaning says to the Collector what a refusal means (RFC 5530 §3).
func meaning(err error) error {
	refusal, ok := errors.AsType[*imapclient.Error](err)
	if !ok {
		return err
	}
	login := refusal.Command == "LOGIN" || refusal.Command == "AUTHENTICATE"
	switch refusal.Response.Code {
	case imap.CodeInUse, imap.CodeLimit:
		return fmt.Errorf("%w: %w", fetch.ErrBusy, err)
	case imap.CodeUnavailable, imap.CodeServerBug:
		return err
	case imap.CodeAuthenticationFailed, imap.CodeAuthorizationFailed, imap.CodeExpired, imap.CodeContactAdmin:
		return fmt.Errorf("%w: %w", fetch.ErrAuth, err)
	}
	if login && refusal.Response.Condition == imap.ConditionNo {
		return fmt.Errorf("%w: %w", fetch.ErrAuth, err)
	}
	return err
}
