package deliver

import (
	"context"
	"errors"
	"io"

	"github.com/mailstead/mailstead/deliver/srs"
	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/smtp"
)

// Forward is a smtp.Receiver in front of local delivery that sends the mail of
// some addresses on (RFC 5321 §3.9): it stands as Router.Local. To and Out are
// required; the fields are set before the first use.
//
// The octets of the message stay as they are, so that signatures hold, and no
// Resent- field is added (those are a person's, RFC 5322 §3.6.6). In front of
// it comes a Delivered-To field; where it has that field already, it was here
// before, and is refused with 554 5.4.6, or, where a copy is kept, only kept.
//
// Each forwarded recipient is one message to Out with a Once of its own, so an
// attempt that is repeated forwards nothing twice. Where one target is refused by
// Out, none of that recipient's has the message.
//
// A single target inherits NOTIFY and ORCPT (RFC 3461 §5.2.7.2), and reports in our
// place. Of several the first one does, and the others report no success
// (§5.2.7.3); where a copy is kept, none does, since it was delivered here
// (§5.2.7.4). An ORCPT that is missing is added, for a report to name the
// address that the sender knows.
type Forward struct {
	// To says where the mail of a recipient goes. An error without a reply is
	// temporary (D2).
	To func(ctx context.Context, r *smtp.Recipient) (Forwarding, error)

	// Out takes what is sent on: a queue.
	Out smtp.Receiver

	// Local takes what stays here; nil = nobody's mail does.
	Local smtp.Receiver

	// SRS rewrites the reverse-path; nil = it stays, as RFC 5321 §3.9.1 has
	// it for an alias, and SPF fails at the next host. One that would be too long
	// stays. Bounces come back through SRSDirectory or srs.Scheme.Bounces.
	SRS *srs.Scheme

	// MaxReceived is the number of Received fields of a message that is still
	// forwarded; zero = 100 (RFC 5321 §6.3), negative = no limit.
	MaxReceived int
}

// Forwarding is where the mail of one address goes. The zero value: it stays.
type Forwarding struct {
	To   []smtp.ForwardPath
	Keep bool // a copy stays here
}

// withoutSelf: what an address sends to itself is the copy that stays.
func (w Forwarding) withoutSelf(address smtp.Path) Forwarding {
	out := Forwarding{Keep: w.Keep}
	for _, p := range w.To {
		if CanonicalAddress(p.Path) == CanonicalAddress(address) {
			out.Keep = true
		} else {
			out.To = append(out.To, p)
		}
	}
	return out
}

// Begin implements smtp.Receiver.
func (f *Forward) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	return &forwardTransaction{f: f, mail: m}, nil
}

type forwardTransaction struct {
	f     *Forward
	mail  *smtp.Mail
	rcpts []forwarded
	local smtp.Transaction // nil before the first recipient of it
	stay  int              // recipients of local
}

// forwarded is one accepted recipient.
type forwarded struct {
	rcpt  *smtp.Recipient
	to    []smtp.ForwardPath
	local int // place among the recipients of local; -1 = it is none
}

// Rcpt asks for each recipient where its mail goes, and Local for what stays.
func (t *forwardTransaction) Rcpt(ctx context.Context, rs []*smtp.Recipient) []error {
	errs := make([]error, len(rs))
	for i, r := range rs {
		fwd := forwarded{rcpt: r, local: -1}
		where, err := t.f.To(ctx, r)
		where = where.withoutSelf(r.ForwardPath.Path)
		if err == nil && (where.Keep || len(where.To) == 0) {
			fwd.local = t.stay
			err = t.rcptLocal(ctx, r)
		}
		if err != nil {
			errs[i] = err
			continue
		}
		fwd.to = where.To
		t.rcpts = append(t.rcpts, fwd)
	}
	return errs
}

func (t *forwardTransaction) rcptLocal(ctx context.Context, r *smtp.Recipient) error {
	if t.f.Local == nil {
		return errNoSuchUser()
	}
	if t.local == nil {
		tx, err := t.f.Local.Begin(ctx, t.mail)
		if err != nil {
			return err
		}
		t.local = tx
	}
	errs := t.local.Rcpt(ctx, []*smtp.Recipient{r})
	if len(errs) != 1 {
		return smtp.ErrStatusCount
	}
	if errs[0] == nil {
		t.stay++
	}
	return errs[0]
}

// Abort implements smtp.Transaction.
func (t *forwardTransaction) Abort() {
	if t.local != nil {
		t.local.Abort()
	}
}

// Data sends on first, then keeps: a recipient has the message when both are
// done.
func (t *forwardTransaction) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	defer t.Abort()
	if !t.forwards() {
		return t.local.Data(ctx, b)
	}
	s, err := smtp.Spool(b, smtp.SpoolOptions{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	seen, err := readTrace(s)
	if err != nil {
		return nil, err
	}
	statuses := make([]smtp.RcptStatus, len(t.rcpts))
	for i, r := range t.rcpts {
		if len(r.to) > 0 {
			statuses[i] = t.send(ctx, s, seen, r)
		}
	}
	if t.stay == 0 {
		return statuses, nil
	}
	kept, err := t.local.Data(ctx, s.Body())
	if err == nil && len(kept) != t.stay {
		err = smtp.ErrStatusCount
	}
	for i, r := range t.rcpts {
		switch {
		case r.local < 0:
		case err != nil:
			statuses[i].Err = err
		case statuses[i].Err == nil:
			statuses[i] = kept[r.local]
		}
	}
	return statuses, nil
}

func (t *forwardTransaction) forwards() bool {
	for _, r := range t.rcpts {
		if len(r.to) > 0 {
			return true
		}
	}
	return false
}

// send hands the message to Out for the targets of one recipient.
func (t *forwardTransaction) send(ctx context.Context, s *smtp.Spooled, seen trace, r forwarded) smtp.RcptStatus {
	limit := t.f.MaxReceived
	if limit == 0 {
		limit = 100
	}
	address := r.rcpt.ForwardPath.Path
	if seen.delivered[CanonicalAddress(address)] || limit > 0 && seen.received > limit {
		if r.local >= 0 {
			return smtp.RcptStatus{} // the copy that is kept ends the loop
		}
		return smtp.RcptStatus{Err: smtp.Errorf(554, smtp.EnhancedCode{Class: 5, Subject: 4, Detail: 6}, "Forwarding loop detected")}
	}
	m, err := t.envelope(address)
	if err != nil {
		return smtp.RcptStatus{Err: err}
	}
	body := s.Body()
	body.Prepend([]byte("Delivered-To: " + address.String() + "\r\n"))
	status := smtp.RcptStatus{Err: smtp.Hand(ctx, t.f.Out, m, r.recipients(), body)}
	if r.local < 0 {
		status.Passed = smtp.WishDSN | smtp.WishDeliverBy // the queue acts on them
	}
	return status
}

// envelope is the head of what is sent on for an address.
func (t *forwardTransaction) envelope(address smtp.Path) (*smtp.Mail, error) {
	m := *t.mail
	m.PerRecipient = false
	if m.Once != "" {
		m.Once = "forward\x00" + m.Once + "\x00" + CanonicalAddress(address)
	}
	if t.f.SRS == nil {
		return &m, nil
	}
	path, err := t.f.SRS.Forward(m.ReversePath)
	if err != nil && !errors.Is(err, srs.ErrTooLong) {
		return nil, err
	}
	m.ReversePath = path
	return &m, nil
}

// recipients are the targets with their part of what the sender asked for.
func (r forwarded) recipients() []*smtp.Recipient {
	out := make([]*smtp.Recipient, len(r.to))
	for i, p := range r.to {
		params := r.rcpt.Params
		params.Original = OriginalRecipient(r.rcpt)
		if n := &params.Notify; (i > 0 || r.local >= 0) && *n&smtp.NotifySuccess != 0 {
			if *n &^= smtp.NotifySuccess; *n == 0 {
				*n = smtp.NotifyNever // nothing else was asked for
			}
		}
		out[i] = &smtp.Recipient{ForwardPath: p, Params: params}
	}
	return out
}

// OriginalRecipient is the ORCPT under which the mail of a recipient goes to
// another address: its own, or that address where it has none (RFC 3461
// §5.2.1). It is for who expands an alias.
func OriginalRecipient(r *smtp.Recipient) smtp.OriginalRecipient {
	switch {
	case !r.Params.Original.IsZero():
		return r.Params.Original
	case r.ForwardPath.NeedsUTF8():
		return smtp.OriginalRecipient{Type: "utf-8", Address: r.ForwardPath.String()} // RFC 6533 §3
	}
	return smtp.OriginalRecipient{Type: "rfc822", Address: r.ForwardPath.String()}
}

// trace is what the header says of the way so far.
type trace struct {
	delivered map[string]bool // canonical addresses of Delivered-To
	received  int
}

// maxTraceHeader bounds what is looked at of a header.
const maxTraceHeader = 256 << 10

func readTrace(s *smtp.Spooled) (trace, error) {
	head, err := io.ReadAll(io.LimitReader(s.Body(), maxTraceHeader))
	if err != nil {
		return trace{}, err
	}
	t := trace{delivered: map[string]bool{}}
	for _, block := range [][]byte{s.Trace(), head} {
		for f := range mime.Fields(block) {
			switch {
			case f.Is("received"):
				t.received++
			case f.Is("delivered-to"):
				text := string(mime.AppendUnfolded(nil, f.Value))
				if p, err := smtp.ParseForwardPath("<"+text+">", true); err == nil {
					t.delivered[CanonicalAddress(p.Path)] = true
				}
			}
		}
	}
	return t, nil
}

// SRSDirectory is a Directory in front of dir in which a path that s has
// rewritten is an alias of its sender, so that bounces of forwarded mail pass a
// Gate and a Router. Those with a wrong hash, and old ones, are unknown. Who may
// write to them is for srs.Scheme.Bounces to judge, behind the Gate.
func SRSDirectory(dir Directory, s *srs.Scheme) Directory { return &srsDirectory{dir, s} }

type srsDirectory struct {
	dir Directory
	srs *srs.Scheme
}

// Lookup implements Directory.
func (d *srsDirectory) Lookup(ctx context.Context, paths []smtp.ForwardPath) ([]Entry, error) {
	out := make([]Entry, len(paths))
	var others []smtp.ForwardPath
	var at []int
	for i, p := range paths {
		if !d.srs.Is(p.Path) {
			others, at = append(others, p), append(at, i)
			continue
		}
		path, err := d.srs.Reverse(p.Path)
		switch {
		case err == nil:
			out[i] = Entry{Kind: Alias, Expand: []smtp.ForwardPath{{Path: path}}}
		case errors.Is(err, srs.ErrConfig):
			out[i].Err = err
		}
	}
	if len(others) == 0 {
		return out, nil
	}
	entries, err := d.dir.Lookup(ctx, others)
	if err != nil {
		return nil, err
	}
	if len(entries) != len(others) {
		return nil, errLookupCount
	}
	for k, i := range at {
		out[i] = entries[k]
	}
	return out, nil
}
