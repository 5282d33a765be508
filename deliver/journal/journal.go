package journal

import (
	"context"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/intake"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// Journal writes reports. It is an intake.Step; put it behind the steps that
// change what is declared of a message, and send what it makes through a
// [Router]. Hostname, IsLocal and Rules are required. The fields are set before
// the first use. Any number of goroutines may use it.
type Journal struct {
	// Hostname is the domain of the Message-ID, and of the From address where
	// From is "".
	Hostname string

	// From is the address in the From field of reports; "" = postmaster at
	// Hostname.
	From string

	// Rules say what is journaled, and where to. A message is reported once to
	// each address, however many rules name it.
	Rules []Rule

	// IsLocal reports whether a domain is ours, without any I/O.
	IsLocal func(domain string) bool

	// Directory says what aliases stand for; nil = they are not expanded. While
	// it fails messages are refused with 451.
	Directory deliver.Directory

	// MaxExpanded bounds the addresses of one alias that are listed; what is
	// beyond is counted. Zero = 10,000.
	MaxExpanded int

	// Secret marks reports as ours, so that one which comes back, by a forward
	// of the journal address, is not journaled again. All hosts that can meet
	// each other's reports have the same. Empty = no marks: then a forward into
	// a journaled mailbox never ends.
	Secret []byte
}

// Rule says of which messages reports are written. The zero values of the
// filters let everything through.
type Rule struct {
	// To is where reports go: a mailbox, or an alias of one. Required.
	To smtp.ForwardPath

	// Alternate takes reports that To refuses for good, or does not take for
	// Patience; zero = none.
	Alternate smtp.ForwardPath

	// Patience is the age from which a report goes to Alternate when To
	// defers it. Zero = 4 h, negative = at once.
	Patience time.Duration

	// Only are the users (whole addresses) and the domains whose mail is
	// journaled, sent and received; in any case, A- or U-labels. nil = all.
	Only []string

	// Ways are the ways of a message that are journaled; zero = all.
	Ways Way
}

// Way is how a message passes this host; a message to several recipients may
// have several.
type Way uint8

// The ways. A sender is ours who has authenticated, or mail that begins here:
// the reverse-path alone proves nothing.
const (
	Internal Way = 1 << iota // from us to us
	Outbound                 // from us to others
	Inbound                  // from others to us
	Relayed                  // from others to others
)

// External is all mail but Internal.
const External = Outbound | Inbound | Relayed

// The destination and the kind of reports in a queue begin so; behind it is the
// journal address.
const (
	destination = "journal/"
	kind        = "journal:"
)

var _ intake.Step = (*Journal)(nil)

// Prepare implements intake.Step: it appends a job for each report. What keeps
// it from writing one refuses the message for now.
func (j *Journal) Prepare(ctx context.Context, m *intake.Message) error {
	if j.toJournals(m.Recipients) {
		return nil
	}
	jobs, err := j.reports(ctx, m)
	if err != nil {
		return &smtp.Error{Reply: smtp.NewReply(451, smtp.EnhancedCode{Class: 4, Subject: 3}, "Message cannot be journaled now"), Err: err}
	}
	m.Jobs = append(m.Jobs, jobs...)
	return nil
}

// toJournals reports a message that only journal addresses get: a report of
// another host, or one that is there anyway.
func (j *Journal) toJournals(rs []*smtp.Recipient) bool {
	for _, r := range rs {
		if _, ok := j.rule(r.ForwardPath); !ok {
			return false
		}
	}
	return true
}

// rule is the first one with this address.
func (j *Journal) rule(p smtp.ForwardPath) (*Rule, bool) {
	address := deliver.CanonicalAddress(p.Path)
	for i := range j.Rules {
		r := &j.Rules[i]
		if deliver.CanonicalAddress(r.To.Path) == address || !r.Alternate.IsZero() && deliver.CanonicalAddress(r.Alternate.Path) == address {
			return r, true
		}
	}
	return nil, false
}

// reports are the jobs for the addresses of all rules that cover a message.
func (j *Journal) reports(ctx context.Context, m *intake.Message) ([]queue.Job, error) {
	e, err := j.envelope(ctx, m)
	if err != nil {
		return nil, err
	}
	var jobs []queue.Job
	done := make(map[string]bool)
	for i := range j.Rules {
		r := &j.Rules[i]
		address := deliver.CanonicalAddress(r.To.Path)
		if done[address] || !r.covers(e) {
			continue
		}
		done[address] = true
		if jobs == nil {
			if ours, err := j.describe(ctx, m, e); err != nil || ours {
				return nil, err
			}
		}
		job, err := j.job(m, e, r, address)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// covers reports whether a message passes the filters of a rule.
func (r *Rule) covers(e *envelope) bool {
	only := make(map[string]bool, len(r.Only))
	for _, s := range r.Only {
		only[canonical(s)] = true
	}
	named := func(a party) bool { return len(only) == 0 || only[a.address] || only[a.domain] }
	for _, rcpt := range e.rcpts {
		if r.Ways != 0 && r.Ways&rcpt.way == 0 {
			continue
		}
		if named(e.sender) || named(rcpt.party) {
			return true
		}
	}
	return false
}

// job is that of one report. It never expires (J2).
func (j *Journal) job(m *intake.Message, e *envelope, r *Rule, address string) (queue.Job, error) {
	job := m.Extra(kind + address)
	job.Destination = destination + address
	job.Recipients = []queue.Recipient{{Recipient: smtp.Recipient{ForwardPath: r.To, Params: smtp.RcptParams{Notify: smtp.NotifyNever}}}}
	job.Expires = job.Created.AddDate(100, 0, 0)
	head, err := j.head(e, &job)
	if err != nil {
		return queue.Job{}, err
	}
	job.Prefix = append(head, m.Trace...)
	job.Params.UTF8 = job.Params.UTF8 || r.To.NeedsUTF8()
	return job, nil
}
