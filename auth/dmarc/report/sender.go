package report

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/internal/dnsname"
	"github.com/mailstead/mailstead/internal/reportmail"
	"github.com/mailstead/mailstead/smtp"
)

// Signer makes the DKIM-Signature fields of a message, which are put in front of
// it. *dkim.Signer is one.
type Signer interface {
	Sign(message io.Reader) ([]byte, error)
}

// Sender sends the reports of days that have ended. Its fields are set before the
// first use; SendDue and Run are called from one goroutine at a time.
type Sender struct {
	// Checker finds the records that say where reports go, and the consent of
	// those who get them. Its Mode chooses the schema. Required.
	Checker *dmarc.Checker

	// Storage has what was counted. Required.
	Storage Storage

	// Receiver takes the messages: a queue. Required.
	Receiver smtp.Receiver

	// Signer signs them; a *dkim.Signer with a key of the domain of Email. nil =
	// the Receiver signs. A message without an aligned signature is refused by
	// many (RFC 9990 §3.5.2).
	Signer Signer

	// Organization is the name of who reports, Email the mailbox that reports
	// come from and whom to ask, Submitter the domain of the receiver that
	// reports; "" = that of Email. Organization and Email are required.
	Organization, Email, Submitter string

	// Contact is more of that, a URL say; "" = none.
	Contact string

	// ReversePath is where bounces go; zero = nowhere.
	ReversePath smtp.ReversePath

	// MaxBytes bounds a report, compressed and encoded; records with few messages
	// are left out of one that is larger. 0 = 10 MiB.
	MaxBytes int64

	// GiveUp is how long after its day a report is tried; 0 = 48 h.
	GiveUp time.Duration

	// Logger is told of each report; nil = nobody.
	Logger *slog.Logger
}

const (
	maxReportBytes = 10 << 20
	giveUpAfter    = 48 * time.Hour
	duePage        = 100
	lateCounts     = 10 * time.Minute // for collectors to hand over what they have
	forgetTime     = 10 * time.Second
	generator      = "Mailstead"
)

// Validate lists what is missing or wrong.
func (s *Sender) Validate() error {
	var errs []error
	for name, missing := range map[string]bool{"Checker": s.Checker == nil, "Storage": s.Storage == nil, "Receiver": s.Receiver == nil, "Organization": s.Organization == ""} {
		if missing {
			errs = append(errs, fmt.Errorf("report: Sender.%s is not set", name))
		}
	}
	if _, err := smtp.ParseMailbox(s.Email, false); err != nil {
		errs = append(errs, fmt.Errorf("report: Sender.Email: %w", err))
	}
	if !dnsname.Valid(s.submitter()) {
		errs = append(errs, fmt.Errorf("report: Sender.Submitter: %q is no domain", s.submitter()))
	}
	return errors.Join(errs...)
}

func (s *Sender) submitter() string {
	return strings.ToLower(cmp.Or(s.Submitter, s.Email[strings.LastIndexByte(s.Email, '@')+1:]))
}

// SendDue sends the reports of all days that have ended ten minutes before now,
// and forgets what was sent, what nobody wants, and what is too old. The rest
// stays for the next time; the error says why. A report that is sent a second
// time, as a crash came in between, has the same name and Report-ID. What is
// counted for a day after its report was sent is sent as one more. It returns how
// many were sent.
func (s *Sender) SendDue(ctx context.Context, now time.Time) (sent int, err error) {
	if err := s.Validate(); err != nil {
		return 0, err
	}
	var errs []error
	var after Key
	for ctx.Err() == nil {
		keys, err := s.Storage.Due(ctx, DayOf(now.Add(-lateCounts)), after, duePage)
		if err != nil {
			return sent, errors.Join(append(errs, fmt.Errorf("report: due: %w", err))...)
		}
		if len(keys) == 0 {
			return sent, errors.Join(errs...)
		}
		for _, key := range keys {
			after = key
			n, err := s.settle(ctx, key, now)
			if sent += n; err != nil && len(errs) < maxList {
				errs = append(errs, err)
			}
			if ctx.Err() != nil {
				break
			}
		}
	}
	return sent, errors.Join(append(errs, context.Cause(ctx))...)
}

// settle sends a report and forgets it, or leaves it for later.
func (s *Sender) settle(ctx context.Context, key Key, now time.Time) (sent int, err error) {
	to, rep, err := s.send(ctx, key, now)
	switch {
	case err != nil && ctx.Err() != nil:
		return 0, nil
	case err != nil && now.Before(key.Day.End().Add(orDefault(s.GiveUp, giveUpAfter))):
		return 0, fmt.Errorf("report: %s: %w", key.Domain, err)
	}
	s.log(ctx, key, to, err)
	if len(to) > 0 {
		sent = 1
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetTime) // what was taken is not to be sent again
	defer cancel()
	if err := s.Storage.Delete(ctx, key, rep); err != nil {
		return sent, fmt.Errorf("report: %s: %w", key.Domain, err)
	}
	return sent, nil
}

func (s *Sender) log(ctx context.Context, key Key, to []string, err error) {
	if s.Logger == nil {
		return
	}
	day := key.Day.Start().Format(time.DateOnly)
	if err != nil {
		s.Logger.WarnContext(ctx, "DMARC report given up", "domain", key.Domain, "day", day, "err", err)
		return
	}
	s.Logger.InfoContext(ctx, "DMARC report", "domain", key.Domain, "day", day, "to", to)
}

// send sends a report to all who want it, and returns what was loaded. No
// addresses and no error: nobody does.
func (s *Sender) send(ctx context.Context, key Key, now time.Time) (to []string, loaded *Report, err error) {
	uris, doubt := s.Checker.Destinations(ctx, key.Domain, dmarc.AggregateReports)
	last := !now.Before(key.Day.End().Add(orDefault(s.GiveUp, giveUpAfter)))
	if doubt != nil && (!last || len(uris) == 0) {
		return nil, nil, doubt
	}
	if len(uris) == 0 {
		return nil, nil, nil
	}
	loaded, err = s.Storage.Load(ctx, key)
	if err != nil || loaded == nil {
		return nil, nil, err
	}
	rep := *loaded // pack leaves records out
	s.complete(&rep, key)
	data, err := s.pack(&rep)
	if err != nil {
		return nil, loaded, err
	}
	m := s.message(&rep, data, now)
	for _, u := range uris {
		if address, ok := u.Mailbox(); ok && (u.MaxBytes == 0 || reportmail.EncodedLen(len(data)) <= u.MaxBytes) {
			m.To = append(m.To, address)
		}
	}
	if len(m.To) == 0 {
		return nil, loaded, nil // it is too large for all
	}
	out := reportmail.Outbox{Receiver: s.Receiver, Signer: s.Signer, ReversePath: s.ReversePath}
	to, err = out.Send(ctx, m)
	return to, loaded, err
}

// complete adds what a report says of who reports, puts records in an order that
// is always the same, those with most messages first, and makes the ID, which is
// the same for the same counts: what comes late is another report of the day.
func (s *Sender) complete(rep *Report, key Key) {
	rep.Version, rep.OrgName, rep.Email, rep.Contact, rep.Generator = "1.0", s.Organization, s.Email, s.Contact, generator
	rep.Begin, rep.End = key.Day.Start(), key.Day.End()
	rep.Policy.Domain = key.Domain
	slices.SortFunc(rep.Records, func(a, b Record) int {
		if n := cmp.Or(cmp.Compare(b.Count, a.Count), a.SourceIP.Compare(b.SourceIP)); n != 0 {
			return n
		}
		x, y := a.Hash(), b.Hash()
		return bytes.Compare(x[:], y[:])
	})
	parts := []string{s.submitter(), key.Domain, rep.Begin.Format(time.DateOnly)}
	for i := range rep.Records {
		sum := rep.Records[i].Hash()
		parts = append(parts, string(sum[:]), strconv.FormatInt(rep.Records[i].Count, 10))
	}
	rep.ID = reportmail.ID(parts...)
}

// pack is the report, compressed. Of one that is too large half of the records
// are left out, until it is not.
func (s *Sender) pack(rep *Report) ([]byte, error) {
	limit := orDefault(s.MaxBytes, maxReportBytes)
	for {
		var b bytes.Buffer
		z := gzip.NewWriter(&capped{w: &b, left: limit * 3 / 4 * 76 / 78})
		err := rep.Write(z, s.Checker.Mode)
		if err == nil {
			err = z.Close()
		}
		if err == nil {
			return b.Bytes(), nil
		}
		if len(rep.Records) < 2 || !errors.Is(err, ErrTooLarge) {
			return nil, err
		}
		keep := len(rep.Records) / 2
		for _, r := range rep.Records[keep:] {
			rep.Skipped += int(r.Count)
		}
		rep.Records = rep.Records[:keep]
		rep.Errors = []string{fmt.Sprintf("%d messages are not in this report, which would have been too large", rep.Skipped)}
	}
}

// capped fails with ErrTooLarge beyond so many octets.
type capped struct {
	w    io.Writer
	left int64
}

func (c *capped) Write(p []byte) (int, error) {
	if int64(len(p)) > c.left {
		return 0, ErrTooLarge
	}
	c.left -= int64(len(p))
	return c.w.Write(p)
}

// Filename is the name of the report as a compressed file (RFC 9990 §3.5.2).
func (r *Report) Filename(submitter string) string {
	return reportmail.FileName(submitter, r.Policy.Domain, r.Begin, r.End, r.ID, "xml.gz")
}

func (s *Sender) message(rep *Report, data []byte, now time.Time) *reportmail.Message {
	submitter := s.submitter()
	id := rep.ID
	if s.Checker.Mode == dmarc.RFC7489 {
		id += "@" + submitter // §7.2.1.1: a msg-id
	}
	return &reportmail.Message{
		ID: rep.ID, Domain: submitter, From: s.Email, Subject: reportmail.Subject(rep.Policy.Domain, submitter, id), Date: now,
		Text:      fmt.Sprintf("This is an aggregate report of DMARC on %s for %s, by %s.\r\n", rep.Policy.Domain, rep.Begin.Format(time.DateOnly), s.Organization),
		MediaType: "application/gzip", Filename: rep.Filename(submitter), Data: data,
	}
}

// Run sends what is due until ctx ends: at once, then each day between midnight
// and 4:00 UTC, at a time of its own, and each hour while something is left over.
func (s *Sender) Run(ctx context.Context) {
	reportmail.Daily(ctx, func(ctx context.Context, now time.Time) error {
		_, err := s.SendDue(ctx, now)
		if err != nil && s.Logger != nil && ctx.Err() == nil {
			s.Logger.WarnContext(ctx, "DMARC reports are left over", "err", err)
		}
		return err
	})
}
