package journal

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob"
)

// Router sends the reports of a Journal by the next hops of another router,
// which has all other jobs to itself. It closes the report behind the message
// that it encloses, goes to the alternate address, and holds what nobody takes.
// Next, Journal and Queue are required; Queue is the one that the jobs are in.
type Router struct {
	Next    queue.Router
	Journal *Journal
	Queue   *queue.Queue

	// Logger hears of reports that are held; nil = slog.Default().
	Logger *slog.Logger
}

var _ queue.Router = (*Router)(nil)

// Key implements queue.Keyer.
func (r *Router) Key(p smtp.ForwardPath) string { return r.Next.Key(p) }

// Route implements queue.Router.
func (r *Router) Route(ctx context.Context, job *queue.Job) ([]queue.Hop, error) {
	if !isReport(job) {
		return r.Next.Route(ctx, job)
	}
	first, err := r.hop(ctx, job, job.Recipients[0].ForwardPath)
	if err != nil {
		return nil, err
	}
	d := &delivery{r: r, job: job, hops: []target{first}}
	return []queue.Hop{{Recipients: []int{0}, Receiver: d, Name: first.name}}, nil
}

// isReport reports a job of a Journal, wherever an operator has sent it
// (queue.Edit).
func isReport(job *queue.Job) bool {
	return len(job.Recipients) == 1 && strings.HasPrefix(job.Kind, kind)
}

// target is one way to a journal address. Err says that there is none.
type target struct {
	receiver smtp.Receiver
	to       smtp.ForwardPath
	name     string
	err      error
}

// hop is the way to an address, through an alias where it is one.
func (r *Router) hop(ctx context.Context, job *queue.Job, to smtp.ForwardPath) (target, error) {
	for range 2 {
		probe := *job
		probe.Recipients = []queue.Recipient{{Recipient: smtp.Recipient{ForwardPath: to, Params: job.Recipients[0].Params}}}
		hops, err := r.Next.Route(ctx, &probe)
		switch {
		case err != nil:
			return target{}, err
		case len(hops) != 1:
			return target{}, errNoHop
		case hops[0].Err != nil:
			return target{err: hops[0].Err, name: hops[0].Name}, nil
		case len(hops[0].Expand) == 1:
			to = hops[0].Expand[0].ForwardPath
			continue
		case hops[0].Receiver == nil:
			return target{err: errList, name: hops[0].Name}, nil
		case len(hops[0].To) == 1:
			to = hops[0].To[0]
		}
		return target{receiver: hops[0].Receiver, to: to, name: hops[0].Name}, nil
	}
	return target{err: errList}, nil
}

var (
	errNoHop = errors.New("journal: no next hop for the journal address")
	errList  = smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 3}, "The journal address is a list")
)

// delivery is the Receiver of one attempt at a report.
type delivery struct {
	r    *Router
	job  *queue.Job
	hops []target
}

// Begin implements smtp.Receiver.
func (d *delivery) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	return &reportTransaction{d: d, mail: m}, nil
}

type reportTransaction struct {
	d    *delivery
	mail *smtp.Mail
}

func (t *reportTransaction) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	return make([]error, len(rs))
}

func (t *reportTransaction) Abort() {}

// Data tries the journal address, then the alternate one. The body of the job
// is opened for each, since it may be needed twice.
func (t *reportTransaction) Data(ctx context.Context, _ *smtp.Body) ([]smtp.RcptStatus, error) {
	err := t.try(ctx, t.d.hops[0])
	if alternate, ok := t.d.alternate(err); ok {
		hop, routeErr := t.d.r.hop(ctx, t.d.job, alternate)
		if routeErr == nil {
			err = t.try(ctx, hop)
		} else if !smtp.IsPermanent(routeErr) {
			err = routeErr
		}
	}
	if err != nil && smtp.IsPermanent(err) {
		return nil, t.d.hold(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	return smtp.Accepted(1), nil
}

// try gives the report to one target.
func (t *reportTransaction) try(ctx context.Context, to target) error {
	if to.err != nil {
		return to.err
	}
	job := t.d.job
	b, err := blob.OpenKeyed(ctx, t.d.r.Queue.Blobs, job.Blob, job.Key)
	if err != nil {
		return err
	}
	defer b.Close()
	end := trailer(job.ID)
	r := io.MultiReader(io.NewSectionReader(b, 0, b.Size()), strings.NewReader(end))
	body := smtp.NewStoredBody(r, b.Size()+int64(len(end)), nil, job.Prefix)
	rcpt := job.Recipients[0].Recipient
	rcpt.ForwardPath = to.to
	return smtp.Hand(ctx, to.receiver, t.mail, []*smtp.Recipient{&rcpt}, body)
}

// alternate is where a report goes that met err at its own address.
func (d *delivery) alternate(err error) (smtp.ForwardPath, bool) {
	if err == nil || errors.Is(err, queue.ErrOutcomeUnknown) {
		return smtp.ForwardPath{}, false
	}
	rule, ok := d.r.Journal.rule(d.job.Recipients[0].ForwardPath)
	if !ok || rule.Alternate.IsZero() {
		return smtp.ForwardPath{}, false
	}
	patience := rule.Patience
	if patience == 0 {
		patience = 4 * time.Hour
	}
	now := time.Now
	if d.r.Queue.Now != nil {
		now = d.r.Queue.Now
	}
	return rule.Alternate, smtp.IsPermanent(err) || now().Sub(d.job.Created) >= patience
}

// hold keeps a report that nobody takes, for the operator to see; nobody is
// told by mail. It returns what defers the attempt.
func (d *delivery) hold(ctx context.Context, cause error) error {
	reason := "journal report refused: " + smtp.ReplyOf(cause).String()
	reason = reason[:min(len(reason), 256)]
	log := d.r.Logger
	if log == nil {
		log = slog.Default()
	}
	_, err := d.r.Queue.Storage.Edit(ctx, queue.Filter{IDs: []string{d.job.ID}}, queue.Edit{Hold: &reason})
	if err != nil {
		log.ErrorContext(ctx, "journal: cannot hold a report; it is tried again", "job", d.job.ID, "message", d.job.Message, "error", err)
	} else {
		log.ErrorContext(ctx, "journal: nobody takes a report; it is held", "job", d.job.ID, "message", d.job.Message, "cause", cause)
	}
	return &smtp.Error{Reply: smtp.NewReply(451, smtp.EnhancedCode{Class: 4, Subject: 3}, reason), Err: cause}
}
