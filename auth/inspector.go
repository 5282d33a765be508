package auth

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/mailstead/mailstead/smtp"
)

// Inspector judges the messages that a smtp.Receiver gets from elsewhere, and
// refuses them or passes them on with the results in front. Its fields are set
// before the first use. Any number of goroutines may call the methods.
//
// It sees a message as it came in, so it stands in front of what changes
// headers. Behind it nobody has to remove forged Authentication-Results.
type Inspector struct {
	// Verifier judges. nil = the zero Verifier.
	Verifier *Verifier

	// Policy decides.
	Policy Policy

	// ID is the authserv-id: the name of this host, or of its domain, in
	// Authentication-Results (RFC 8601 §2.5). "" = the name that the system has.
	ID string

	// ReceivedSPF adds Received-SPF (RFC 7208 §9.1), too.
	ReceivedSPF bool

	// Skip says which mail is not judged; forged fields are removed from it
	// nevertheless. nil = that of clients that have authenticated, that are on
	// loopback, and that have no address.
	Skip func(m *smtp.Mail) bool

	// Observe hears of each message that was judged, before anybody has it: for
	// reports and counters. It must not wait for anything. nil = nobody does.
	Observe func(m *smtp.Mail, r *Result, d Decision)

	// Logger gets what was decided, and why. nil = slog.Default().
	Logger *slog.Logger

	once sync.Once
	own  Verifier
	host string
}

// Middleware is what stands around a Receiver.
func (in *Inspector) Middleware() smtp.Middleware {
	return func(next smtp.Receiver) smtp.Receiver { return &inspected{in, next} }
}

// verifier is Verifier, or the zero one.
func (in *Inspector) verifier() *Verifier {
	if in.Verifier != nil {
		return in.Verifier
	}
	return &in.own
}

// id is ID, or the name of the host.
func (in *Inspector) id() string {
	if in.ID != "" {
		return in.ID
	}
	in.once.Do(func() {
		name, _ := os.Hostname()
		in.host = cmp.Or(name, "localhost")
	})
	return in.host
}

// skips reports whether mail is not judged.
func (in *Inspector) skips(m *smtp.Mail) bool {
	if in.Skip != nil {
		return in.Skip(m)
	}
	p := m.Peer
	return p == nil || p.Identity != "" || !p.Addr.IsValid() || p.Addr.Addr().Unmap().IsLoopback()
}

type inspected struct {
	in   *Inspector
	next smtp.Receiver
}

// Begin implements smtp.Receiver: SPF begins here.
func (w *inspected) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	tx, err := w.next.Begin(ctx, m)
	if err != nil {
		return nil, err
	}
	t := &inspection{Transaction: tx, in: w.in, mail: m}
	if !w.in.skips(m) {
		t.run = w.in.verifier().Start(ctx, SessionOf(m))
	}
	return t, nil
}

// inspection is one message.
type inspection struct {
	smtp.Transaction
	in   *Inspector
	mail *smtp.Mail
	run  *Verification // nil: it is not judged
}

// Abort implements smtp.Transaction.
func (t *inspection) Abort() {
	if t.run != nil {
		t.run.Abort()
	}
	t.Transaction.Abort()
}

// Data lets the next Receiver read what is left of the message, and judges it at
// its end. A refusal is the result, whatever that Receiver makes of it.
func (t *inspection) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	s := &stream{ctx: ctx, t: t, body: b, strip: stripper{id: t.in.id(), below: t.run != nil}}
	b.Wrap(func(r io.Reader) io.Reader {
		s.src = r
		return s
	})
	if t.run != nil {
		defer t.run.Abort()
	}
	status, err := t.Transaction.Data(ctx, b)
	if s.refusal != nil {
		return nil, s.refusal
	}
	return status, err
}

// judge ends the message: an error refuses it.
func (t *inspection) judge(ctx context.Context, b *smtp.Body, removed int) error {
	if t.run == nil {
		return nil
	}
	r := t.run.Finish(ctx)
	d := t.in.Policy.Decide(r)
	t.log(ctx, r, &d, removed)
	if t.in.Observe != nil {
		t.in.Observe(t.mail, r, d)
	}
	if err := d.Error(); err != nil {
		return err
	}
	if t.in.ReceivedSPF {
		if field := r.ReceivedSPF(t.in.id()); field != nil {
			b.Prepend(field)
		}
	}
	b.Prepend(r.Field(t.in.id()).Append(nil))
	if d.Action == Quarantine {
		b.Prepend(quarantineField(d.Reason))
	}
	return nil
}

// log says what was decided: what is not accepted as Info, other messages as
// Debug.
func (t *inspection) log(ctx context.Context, r *Result, d *Decision, removed int) {
	level := slog.LevelDebug
	if d.Action != Accept || d.Reason != "" {
		level = slog.LevelInfo
	}
	logger := t.in.Logger
	if logger == nil {
		logger = slog.Default()
	}
	if !logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("id", t.mail.ID), slog.String("action", d.Action.String()), slog.String("reason", d.Reason),
		slog.String("spf", string(r.SPF.Result)), slog.String("dmarc", string(r.DMARC.Result)), slog.String("from", r.DMARC.Domain),
		slog.String("weak", r.Weak.String()), slog.Int("questions", r.Questions), slog.Int("forged", removed),
	}
	for i := range r.DKIM.Results {
		s := &r.DKIM.Results[i]
		attrs = append(attrs, slog.String("dkim", string(s.Result)+" "+s.Domain))
	}
	for _, err := range []error{r.SPF.Err, r.DMARC.Err} {
		if err != nil {
			attrs = append(attrs, slog.Any("error", err))
		}
	}
	logger.LogAttrs(ctx, level, "auth: message judged", attrs...)
}

// stream is a message on its way through. It is the reader and the io.WriterTo
// under smtp.Body.
type stream struct {
	ctx   context.Context
	t     *inspection
	body  *smtp.Body
	src   io.Reader
	strip stripper

	out     []byte // passed on by the stripper and not read yet
	buf     []byte // where out begins
	end     error  // what follows out; nil = more of src
	refusal error
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) {
	for len(s.out) == 0 && s.end == nil {
		n, err := s.src.Read(p)
		s.see(p[:n])
		direct := s.strip.state == inBody
		if !direct {
			s.buf = s.strip.feed(s.buf[:0], p[:n])
			s.out = s.buf
		}
		if err == io.EOF {
			s.buf = s.strip.finish(s.buf[:len(s.out)])
			s.out = s.buf
			err = s.judge()
		}
		s.end = err
		if direct && n > 0 {
			return n, nil
		}
		if len(p) == 0 {
			return 0, nil
		}
	}
	if len(s.out) == 0 {
		return 0, s.end
	}
	n := copy(p, s.out)
	s.out = s.out[n:]
	return n, nil
}

// WriteTo lets the source write itself.
func (s *stream) WriteTo(w io.Writer) (int64, error) {
	c := &conveyor{s: s, w: w}
	if len(s.out) > 0 {
		out := s.out
		s.out = nil
		if err := c.put(out); err != nil {
			return c.n, err
		}
	}
	if s.end == nil {
		_, err := io.Copy(c, s.src)
		if err == nil {
			s.buf = s.strip.finish(s.buf[:0])
			if err = c.put(s.buf); err != nil {
				return c.n, err
			}
			err = s.judge()
		}
		s.end = err
	}
	if s.end == io.EOF {
		return c.n, nil
	}
	return c.n, s.end
}

// see shows octets to those who judge.
func (s *stream) see(p []byte) {
	if s.t.run != nil {
		s.t.run.Write(p)
	}
}

// judge is the end of the message: io.EOF, or a refusal in place of it.
func (s *stream) judge() error {
	if s.refusal = s.t.judge(s.ctx, s.body, s.strip.removed); s.refusal != nil {
		return s.refusal
	}
	return io.EOF
}

// conveyor takes a message from its source to a writer.
type conveyor struct {
	s *stream
	w io.Writer
	n int64
}

// Write implements io.Writer.
func (c *conveyor) Write(p []byte) (int, error) {
	s := c.s
	s.see(p)
	out := p
	if s.strip.state != inBody {
		s.buf = s.strip.feed(s.buf[:0], p)
		out = s.buf
	}
	if err := c.put(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *conveyor) put(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	n, err := c.w.Write(p)
	c.n += int64(n)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}
