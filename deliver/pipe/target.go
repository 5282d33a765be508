package pipe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/internal/fanout"
	"github.com/mailstead/mailstead/internal/rebody"
	"github.com/mailstead/mailstead/smtp"
)

// ErrUnsupported: programs cannot be started with their process group on this
// system.
var ErrUnsupported = errors.New("pipe: not supported on this system")

// Errors of a Target that cannot work.
var (
	ErrRoot   = errors.New("pipe: a process of root has to say as whom the program runs: UID, GID")
	errConfig = errors.New("pipe: bad Target")
)

// Fields say what stands in front of the message on the program's input.
type Fields uint8

// The fields.
const (
	ReturnPath  Fields = 1 << iota // Return-Path (RFC 5321 §4.4)
	DeliveredTo                    // Delivered-To, with the recipient; only where Batch is one
	FromLine                       // a first line "From SENDER DATE", as in an mbox file
	QuoteFrom                      // ">" in front of lines that begin with "From " or ">From "
)

// Target is a program that takes mail: a smtp.Receiver. Command is required. The
// fields are set before the first use; Check names their faults.
type Target struct {
	// Command is the program, by its whole path, and its arguments. There is no
	// shell: each element is one argument, in which macros are replaced:
	//
	//	$recipient   the forward-path, without angle brackets
	//	$mailbox     its local-part, without quotes
	//	$user        the local-part up to Separator
	//	$extension   what follows that; empty where there is none
	//	$domain      the domain, in lower case
	//	$sender      the reverse-path; NullSender for the null sender
	//	$queue_id    Mail.ID
	//	$$           a dollar sign
	//
	// ${user} is $user next to letters. An element with a macro of the recipient
	// stands once for each recipient of a batch. One that begins with a macro must
	// not come out with a leading "-", or the recipient is refused with 5.1.3; behind
	// an element "--" it may.
	Command []string

	// Env is the whole environment, "NAME=VALUE"; nil = PATH=/usr/bin:/bin. Nothing
	// of this process's own is passed on.
	Env []string

	// Dir is the working directory; "" = "/".
	Dir string

	// UID and GID are as whom the program runs, without other groups. Zero = as
	// this process, unless that is root: then ErrRoot.
	UID, GID uint32

	// CRLF keeps the line ends of the wire; false = LF.
	CRLF bool

	// Fields stand in front of the message; zero = none.
	Fields Fields

	// Batch is how many recipients one program takes; its status is that of all
	// of them. Zero = 1.
	Batch int

	// Separator is that of deliver.Accounts; zero = "+", "none" switches it off.
	Separator string

	// NullSender is $sender for the null sender; zero = "MAILER-DAEMON".
	NullSender string

	// Timeout is how long a program may take; zero = 15 min, negative = as long as
	// the attempt.
	Timeout time.Duration

	// Concurrency bounds the programs at a time; zero = 20.
	Concurrency int

	// MaxOutput bounds what is kept of the program's output, in octets; zero =
	// 4096. The rest is read, and forgotten.
	MaxOutput int

	// Hostname is the name of this host in its Received fields. Mail that it has
	// delivered to the same recipient before is refused with 5.4.6, where Fields has
	// DeliveredTo. "" = that is not looked for.
	Hostname string

	// Logger is told what programs say; nil = slog.Default.
	Logger *slog.Logger

	once  sync.Once
	slots chan struct{}
}

// Check says what is wrong with the fields; nil = nothing.
func (t *Target) Check() error {
	_, err := parseCommand(t.Command)
	faults := []error{err, checkSystem(t)}
	if t.Fields&DeliveredTo != 0 && t.Batch > 1 {
		faults = append(faults, fmt.Errorf("%w: Delivered-To of several recipients", errConfig))
	}
	if t.Dir != "" && !strings.HasPrefix(t.Dir, "/") {
		faults = append(faults, fmt.Errorf("%w: Dir %q is no whole path", errConfig, t.Dir))
	}
	return errors.Join(faults...)
}

// Begin implements smtp.Receiver. A Target that cannot work defers.
func (t *Target) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	if err := t.Check(); err != nil {
		return nil, &smtp.Error{Reply: smtp.NewReply(451, smtp.EnhancedCode{Class: 4, Subject: 3, Detail: 5}, "Local configuration error"), Err: err}
	}
	t.once.Do(func() { t.slots = make(chan struct{}, orDefault(t.Concurrency, 20)) })
	c, err := parseCommand(t.Command)
	return &transaction{t: t, command: c, mail: m}, err
}

type transaction struct {
	t       *Target
	command command
	mail    *smtp.Mail
	rcpts   []*smtp.Recipient
}

// Rcpt accepts all: the program says who is known.
func (x *transaction) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	x.rcpts = append(x.rcpts, rs...)
	return make([]error, len(rs))
}

func (x *transaction) Abort() {}

// Data runs the programs.
func (x *transaction) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	src, err := rebody.New(ctx, b)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	var head []byte
	if x.t.Fields&DeliveredTo != 0 && x.t.Hostname != "" {
		if head, err = src.Head(deliver.LoopHead); err != nil {
			return nil, err
		}
	}
	statuses := smtp.Accepted(len(x.rcpts))
	batches := slices.Collect(slices.Chunk(x.rcpts, orDefault(x.t.Batch, 1)))
	workers := min(len(batches), cap(x.t.slots))
	fanout.Each(workers, func(w int) {
		for i := w; i < len(batches); i += workers {
			err := x.batch(ctx, batches[i], head, src)
			for k := range batches[i] {
				statuses[i*orDefault(x.t.Batch, 1)+k].Err = err
			}
		}
	})
	return statuses, nil
}

// batch runs one program.
func (x *transaction) batch(ctx context.Context, rcpts []*smtp.Recipient, head []byte, src *rebody.Source) error {
	vs := make([]values, len(rcpts))
	for i, r := range rcpts {
		vs[i] = x.values(r.ForwardPath)
	}
	if head != nil {
		if err := deliver.CheckLoop(head, x.t.Hostname, rcpts[0].ForwardPath); err != nil {
			return err
		}
	}
	args, err := x.command.args(vs)
	if err != nil {
		return err
	}
	select {
	case x.t.slots <- struct{}{}:
		defer func() { <-x.t.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return x.program(ctx, args, rcpts, src)
}

func (x *transaction) program(ctx context.Context, args []string, rcpts []*smtp.Recipient, src *rebody.Source) error {
	if d := x.t.Timeout; d >= 0 {
		if d == 0 {
			d = 15 * time.Minute
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d, errTimeout)
		defer cancel()
	}
	out := &capture{limit: orDefault(x.t.MaxOutput, 4096)}
	status, err := run(ctx, x.t, args, x.input(rcpts, src), out)
	if err == nil {
		err = judge(status, out.kept)
	} else {
		err = fmt.Errorf("%w: %w: %s", ErrProgram, err, printable(out.kept))
	}
	if err != nil || len(out.kept) > 0 {
		x.t.log().InfoContext(ctx, "pipe: program", "message", x.mail.ID, "program", args[0], "recipient", rcpts[0].ForwardPath.String(),
			"recipients", len(rcpts), "output", printable(out.kept), "error", err)
	}
	return err
}

// errTimeout is why a program was killed that took too long.
var errTimeout = errors.New("pipe: the program took too long")

func (x *transaction) values(p smtp.ForwardPath) values {
	v := values{recipient: p.String(), mailbox: p.Local, user: p.Local, domain: deliver.CanonicalDomain(p.Domain), queueID: x.mail.ID, sender: x.mail.ReversePath.String()}
	sep := x.t.Separator
	if sep == "" {
		sep = "+"
	}
	if user, extension, ok := strings.Cut(p.Local, sep); ok && sep != "none" && user != "" {
		v.user, v.extension = user, extension
	}
	if v.sender == "" {
		if v.sender = x.t.NullSender; v.sender == "" {
			v.sender = "MAILER-DAEMON"
		}
	}
	return v
}

func (t *Target) log() *slog.Logger {
	if t.Logger != nil {
		return t.Logger
	}
	return slog.Default()
}

func orDefault(n, def int) int {
	if n <= 0 {
		return def
	}
	return n
}
