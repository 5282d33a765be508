package tlspolicy

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/smtp"
)

// reportKey marks a context of a message that carries a report.
type reportKey struct{}

// WithReport marks what is done for a message that carries a report on TLS, so
// that it is not reported in its turn (RFC 8460 §3).
func WithReport(ctx context.Context) context.Context {
	return context.WithValue(ctx, reportKey{}, true)
}

func carriesReport(ctx context.Context) bool { return ctx.Value(reportKey{}) != nil }

// NextHops marks messages that carry reports on TLS before the next hops take
// them: those with NOTIFY=NEVER for all recipients, as reports of package tlsrpt
// have it, and a field TLS-Report-Domain. No other message is looked into.
type NextHops struct{ deliver.NextHops }

// Receiver implements deliver.NextHops.
func (n NextHops) Receiver(key string) (smtp.Receiver, string) {
	r, name := n.NextHops.Receiver(key)
	return marking{r}, name
}

type marking struct{ smtp.Receiver }

// Begin implements smtp.Receiver.
func (m marking) Begin(ctx context.Context, mail *smtp.Mail) (smtp.Transaction, error) {
	tx, err := m.Receiver.Begin(ctx, mail)
	if err != nil {
		return nil, err
	}
	return &markingTransaction{Transaction: tx}, nil
}

type markingTransaction struct {
	smtp.Transaction
	notified bool // somebody wants to hear of it: no report
}

// Rcpt implements smtp.Transaction.
func (t *markingTransaction) Rcpt(ctx context.Context, rs []*smtp.Recipient) []error {
	for _, r := range rs {
		t.notified = t.notified || r.Params.Notify != smtp.NotifyNever
	}
	return t.Transaction.Rcpt(ctx, rs)
}

// Data implements smtp.Transaction.
func (t *markingTransaction) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	if t.notified {
		return t.Transaction.Data(ctx, b)
	}
	h := &head{}
	if b.Stored() == nil {
		b.Wrap(h.read)
	} else if h.read(b); !b.Rewind() { // its size and place stay known
		return nil, errPeek
	}
	if h.isReport() {
		ctx = WithReport(ctx)
	}
	return t.Transaction.Data(ctx, b)
}

var errPeek = errors.New("tlspolicy: a stored body cannot be read again")

// head is the beginning of a message: its reader gives it back before the rest.
type head struct {
	buf  [8 << 10]byte // a report has its fields there
	n    int
	err  error // what ended it
	at   int
	rest io.Reader
}

func (h *head) read(r io.Reader) io.Reader {
	h.rest = r
	h.n, h.err = io.ReadFull(r, h.buf[:])
	if errors.Is(h.err, io.ErrUnexpectedEOF) {
		h.err = io.EOF
	}
	return h
}

// Read implements io.Reader.
func (h *head) Read(p []byte) (int, error) {
	if h.at < h.n {
		n := copy(p, h.buf[h.at:h.n])
		h.at += n
		return n, nil
	}
	if h.err != nil {
		return 0, h.err
	}
	return h.rest.Read(p)
}

// isReport looks for the field in the header.
func (h *head) isReport() bool {
	const field = "TLS-Report-Domain:"
	for line := range bytes.Lines(h.buf[:h.n]) {
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			return false
		}
		if len(line) >= len(field) && bytes.EqualFold(line[:len(field)], []byte(field)) {
			return true
		}
	}
	return false
}
