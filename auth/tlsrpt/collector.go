package tlsrpt

import (
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	maxDomains  = 10_000
	maxPolicies = 16
	maxFailures = 100
	maxText     = 512
	maxLines    = 100
)

// Session is one attempt to speak TLS with a mail server.
type Session struct {
	Domain  string // of the recipients, in A-labels
	Policy  Policy
	Failure *Failure  // nil = it went well
	Time    time.Time // zero = now
}

// Collector counts sessions by the day, in UTC (RFC 8460 §4.1). The zero value
// counts, but its reports name nobody. It must not be copied.
type Collector struct {
	Organization string // who reports
	Contact      string // an address or another way to reach them
	Submitter    string // the domain that reports come from

	// MaxDomains bounds the domains of all days that are not yet taken; 0 =
	// 10,000.
	MaxDomains int

	mu      sync.Mutex // guards what follows
	counted map[bucket][]*policyCount
	dropped int64
}

// bucket is a report to be.
type bucket struct {
	day    int64 // since 1970
	domain string
}

type policyCount struct {
	policy    Policy
	key       string
	successes int64
	failures  map[Failure]int64
}

const day = 24 * time.Hour

// Add counts a session.
func (c *Collector) Add(s Session) {
	if s.Time.IsZero() {
		s.Time = time.Now()
	}
	b := bucket{s.Time.Unix() / int64(day/time.Second), clip(strings.ToLower(strings.TrimSuffix(s.Domain, ".")))}
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := c.MaxDomains
	if limit <= 0 {
		limit = maxDomains
	}
	if _, known := c.counted[b]; !known && len(c.counted) >= limit {
		c.dropped++
		return
	}
	p := c.policyLocked(b, s.Policy)
	if s.Failure == nil {
		p.successes++
		return
	}
	p.fail(*s.Failure)
}

// policyLocked finds the counts of a policy, or begins them.
func (c *Collector) policyLocked(b bucket, policy Policy) *policyCount {
	policy = bounded(policy)
	key := string(policy.Type) + "\x00" + strings.Join(policy.Lines, "\n") + "\x00" + strings.Join(policy.MX, "\n")
	list := c.counted[b]
	for _, p := range list {
		if p.key == key {
			return p
		}
	}
	if len(list) >= maxPolicies {
		return list[len(list)-1]
	}
	if c.counted == nil {
		c.counted = make(map[bucket][]*policyCount)
	}
	p := &policyCount{policy: policy, key: key}
	c.counted[b] = append(list, p)
	return p
}

func (p *policyCount) fail(f Failure) {
	if f.Result == "" {
		f.Result = ValidationFailure
	}
	f.clip()
	if _, known := p.failures[f]; !known && len(p.failures) >= maxFailures {
		f = Failure{Result: f.Result}
		if _, known := p.failures[f]; !known && len(p.failures) >= maxFailures+20 {
			f.Result = ValidationFailure // results that nobody knows
		}
	}
	if p.failures == nil {
		p.failures = make(map[Failure]int64)
	}
	p.failures[f]++
}

// Dropped is how many sessions were not counted, as there were too many domains.
func (c *Collector) Dropped() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// Take returns the reports of the days that have ended at now, and forgets them:
// those of one day together, by domain.
func (c *Collector) Take(now time.Time) []*Report {
	today := now.Unix() / int64(day/time.Second)
	c.mu.Lock()
	defer c.mu.Unlock()
	var reports []*Report
	for b, counts := range c.counted {
		if b.day < today {
			reports = append(reports, c.report(b, counts))
			delete(c.counted, b)
		}
	}
	slices.SortFunc(reports, func(a, b *Report) int {
		if n := a.Start.Compare(b.Start); n != 0 {
			return n
		}
		return strings.Compare(a.Domain, b.Domain)
	})
	return reports
}

func (c *Collector) report(b bucket, counts []*policyCount) *Report {
	start := time.Unix(b.day*int64(day/time.Second), 0).UTC()
	return &Report{
		Organization: c.Organization, Contact: c.Contact, Submitter: c.Submitter, Domain: b.domain,
		ID: start.Format("2006-01-02") + "." + rand.Text(), Start: start, End: start.Add(day - time.Second), counts: counts,
	}
}

// bounded is a policy that takes little memory and belongs to nobody else.
func bounded(p Policy) Policy {
	if p.Type == "" {
		p.Type = NoPolicyFound
	}
	p.Type = PolicyType(clip(string(p.Type)))
	p.Lines, p.MX = boundedLines(p.Lines), boundedLines(p.MX)
	return p
}

func boundedLines(lines []string) []string {
	lines = slices.Clone(lines[:min(len(lines), maxLines)])
	for i := range lines {
		lines[i] = clip(lines[i])
	}
	return lines
}

// clip is the beginning of a text, in UTF-8.
func clip(s string) string {
	return strings.ToValidUTF8(strings.Clone(s[:min(len(s), maxText)]), "")
}
