package pop3source

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/pop3"
	"github.com/mailstead/mailstead/pop3/pop3client"
)

// Source is a maildrop on a POP3 server. Its fields do not change while it is
// used; any number of goroutines may use it.
type Source struct {
	// Addr is the server, "host:port".
	Addr string

	// Dialer connects and logs in; nil = the zero one, whose server lets
	// everybody in.
	Dialer *pop3client.Dialer

	// NoIDs knows messages by header and size in place of unique-ids, for a
	// server that gives known ones to new messages.
	NoIDs bool
}

// Open connects and logs in; it is a fetch.Source's Open. fetch.ErrAuth: the
// server does not take the credentials; fetch.ErrBusy: somebody else has the
// maildrop, or this one was here too lately.
func (s Source) Open(ctx context.Context) (fetch.Session, error) {
	d := s.Dialer
	if d == nil {
		d = &pop3client.Dialer{}
	}
	c, err := d.Dial(ctx, "tcp", s.Addr)
	if err != nil {
		return nil, meaning(err)
	}
	return &session{s: s, c: c}, nil
}

// meaning says to the Collector what a refusal means.
func meaning(err error) error {
	refusal, ok := errors.AsType[*pop3client.Error](err)
	switch {
	case !ok:
		return err
	case errors.Is(err, pop3.CodeInUse), errors.Is(err, pop3.CodeLoginDelay):
		return fmt.Errorf("%w: %w", fetch.ErrBusy, err)
	case refusal.BadCredentials():
		return fmt.Errorf("%w: %w", fetch.ErrAuth, err)
	}
	return err
}
