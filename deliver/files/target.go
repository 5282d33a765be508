package files

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/internal/fanout"
	"github.com/mailstead/mailstead/internal/lineends"
	"github.com/mailstead/mailstead/internal/rebody"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/maildir"
	"github.com/mailstead/mailstead/store/mbox"
)

// Target is a smtp.Receiver that delivers each recipient into a file or a
// Maildir, with Return-Path, Delivered-To and the trace fields in front. Path is
// required; the fields are set before the first use.
type Target struct {
	// Path is where the mail of a recipient goes: a Maildir where it ends in "/",
	// otherwise an mbox file. Template makes one. An error refuses the recipient, as
	// a *smtp.Error says.
	Path func(p smtp.ForwardPath) (string, error)

	// CRLF keeps the line ends of the wire in a Maildir; false = LF, as programs of
	// the system write them. An mbox file always has LF.
	CRLF bool

	// LockTimeout, StaleLock and NoDotLock are those of mbox.Target.
	LockTimeout, StaleLock time.Duration
	NoDotLock              bool

	// Hostname is the name of this host in its Received fields, for
	// deliver.CheckLoop; "" = loops are not looked for.
	Hostname string

	// NoDeliveredTo leaves out the field Delivered-To.
	NoDeliveredTo bool

	mu   sync.Mutex
	open map[string]*mailbox // in use, by path; guarded by mu
}

// mailbox is a path that deliveries are under way to: an fcntl lock keeps no
// goroutine of the same process out.
type mailbox struct {
	deliver func(ctx context.Context, m *smtp.Mail, message io.Reader) error
	users   int
}

// Begin implements smtp.Receiver.
func (t *Target) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	return &transaction{t: t, mail: m}, nil
}

type transaction struct {
	t     *Target
	mail  *smtp.Mail
	rcpts []*smtp.Recipient
	paths []string
}

// Rcpt refuses whom Path refuses.
func (x *transaction) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	errs := make([]error, len(rs))
	for i, r := range rs {
		path, err := x.t.Path(r.ForwardPath)
		if err == nil {
			err = besides(path)
		}
		if errs[i] = err; err == nil {
			x.rcpts, x.paths = append(x.rcpts, r), append(x.paths, path)
		}
	}
	return errs
}

func (x *transaction) Abort() {}

// atOnce bounds how many mailboxes one message is written to at a time.
const atOnce = 8

// Data delivers to each.
func (x *transaction) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	src, err := rebody.New(ctx, b)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	var head []byte
	if x.t.Hostname != "" {
		if head, err = src.Head(deliver.LoopHead); err != nil {
			return nil, err
		}
	}
	statuses := smtp.Accepted(len(x.rcpts))
	workers := min(atOnce, len(x.rcpts))
	fanout.Each(workers, func(w int) {
		for i := w; i < len(x.rcpts); i += workers {
			err := deliver.CheckLoop(head, x.t.Hostname, x.rcpts[i].ForwardPath)
			if err == nil {
				err = answer(x.one(ctx, i, src))
			}
			statuses[i].Err = err
		}
	})
	return statuses, nil
}

// one delivers to one recipient.
func (x *transaction) one(ctx context.Context, i int, src *rebody.Source) error {
	fields := deliver.AppendFinal(nil, x.mail, x.rcpts[i].ForwardPath)
	if x.t.NoDeliveredTo {
		fields = fields[:strings.IndexByte(string(fields), '\n')+1]
	}
	message := io.MultiReader(strings.NewReader(string(fields)+string(src.Trace())), src.Body())
	m, done := x.t.use(x.paths[i])
	defer done()
	return m.deliver(ctx, x.mail, message)
}

// answer gives a lock that is held by somebody else its own reply.
func answer(err error) error {
	if errors.Is(err, mbox.ErrLocked) {
		return &smtp.Error{Reply: smtp.NewReply(450, smtp.EnhancedCode{Class: 4, Subject: 2}, "The mailbox is locked"), Err: err}
	}
	return err
}

// use is the mailbox of a path, until done is called.
func (t *Target) use(path string) (m *mailbox, done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m = t.open[path]
	if m == nil {
		m = &mailbox{deliver: t.newMailbox(path)}
		if t.open == nil {
			t.open = make(map[string]*mailbox)
		}
		t.open[path] = m
	}
	m.users++
	return m, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if m.users--; m.users == 0 {
			delete(t.open, path)
		}
	}
}

func (t *Target) newMailbox(path string) func(context.Context, *smtp.Mail, io.Reader) error {
	if dir, ok := strings.CutSuffix(path, "/"); ok {
		target := &maildir.Target{Path: dir}
		return func(ctx context.Context, _ *smtp.Mail, message io.Reader) error {
			if !t.CRLF {
				message = lineends.LF(message)
			}
			return target.Deliver(ctx, message)
		}
	}
	target := &mbox.Target{Path: path, LockTimeout: t.LockTimeout, StaleLock: t.StaleLock, NoDotLock: t.NoDotLock}
	return func(ctx context.Context, m *smtp.Mail, message io.Reader) error {
		at := m.Received
		if at.IsZero() {
			at = time.Now()
		}
		return target.Deliver(ctx, lineends.FromSender(m.ReversePath.String()), at, message)
	}
}
