package smtp

import (
	"context"
	"errors"
	"io"
)

// Receiver takes responsibility for mail (RFC 5321 §6.1). Intake, filter,
// queue, relay, local delivery, journal and fan-out all have this shape, so
// they compose. Begin may be called from any number of goroutines.
type Receiver interface {
	// Begin opens a transaction for one message. An error refuses MAIL.
	Begin(ctx context.Context, m *Mail) (Transaction, error)
}

// Transaction is one message on its way in. One goroutine at a time uses it.
type Transaction interface {
	// Rcpt judges the RCPT lines that have been received (1..100), one
	// result each, nil = accepted. It may be called again with more, also
	// after all of an earlier call were refused. The recipients may be kept,
	// the slice rs is valid during the call.
	Rcpt(ctx context.Context, rs []*Recipient) []error

	// Data reads the body to its clean end and takes responsibility. It is
	// called at most once, after at least one recipient was accepted.
	//
	// An error: nobody has the message. Otherwise one status for each
	// accepted recipient, in RCPT order, duplicates included; a status
	// without Err promises that the message is on stable storage.
	Data(ctx context.Context, b *Body) ([]RcptStatus, error)

	// Abort gives up the transaction. Idempotent, never blocks, and has no
	// effect after Data.
	Abort()
}

// RcptStatus is the outcome of Data for one recipient. The zero value is
// "accepted".
type RcptStatus struct {
	// Err is why this recipient was refused; nil = on stable storage.
	Err error

	// Text is added to the 2xx reply (a next hop's queue id); "" = none.
	Text string

	// Passed are the wishes of the sender that a next hop has taken over, so
	// that nobody here has to act on them; zero = none.
	Passed Wishes
}

// Wishes are what a sender asked for beyond delivery.
type Wishes uint8

// The wishes.
const (
	WishDSN       Wishes = 1 << iota // to hear of success, failure and delay (RFC 3461)
	WishDeliverBy                    // delivery in time (RFC 2852)
)

// Accepted returns n statuses without an error.
func Accepted(n int) []RcptStatus { return make([]RcptStatus, n) }

// Refused returns n statuses that all carry err.
func Refused(n int, err error) []RcptStatus {
	s := make([]RcptStatus, n)
	for i := range s {
		s[i].Err = err
	}
	return s
}

// Envelope is the whole of what surrounds a body once the last RCPT is known.
type Envelope struct {
	Mail       *Mail
	Recipients []*Recipient
}

// ReceiveFunc adapts a function to a Receiver: it is called once a message,
// reads the body from r, and returns nil only when it has the message safe.
// An *Error chooses the reply; any other error leaves as 451 4.3.0.
type ReceiveFunc func(ctx context.Context, env *Envelope, r io.Reader) error

// Begin implements Receiver.
func (f ReceiveFunc) Begin(_ context.Context, m *Mail) (Transaction, error) {
	return &funcTransaction{env: Envelope{Mail: m}, data: func(ctx context.Context, env *Envelope, b *Body) ([]RcptStatus, error) {
		if err := f(ctx, env, b); err != nil {
			return nil, err
		}
		if err := b.drain(); err != nil {
			return nil, err
		}
		return Accepted(len(env.Recipients)), nil
	}}, nil
}

// EachRcpt adapts a function that returns one status for each recipient. It
// must read b to io.EOF before it accepts.
type EachRcpt func(ctx context.Context, env *Envelope, b *Body) ([]RcptStatus, error)

// Begin implements Receiver.
func (f EachRcpt) Begin(_ context.Context, m *Mail) (Transaction, error) {
	return &funcTransaction{env: Envelope{Mail: m}, data: f}, nil
}

type funcTransaction struct {
	env  Envelope
	data EachRcpt
}

func (t *funcTransaction) Rcpt(_ context.Context, rs []*Recipient) []error {
	t.env.Recipients = append(t.env.Recipients, rs...)
	return make([]error, len(rs))
}

func (t *funcTransaction) Data(ctx context.Context, b *Body) ([]RcptStatus, error) {
	return t.data(ctx, &t.env, b)
}

func (t *funcTransaction) Abort() {}

// Middleware wraps a Receiver with another.
type Middleware func(Receiver) Receiver

// Chain wraps r so that the first of mw sees a transaction first.
func Chain(r Receiver, mw ...Middleware) Receiver {
	for i := len(mw) - 1; i >= 0; i-- {
		r = mw[i](r)
	}
	return r
}

// ErrStatusCount: a Receiver returned another number of statuses than it has
// accepted recipients. Callers treat it as a temporary failure of all.
var ErrStatusCount = errors.New("smtp: receiver returned a wrong number of statuses")
