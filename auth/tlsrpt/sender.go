package tlsrpt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/internal/dnsname"
	"github.com/mailstead/mailstead/internal/reportmail"
	"github.com/mailstead/mailstead/smtp"
)

// Signer makes the DKIM-Signature fields of a message, which are put in front of
// it. *dkim.Signer is one.
type Signer interface {
	Sign(message io.Reader) ([]byte, error)
}

// Sender sends the reports of a Collector, by mail and by https. Its fields are
// set before the first use; SendDue and Run are called from one goroutine at a
// time. It must not be copied.
type Sender struct {
	// Collector counts. Its Organization, Contact and Submitter say who reports.
	// Required.
	Collector *Collector

	// Storage keeps what the Collector has counted over a restart, and reports
	// until they are done; Collector.Run hands over to it. nil = all is in memory.
	Storage Storage

	// Resolver finds the records that say where reports go. Required.
	Resolver dnsx.Resolver

	// Receiver takes the messages: a queue. nil = no reports go by mail.
	Receiver smtp.Receiver

	// Signer signs them; a *dkim.Signer with a key of the domain of From, whose
	// fields include TLS-Report-Domain and TLS-Report-Submitter. nil = the
	// Receiver signs. A report without a signature is worth nothing (RFC 8460 §3).
	Signer Signer

	// From is the mailbox that reports come from. Required with a Receiver.
	From string

	// ReversePath is where bounces go; zero = nowhere.
	ReversePath smtp.ReversePath

	// Client posts reports; nil = one of its own that connects to public addresses
	// alone, as the URIs are those of strangers. Redirects and cookies of a Client
	// are not used.
	Client *http.Client

	// Timeout bounds a post; 0 = 60 s.
	Timeout time.Duration

	// GiveUp is how long a report is tried that nobody takes; 0 = 24 h (RFC 8460
	// §5.5).
	GiveUp time.Duration

	// Logger is told of each report; nil = nobody.
	Logger *slog.Logger

	once   sync.Once
	client *http.Client
	left   []*leftover
}

// leftover is a report that is tried again.
type leftover struct {
	*Report
	since time.Time
}

const (
	giveUpAfter  = 24 * time.Hour
	postTimeout  = time.Minute
	maxLeftovers = maxDomains
)

// Validate lists what is missing or wrong.
func (s *Sender) Validate() error {
	var errs []error
	if s.Collector == nil {
		errs = append(errs, errors.New("tlsrpt: Sender.Collector is not set"))
	} else if !dnsname.Valid(strings.ToLower(s.Collector.Submitter)) {
		errs = append(errs, fmt.Errorf("tlsrpt: Collector.Submitter: %q is no domain", s.Collector.Submitter))
	}
	if s.Resolver == nil {
		errs = append(errs, errors.New("tlsrpt: Sender.Resolver is not set"))
	}
	if s.Receiver != nil {
		if _, err := smtp.ParseMailbox(s.From, false); err != nil {
			errs = append(errs, fmt.Errorf("tlsrpt: Sender.From: %w", err))
		}
	}
	return errors.Join(errs...)
}

// SendDue sends the reports of the days that have ended at now, and those that
// are left of earlier calls. A report goes to each address that its domain names,
// and is done when one has taken it, or when nobody asks for it. The error says
// which are left. It returns how many were sent.
func (s *Sender) SendDue(ctx context.Context, now time.Time) (sent int, err error) {
	if err := s.Validate(); err != nil {
		return 0, err
	}
	if s.Storage != nil {
		return s.sendStored(ctx, now)
	}
	for _, r := range s.Collector.Take(now) {
		s.left = append(s.left, &leftover{Report: r, since: now})
	}
	var errs []error
	var left []*leftover
	for i, r := range s.left {
		if ctx.Err() != nil {
			left = append(left, s.left[i:]...)
			errs = append(errs, context.Cause(ctx))
			break
		}
		to, err := s.send(ctx, r.Report, now)
		switch {
		case len(to) > 0:
			sent++
		case err == nil: // nobody wants it
		case ctx.Err() != nil, now.Sub(r.since) < orDefault(s.GiveUp, giveUpAfter):
			left = append(left, r)
			if len(errs) < 100 {
				errs = append(errs, fmt.Errorf("tlsrpt: %s: %w", r.Domain, err))
			}
			continue
		}
		s.log(ctx, r.Report, to, err)
	}
	s.left = left[max(0, len(left)-maxLeftovers):]
	return sent, errors.Join(errs...)
}

func (s *Sender) log(ctx context.Context, r *Report, to []string, err error) {
	if s.Logger == nil {
		return
	}
	if len(to) == 0 && err != nil {
		s.Logger.WarnContext(ctx, "TLS report given up", "domain", r.Domain, "day", r.Start.Format(time.DateOnly), "err", err)
		return
	}
	s.Logger.InfoContext(ctx, "TLS report", "domain", r.Domain, "day", r.Start.Format(time.DateOnly), "to", to, "err", err)
}

// send sends a report to all addresses of its domain, and returns those that took
// it, and why the others did not.
func (s *Sender) send(ctx context.Context, r *Report, now time.Time) (to []string, err error) {
	record, err := Lookup(ctx, s.Resolver, r.Domain)
	switch {
	case errors.Is(err, ErrNoRecord), errors.Is(err, ErrRecord):
		return nil, nil
	case err != nil:
		return nil, err
	}
	var data bytes.Buffer
	if err := r.Encode(&data); err != nil {
		return nil, err
	}
	var errs []error
	var mailboxes []string
	for _, u := range record.Addresses {
		if u.Scheme != "https" {
			if address, err := url.PathUnescape(u.Opaque); err == nil {
				mailboxes = append(mailboxes, address)
			}
			continue
		}
		if err := s.post(ctx, u, data.Bytes()); err != nil {
			errs = append(errs, err)
			continue
		}
		to = append(to, u.String())
	}
	if s.Receiver != nil && len(mailboxes) > 0 {
		out := reportmail.Outbox{Receiver: s.Receiver, Signer: s.Signer, ReversePath: s.ReversePath}
		took, err := out.Send(ctx, s.message(r, mailboxes, data.Bytes(), now))
		if err != nil {
			errs = append(errs, err)
		}
		to = append(to, took...)
	}
	return to, errors.Join(errs...)
}

// message is a report by mail (RFC 8460 §5.3). It is delivered whatever TLS says
// (§3), and names what it is about.
func (s *Sender) message(r *Report, to []string, data []byte, now time.Time) *reportmail.Message {
	return &reportmail.Message{
		ID: r.ID, Domain: r.Submitter, From: s.From, To: to, Date: now, ReportType: "tlsrpt",
		Subject: reportmail.Subject(r.Domain, r.Submitter, r.ID+"@"+r.Submitter),
		Fields: [][2]string{
			{"TLS-Report-Domain", reportmail.Safe(r.Domain)},
			{"TLS-Report-Submitter", reportmail.Safe(r.Submitter)},
			{"TLS-Required", "No"}, // RFC 8689 §5
		},
		Text:      fmt.Sprintf("This is a report on TLS to the mail servers of %s on %s, by %s.\r\n", reportmail.Safe(r.Domain), r.Start.Format(time.DateOnly), r.Organization),
		MediaType: MediaType, Filename: r.Filename(), Data: data,
	}
}

// Run sends what is due until ctx ends: at once, then each day between midnight
// and 4:00 UTC, at a time of its own (RFC 8460 §4.1), and each hour while
// something is left.
func (s *Sender) Run(ctx context.Context) {
	reportmail.Daily(ctx, func(ctx context.Context, now time.Time) error {
		_, err := s.SendDue(ctx, now)
		if err != nil && s.Logger != nil && ctx.Err() == nil {
			s.Logger.WarnContext(ctx, "TLS reports are left over", "err", err)
		}
		return err
	})
}

func joined(errs []error, err error) error { return errors.Join(append(errs, err)...) }

func orDefault(v, def time.Duration) time.Duration {
	if v <= 0 {
		return def
	}
	return v
}
