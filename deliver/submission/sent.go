package submission

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/deliver/intake"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
)

// Sent keeps a copy of what a user submits in that user's mailbox for sent mail:
// the one with the special use \Sent, else one of the name Mailbox, else a new
// one. The copy is as the message left, with the Bcc that its sender wrote in
// front, and has \Seen.
//
// It is a step of an intake.Intake, where it queues the copy in the commit that
// accepts the message, and it wraps the Runner's router, where it delivers it:
// see Router. So it works with every pair of a queue and a store, whether they
// share a database or not; what a crash interrupts is done again, and
// store.Change.Once keeps the copy single.
//
// Store is required. The fields are set before the first use. Any number of
// goroutines may use it.
type Sent struct {
	Store store.Store

	// Account is the account of an identity; "" = no copy. nil = it has the
	// same name. Who has no account there has no copy.
	Account func(ctx context.Context, identity string) (store.AccountID, error)

	// Mailbox is the name that is looked for, and of a new mailbox; "" = Sent.
	Mailbox string

	// NoCreate makes no mailbox; who has none has no copy.
	NoCreate bool

	// Window, when not zero, makes no copy where the mailbox has a message with
	// the same Message-ID that came into it since the submission, or up to
	// Window before: the client's own copy. Clients append theirs after they
	// have submitted, so the copy waits for Delay.
	Window time.Duration
	Delay  time.Duration

	// RefuseFull refuses a message whose copy would not fit into the account's
	// quota, with 452 4.2.2; else it goes on, and its copy waits until there is
	// room, or it expires.
	RefuseFull bool

	// Want says of which messages there are copies; nil = of all.
	Want func(*smtp.Mail) bool
}

// The destination and the kind of copies in a queue begin so; behind it is the
// account. The destination is local, so that what fails says nothing about other
// hosts.
const (
	sentDestination = queue.Local + "/sent/"
	sentKind        = "sent:"
)

var _ intake.Step = (*Sent)(nil)

// Prepare implements intake.Step: it appends the job of the copy.
func (s *Sent) Prepare(ctx context.Context, m *intake.Message) error {
	if m.Mail.Peer == nil || m.Mail.Peer.Identity == "" || s.Want != nil && !s.Want(m.Mail) {
		return nil
	}
	id, err := s.account(ctx, m.Mail.Peer.Identity)
	if err != nil || id == "" {
		return err
	}
	acct, err := s.Store.Open(ctx, id)
	if errors.Is(err, store.ErrNoAccount) {
		return nil
	}
	if err != nil {
		return err
	}
	job := s.job(ctx, m, id)
	if s.RefuseFull {
		if err := fits(ctx, acct, job.Size+int64(len(job.Prefix))); err != nil {
			return err
		}
	}
	m.Jobs = append(m.Jobs, job)
	return nil
}

func (s *Sent) account(ctx context.Context, identity string) (store.AccountID, error) {
	if s.Account == nil {
		return store.AccountID(identity), nil
	}
	return s.Account(ctx, identity)
}

func (s *Sent) job(ctx context.Context, m *intake.Message, id store.AccountID) queue.Job {
	job := m.Extra(sentKind + string(id))
	job.Destination = sentDestination + string(id)
	job.Identity = m.Mail.Peer.Identity
	job.Prefix = append(slices.Clone(recordOf(ctx).bcc), m.Trace...)
	job.Due = job.Created.Add(s.Delay)
	path, err := smtp.ParseMailbox(string(id), true)
	if err != nil {
		path = smtp.Path{Local: string(id)} // for the operator to see
	}
	job.Recipients = []queue.Recipient{{Recipient: smtp.Recipient{
		ForwardPath: smtp.ForwardPath{Path: path}, Params: smtp.RcptParams{Notify: smtp.NotifyNever},
	}}}
	return job
}

// fits refuses what the account has no room for.
func fits(ctx context.Context, acct store.Account, size int64) error {
	before, err := acct.Usage(ctx)
	if err != nil {
		return err
	}
	after := before
	after.Bytes += size
	after.Messages++
	if err := after.Check(before); err != nil {
		return full(err)
	}
	return nil
}

func full(err error) error {
	return &smtp.Error{Reply: smtp.NewReply(452, smtp.EnhancedCode{Class: 4, Subject: 2, Detail: 2}, "Your mailbox is full"), Err: err}
}

// Router delivers the copies; all other jobs are those of next.
func (s *Sent) Router(next queue.Router) queue.Router { return &sentRouter{next, s} }

type sentRouter struct {
	queue.Router
	s *Sent
}

// Route implements queue.Router. A copy is known wherever an operator has sent it
// (queue.Edit): it has the Bcc field, and must not leave the host.
func (r *sentRouter) Route(ctx context.Context, job *queue.Job) ([]queue.Hop, error) {
	id, ok := strings.CutPrefix(job.Kind, sentKind)
	if !ok || len(job.Recipients) != 1 {
		return r.Router.Route(ctx, job)
	}
	d := smtp.EachRcpt(func(ctx context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
		if err := r.s.deliver(ctx, store.AccountID(id), env.Mail, b); err != nil {
			return nil, err
		}
		return smtp.Accepted(len(env.Recipients)), nil
	})
	return []queue.Hop{{Recipients: []int{0}, Receiver: d, Name: queue.Local}}, nil
}

// HoldBeyond returns a step that holds what a user sends beyond a rate, in place
// of refusing it: take counts a message and reports whether it was within
// (smtppolicy.Users.Take). It stands in front of the steps that add jobs.
func HoldBeyond(take func(m *smtp.Mail, recipients int) bool) intake.Step {
	return intake.StepFunc(func(_ context.Context, m *intake.Message) error {
		if take(m.Mail, len(m.Recipients)) {
			return nil
		}
		for i := range m.Jobs {
			m.Jobs[i].Hold = "beyond the rate of " + m.Mail.Peer.Identity
		}
		return nil
	})
}
