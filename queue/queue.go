package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob"
)

// Queue is a smtp.Receiver that takes responsibility by writing: when its
// transaction's Data returns without an error, body and envelope are on
// stable storage. A Runner attempts what it holds.
//
// The fields are set before the first use and not changed later. Storage,
// Blobs and Router are required.
type Queue struct {
	Storage Storage
	Blobs   blob.Blobs
	Router  Keyer

	// Kick is called after each Put; it must not block. Runner.Kick is the
	// usual value. nil = none.
	Kick func()

	// Hold, when not nil, is asked for each job that is not held, before it is
	// put; a reason other than "" puts it on hold. It must not block.
	Hold func(*Job) string

	// Admit, when not nil, looks at the jobs of one message before they are put,
	// after Hold: it may set their Hold, and appends to their Entries what is to
	// be written in the same commit. An error refuses the message. See
	// Admissions. nil = all is put as it is.
	Admit func(ctx context.Context, jobs []Job) error

	// Event is told of each job that was put, as Accepted, also of one whose Once
	// was known, and of one that was put on hold, as Held; it must not block.
	// nil = none.
	Event func(Event)

	// Notify, when not nil, makes the jobs that tell others of events, in the
	// commit that makes them true, so that they are told if and only if it
	// happened: Accepted and Held of jobs that are put, and the outcomes of attempts.
	// Of jobs put by EnqueueTx it hears the outcomes only. What it tells of its
	// own jobs is its own to prevent. Where it panics, or makes a job that no
	// Storage takes, nothing is told, with a line in the log. It must not block, nor
	// change its arguments. See package queue/webhook.
	Notify func(events []Event) []Job

	// Now is the clock; nil = time.Now.
	Now func() time.Time
}

// Keyer names the next hop of a recipient without any I/O: the smart host, an
// LMTP target, "local", or the recipient's domain.
type Keyer interface {
	Key(p smtp.ForwardPath) string
}

// Begin implements smtp.Receiver.
func (q *Queue) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	return &transaction{q: q, mail: m}, nil
}

type transaction struct {
	q    *Queue
	mail *smtp.Mail
	rcpt []*smtp.Recipient
}

// Rcpt accepts every recipient: who may send to whom was judged in front.
func (t *transaction) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	t.rcpt = append(t.rcpt, rs...)
	return make([]error, len(rs))
}

func (t *transaction) Abort() {}

// Data stores the body, then the jobs. The instant the message is safe is the
// return of Storage.Put.
func (t *transaction) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	body, err := t.q.spool(ctx, b)
	if err != nil {
		return nil, err
	}
	jobs := t.q.jobs(t.q.Router, &smtp.Envelope{Mail: t.mail, Recipients: t.rcpt}, body, b.Trace())
	if err := t.q.Put(ctx, jobs...); err != nil {
		return nil, err
	}
	return smtp.Accepted(len(t.rcpt)), nil
}

// spool makes the body durable in q.Blobs, unless it already lies there.
func (q *Queue) spool(ctx context.Context, b *smtp.Body) (spooled, error) {
	if s, ok := b.Stored().(blob.Stored); ok && s.In == q.Blobs {
		return spooled{s.Ref, b.Size(), s.Key}, nil
	}
	w, err := q.Blobs.Create(ctx, b.Size())
	if err != nil {
		return spooled{}, err
	}
	defer w.Abort()
	n, err := io.Copy(w, b)
	if err != nil {
		return spooled{}, err
	}
	ref, err := w.Commit(ctx)
	if err != nil {
		return spooled{}, err
	}
	return spooled{ref, n, blob.KeyOf(w)}, nil
}

// spooled is a body in q.Blobs.
type spooled struct {
	ref  blob.Ref
	size int64
	key  []byte // see blob.Keyed
}

// open opens the body of a job; one without a blob is all Prefix.
func (q *Queue) open(ctx context.Context, j *Job) (blob.Blob, error) {
	if j.Blob == "" {
		return nothing{}, nil
	}
	return blob.OpenKeyed(ctx, q.Blobs, j.Blob, j.Key)
}

// body says to a receiver on the same Blobs that there is nothing to copy.
func (q *Queue) body(j *Job, open blob.Blob) *smtp.Body {
	r := io.NewSectionReader(open, 0, open.Size())
	if j.Blob == "" {
		return smtp.NewStoredBody(r, 0, nil, j.Prefix)
	}
	return smtp.NewStoredBody(r, open.Size(), blob.Stored{In: q.Blobs, Ref: j.Blob, Key: j.Key}, j.Prefix)
}

// nothing is the blob of a job without one.
type nothing struct{}

func (nothing) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }
func (nothing) Size() int64                       { return 0 }
func (nothing) Close() error                      { return nil }

// Jobs makes the jobs for a message whose body already lies in q.Blobs: one
// for each destination and each MaxRecipients recipients. Where the body has a
// key (blob.Keyed) the caller sets Job.Key.
func (q *Queue) Jobs(env *smtp.Envelope, ref blob.Ref, size int64, trace []byte) []Job {
	return q.jobs(q.Router, env, spooled{ref: ref, size: size}, trace)
}

func (q *Queue) jobs(router Keyer, env *smtp.Envelope, body spooled, trace []byte) []Job {
	head := Job{
		Message: env.Mail.ID, ReversePath: env.Mail.ReversePath, Params: env.Mail.Params.Clone(),
		Blob: body.ref, Size: body.size, Key: body.key, Prefix: trace, Created: q.now(), Peer: peerInfo(env.Mail.Peer),
	}
	if at := env.Mail.Received; !at.IsZero() && at.Before(head.Created) { // BY= counts from MAIL
		head.Params.DeliverBy, _ = head.Params.DeliverBy.At(at, head.Created)
	}
	head.Priority = int(head.Params.Priority.Level) // RFC 6710 §5.1
	head.Due = released(&head)
	if env.Mail.Peer != nil {
		head.Identity = env.Mail.Peer.Identity
	}
	var jobs []Job
	open := make(map[string]int) // destination → index in jobs that still has room
	for _, r := range env.Recipients {
		key := router.Key(r.ForwardPath)
		i, ok := open[key]
		if !ok || len(jobs[i].Recipients) == MaxRecipients {
			i = len(jobs)
			open[key] = i
			job := head
			job.ID, job.Destination = smtp.NewID(), key
			if env.Mail.Once != "" {
				job.Once = onceKey(env.Mail.Once, key, i)
			}
			jobs = append(jobs, job)
		}
		jobs[i].Recipients = append(jobs[i].Recipients, Recipient{Recipient: *r})
	}
	return jobs
}

// Put writes jobs, durable when it returns, and wakes the runner.
func (q *Queue) Put(ctx context.Context, jobs ...Job) error {
	if q.Hold != nil {
		for i := range jobs {
			if jobs[i].Hold == "" {
				jobs[i].Hold = q.Hold(&jobs[i])
			}
		}
	}
	if q.Admit != nil {
		if err := q.Admit(ctx, jobs); err != nil {
			return err
		}
	}
	if err := q.Storage.Put(ctx, append(jobs[:len(jobs):len(jobs)], q.notices(ctx, jobs)...)...); err != nil {
		return err
	}
	q.tell(jobs)
	if q.Kick != nil {
		q.Kick()
	}
	return nil
}

// tell reports jobs that were put.
func (q *Queue) tell(jobs []Job) {
	if q.Event == nil {
		return
	}
	for _, e := range q.putEvents(jobs) {
		q.Event(e)
	}
}

// notices are the jobs that tell of jobs which are put. No mail waits for what is
// wrong with them.
func (q *Queue) notices(ctx context.Context, jobs []Job) (told []Job) {
	if q.Notify == nil {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			slog.ErrorContext(ctx, "queue: the notifier panicked", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			told = nil
		}
	}()
	told = q.Notify(q.putEvents(jobs))
	if err := checkNotices(told); err != nil {
		slog.ErrorContext(ctx, "queue: what tells of a message is lost", "error", err)
		return nil
	}
	return told
}

var errNoID = errors.New("queue: a job has no ID")

// checkNotices reports jobs that no Storage takes.
func checkNotices(jobs []Job) error {
	for i := range jobs {
		if jobs[i].ID == "" {
			return errNoID
		}
	}
	return CheckJobs(jobs)
}

func (q *Queue) putEvents(jobs []Job) []Event {
	events := make([]Event, 0, len(jobs))
	for i := range jobs {
		j := jobs[i].Clone()
		events = append(events, Event{Kind: EventAccepted, Job: j, Time: q.now()})
		if j.Hold != "" {
			events = append(events, Event{Kind: EventHeld, Job: j, Time: q.now()})
		}
	}
	return events
}

// Enqueue puts one message that starts here: a DSN, a report, a connector's.
func (q *Queue) Enqueue(ctx context.Context, env *smtp.Envelope, body io.Reader) error {
	jobs, err := q.Prepare(ctx, env, body)
	if err != nil {
		return err
	}
	return q.Put(ctx, jobs...)
}

// Prepare stores body and makes the jobs without putting them: for
// Outcome.Next and for EnqueueTx.
func (q *Queue) Prepare(ctx context.Context, env *smtp.Envelope, body io.Reader) ([]Job, error) {
	s, err := q.spool(ctx, smtp.NewBody(body, -1))
	if err != nil {
		return nil, err
	}
	return q.jobs(q.Router, env, s, nil), nil
}

func (q *Queue) now() time.Time {
	if q.Now != nil {
		return q.Now()
	}
	return time.Now()
}

func peerInfo(p *smtp.Peer) PeerInfo {
	if p == nil {
		return PeerInfo{}
	}
	info := PeerInfo{Hello: p.Hello, Protocol: p.Protocol}
	if p.Addr.IsValid() {
		info.Addr = p.Addr.Addr().String()
	}
	return info
}
