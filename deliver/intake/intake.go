package intake

import (
	"context"
	"errors"
	"io"

	"github.com/mailstead/mailstead/internal/headblock"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob"
)

// Intake is a smtp.Receiver that takes mail into a queue. Queue is required;
// the fields are set before the first use. Any number of goroutines may use it.
type Intake struct {
	Queue *queue.Queue

	// Steps are asked in this order, each of which sees what those before it
	// have done; nil = none.
	Steps []Step
}

// Step adds to a message on its way into the queue.
type Step interface {
	// Prepare is called when the body is durable and nothing is queued yet. It
	// may change the jobs, and append others. An error refuses the message; an
	// *smtp.Error chooses the reply. Any number of goroutines may call it, each
	// with a message of its own.
	Prepare(ctx context.Context, m *Message) error
}

// StepFunc is a function that is a Step.
type StepFunc func(ctx context.Context, m *Message) error

// Prepare implements Step.
func (f StepFunc) Prepare(ctx context.Context, m *Message) error { return f(ctx, m) }

// Message is a message that is about to be queued.
type Message struct {
	Mail       *smtp.Mail
	Recipients []*smtp.Recipient

	Blob  blob.Ref // the body, durable
	Size  int64    // its octets
	Key   []byte   // see blob.Keyed
	Trace []byte   // header fields in front of it, newest first

	// Jobs are what is put. The first is one of a recipient, and never missing.
	Jobs []queue.Job

	blobs  blob.Blobs
	header []byte
}

// maxHeader bounds what Header reads of a body.
const maxHeader = 1 << 20

// Header is the header block of the message, Trace included, up to the empty
// line and without it; of one that does not end within 1 MiB, that much. It is
// read at the first call, and not to be changed.
func (m *Message) Header(ctx context.Context) ([]byte, error) {
	if m.header != nil {
		return m.header, nil
	}
	b, err := blob.OpenKeyed(ctx, m.blobs, m.Blob, m.Key)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	head := append(make([]byte, 0, len(m.Trace)+4096), m.Trace...)
	head, _, err = headblock.Read(head, io.NewSectionReader(b, 0, b.Size()), maxHeader)
	m.header = head
	return head, err
}

// Begin implements smtp.Receiver.
func (in *Intake) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	return &transaction{in: in, mail: m}, nil
}

type transaction struct {
	in    *Intake
	mail  *smtp.Mail
	rcpts []*smtp.Recipient
}

// Rcpt accepts every recipient: who may send to whom was judged in front.
func (t *transaction) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	t.rcpts = append(t.rcpts, rs...)
	return make([]error, len(rs))
}

func (t *transaction) Abort() {}

// Data stores the body, asks the steps, and puts the jobs.
func (t *transaction) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	q := t.in.Queue
	m := &Message{Mail: t.mail, Recipients: t.rcpts, blobs: q.Blobs}
	if err := m.store(ctx, b); err != nil {
		return nil, err
	}
	m.Trace = b.Trace()
	m.Jobs = q.Jobs(&smtp.Envelope{Mail: t.mail, Recipients: t.rcpts}, m.Blob, m.Size, m.Trace)
	if len(m.Jobs) == 0 {
		return nil, errNoRecipient
	}
	for i := range m.Jobs {
		m.Jobs[i].Key = m.Key
	}
	for _, s := range t.in.Steps {
		if err := s.Prepare(ctx, m); err != nil {
			return nil, err
		}
	}
	if err := q.Put(ctx, m.Jobs...); err != nil {
		return nil, err
	}
	return smtp.Accepted(len(t.rcpts)), nil
}

var errNoRecipient = errors.New("intake: message without a recipient")

// store makes the body durable, unless it lies in the queue's Blobs already.
func (m *Message) store(ctx context.Context, b *smtp.Body) error {
	if s, ok := b.Stored().(blob.Stored); ok && s.In == m.blobs {
		m.Blob, m.Key, m.Size = s.Ref, s.Key, b.Size()
		return nil
	}
	w, err := m.blobs.Create(ctx, b.Size())
	if err != nil {
		return err
	}
	defer w.Abort()
	if m.Size, err = io.Copy(w, b); err != nil {
		return err
	}
	if m.Blob, err = w.Commit(ctx); err != nil {
		return err
	}
	m.Key = blob.KeyOf(w)
	return nil
}

// Extra is a job for a message beyond those of its recipients, with the null
// sender: nobody is told of its end. It shares the body, and what the body
// needs of the next hop. kind is its queue.Job.Kind and tells the extra jobs of a
// message apart.
func (m *Message) Extra(kind string) queue.Job {
	first := &m.Jobs[0]
	j := queue.Job{
		ID: smtp.NewID(), Message: first.Message, Kind: kind,
		Params: smtp.MailParams{Body: first.Params.Body, UTF8: first.Params.UTF8, RequireTLS: first.Params.RequireTLS},
		Blob:   m.Blob, Size: m.Size, Key: m.Key, Prefix: m.Trace,
		Created: first.Created, Due: first.Created, Peer: first.Peer,
	}
	if m.Mail.Once != "" {
		j.Once = kind + "\x00" + m.Mail.Once
	}
	return j
}
