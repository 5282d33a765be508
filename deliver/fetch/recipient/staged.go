package recipient

import (
	"context"

	"github.com/mailstead/mailstead/internal/rebody"
	"github.com/mailstead/mailstead/smtp"
)

// Staged is a Receiver that gives each recipient to the server where Stages says
// his mail goes. One at PlaceBoth is delivered when both have it: until then it
// is tried again at both, and a server that does not know Mail.Once has it
// twice. The old server has a key of its own, so that both may be reached by the
// same queue. All fields are required. What it returns is mixed: it stands behind a
// queue or a collector, not behind a plain SMTP session (see smtp.Uniform).
type Staged struct {
	Stages   *Stages
	New, Old smtp.Receiver
}

// Begin implements smtp.Receiver.
func (s *Staged) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	return &stagedTransaction{s: s, mail: m}, nil
}

type stagedTransaction struct {
	s      *Staged
	mail   *smtp.Mail
	rcpts  []*smtp.Recipient
	places []Place // of rcpts, as they were when Rcpt was called
}

// Rcpt accepts all: the servers are asked in Data.
func (t *stagedTransaction) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	for _, r := range rs {
		t.rcpts = append(t.rcpts, r)
		t.places = append(t.places, t.s.Stages.Place(r.ForwardPath.Path))
	}
	return make([]error, len(rs))
}

func (t *stagedTransaction) Abort() {}

// Data implements smtp.Transaction. The new server comes first: whoever is at
// both reads there.
func (t *stagedTransaction) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	src, err := rebody.New(ctx, b)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	out := smtp.Accepted(len(t.rcpts))
	t.give(ctx, t.s.New, src, out, PlaceNew)
	t.give(ctx, t.s.Old, src, out, PlaceOld)
	return out, nil
}

// give has one server take those who are at place, or at both.
func (t *stagedTransaction) give(ctx context.Context, to smtp.Receiver, src *rebody.Source, out []smtp.RcptStatus, place Place) {
	var mine []int
	env := &smtp.Envelope{Mail: t.mail}
	if place == PlaceOld && t.mail.Once != "" {
		mail := *t.mail
		mail.Once = "old\x00" + mail.Once
		env.Mail = &mail
	}
	for i, p := range t.places {
		if p == place || p == PlaceBoth && out[i].Err == nil {
			mine = append(mine, i)
			env.Recipients = append(env.Recipients, t.rcpts[i])
		}
	}
	if len(mine) == 0 {
		return
	}
	for n, got := range src.Send(ctx, to, env) {
		status := &out[mine[n]]
		if place == PlaceOld && t.places[mine[n]] == PlaceBoth {
			got.Passed &= status.Passed // what both have taken over
		}
		*status = got.RcptStatus
	}
}
