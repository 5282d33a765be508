package tlsrpt

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/mailstead/mailstead/internal/reportmail"
)

// Key names a report to be: the day, in days since 1970 in UTC, and the domain.
type Key struct {
	Day    int64
	Domain string
}

// End is when the day is over.
func (k Key) End() time.Time { return time.Unix((k.Day+1)*int64(day/time.Second), 0).UTC() }

// Counted is how many sessions there were of one kind.
type Counted struct {
	Key
	Policy   Policy
	Failure  *Failure // nil = they went well
	Sessions int64
}

// Storage keeps what was counted until it is reported, so that it outlives a
// restart and several nodes count for one report. Its methods may be called from
// any number of goroutines.
type Storage interface {
	// Add adds to the counts: all of them or, with an error, none, unless the error
	// says that nobody knows. What there is no room for is dropped, and how many
	// sessions that are is returned.
	Add(ctx context.Context, counted []Counted) (dropped int64, err error)
	// Due returns up to limit reports of days before one, those of the earliest
	// days first, behind a key in that order; the zero Key is before all.
	Due(ctx context.Context, before int64, after Key, limit int) ([]Key, error)
	// Load returns what was counted for a report, in no order.
	Load(ctx context.Context, key Key) ([]Counted, error)
	// Delete takes off what Load has returned; what was added since then stays.
	Delete(ctx context.Context, key Key, loaded []Counted) error
}

// Flush hands over what was counted. With an error it is kept for the next time.
func (c *Collector) Flush(ctx context.Context, s Storage) error {
	c.mu.Lock()
	counted := c.counted
	c.counted, c.bytes = nil, 0
	c.mu.Unlock()
	list := flatten(counted)
	if len(list) == 0 {
		return nil
	}
	dropped, err := s.Add(ctx, list)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropped += dropped
	if err == nil {
		return nil
	}
	for _, x := range list {
		c.addLocked(bucket{x.Day, x.Domain}, &policyCount{policy: x.Policy, key: hash(x.Policy)}, x.Failure, x.Sessions)
	}
	return fmt.Errorf("tlsrpt: flush: %w", err)
}

func flatten(counted map[bucket][]*policyCount) (list []Counted) {
	for b, policies := range counted {
		for _, p := range policies {
			x := Counted{Key: Key{b.day, b.domain}, Policy: p.policy, Sessions: p.successes}
			if p.successes > 0 {
				list = append(list, x)
			}
			for f, n := range p.failures {
				x.Failure, x.Sessions = &f, n
				list = append(list, x)
			}
		}
	}
	return list
}

// Run flushes every interval (0 = 1 min) until ctx ends, and once more then. A
// process that is killed loses what was counted since the last time. log is told
// of what cannot be kept; nil = nobody.
func (c *Collector) Run(ctx context.Context, s Storage, interval time.Duration, log *slog.Logger) {
	reportmail.EachMinute(ctx, interval, func(ctx context.Context) {
		if err := c.Flush(ctx, s); err != nil && log != nil {
			log.WarnContext(ctx, "counts for TLS reports cannot be kept", "err", err)
		}
	})
}

// reportOf is the report of what was loaded. Its ID is the same for the same
// counts, so that one that is sent a second time, as a crash came in between, is
// known.
func (c *Collector) reportOf(key Key, loaded []Counted) *Report {
	var counts []*policyCount
	parts := make([]string, 0, len(loaded))
	for _, x := range loaded {
		policy := bounded(x.Policy)
		sum := hash(policy)
		i := slices.IndexFunc(counts, func(p *policyCount) bool { return p.key == sum })
		if i < 0 {
			i = len(counts)
			counts = append(counts, &policyCount{policy: policy, key: sum, failures: map[Failure]int64{}})
		}
		part := string(sum[:]) + strconv.FormatInt(x.Sessions, 10)
		if x.Failure == nil {
			counts[i].successes += x.Sessions
		} else {
			counts[i].failures[*x.Failure] += x.Sessions
			part += fmt.Sprintf("%q", *x.Failure)
		}
		parts = append(parts, part)
	}
	slices.Sort(parts)
	slices.SortFunc(counts, func(a, b *policyCount) int { return cmp.Compare(string(a.key[:]), string(b.key[:])) })
	r := c.report(bucket{key.Day, key.Domain}, counts)
	r.ID = reportmail.ID(append(parts, c.Submitter, key.Domain, r.Start.Format(time.DateOnly))...)
	return r
}

const (
	duePage    = 100
	lateCounts = 10 * time.Minute // for other nodes to hand over what they have
	firstTry   = 4 * time.Hour    // behind midnight, at most
	forgetTime = 10 * time.Second
)

// sendStored is SendDue with a Storage.
func (s *Sender) sendStored(ctx context.Context, now time.Time) (sent int, err error) {
	var errs []error
	if err := s.Collector.Flush(ctx, s.Storage); err != nil {
		errs = append(errs, err)
	}
	today := now.Add(-lateCounts).Unix() / int64(day/time.Second)
	var after Key
	for ctx.Err() == nil {
		keys, err := s.Storage.Due(ctx, today, after, duePage)
		if err != nil || len(keys) == 0 {
			return sent, joined(errs, err)
		}
		for _, key := range keys {
			after = key
			n, err := s.settle(ctx, key, now)
			if sent += n; err != nil && len(errs) < 100 {
				errs = append(errs, fmt.Errorf("tlsrpt: %s: %w", key.Domain, err))
			}
			if ctx.Err() != nil {
				break
			}
		}
	}
	return sent, joined(errs, context.Cause(ctx))
}

// settle sends a stored report and forgets it, or leaves it for later.
func (s *Sender) settle(ctx context.Context, key Key, now time.Time) (sent int, err error) {
	loaded, err := s.Storage.Load(ctx, key)
	if err != nil || len(loaded) == 0 {
		return 0, err
	}
	r := s.Collector.reportOf(key, loaded)
	to, err := s.send(ctx, r, now)
	switch {
	case len(to) > 0:
		sent = 1
	case err == nil: // nobody wants it
	case ctx.Err() != nil, now.Before(key.End().Add(firstTry + orDefault(s.GiveUp, giveUpAfter))):
		return 0, err
	}
	s.log(ctx, r, to, err)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetTime) // what was taken is not to be sent again
	defer cancel()
	return sent, s.Storage.Delete(ctx, key, loaded)
}
