package tlsrpt

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
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
	maxBytes    = 64 << 20

	overhead = 200 // of an entry in a map or list, about
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

	// MaxBytes bounds the memory of what is counted and not yet taken, about;
	// what is beyond it is only counted in Dropped. 0 = 64 MiB.
	MaxBytes int64

	mu      sync.Mutex // guards what follows
	counted map[bucket][]*policyCount
	bytes   int64
	dropped int64
}

// bucket is a report to be.
type bucket struct {
	day    int64 // since 1970
	domain string
}

type policyCount struct {
	policy    Policy
	key       [sha256.Size]byte // of policy
	bytes     int64             // of all of it
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
	policy := bounded(s.Policy)
	key := hash(policy)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addLocked(b, &policyCount{policy: policy, key: key}, s.Failure, 1)
}

// addLocked counts n sessions, by the policy of fresh.
func (c *Collector) addLocked(b bucket, fresh *policyCount, failure *Failure, n int64) {
	limit := c.MaxDomains
	if limit <= 0 {
		limit = maxDomains
	}
	list, known := c.counted[b]
	if !known && len(c.counted) >= limit {
		c.dropped += n
		return
	}
	p, begun := find(list, fresh.key)
	if p == nil {
		p = fresh
	}
	if !c.countLocked(b, p, failure, begun, n) {
		c.dropped += n
	}
}

// find returns the counts of a policy, or those that it joins, where there are
// too many.
func find(list []*policyCount, key [sha256.Size]byte) (p *policyCount, begun bool) {
	for _, p := range list {
		if p.key == key {
			return p, true
		}
	}
	if len(list) >= maxPolicies {
		return list[len(list)-1], true
	}
	return nil, false
}

// countLocked counts n sessions, if there is memory for what is new about them.
func (c *Collector) countLocked(b bucket, p *policyCount, failure *Failure, begun bool, n int64) bool {
	var kind Failure
	more := int64(0) // of p
	if !begun {
		more += p.policy.size()
	}
	if failure != nil {
		if kind = p.kind(*failure); p.failures[kind] == 0 {
			more += kind.size()
		}
	}
	all := more
	if len(c.counted[b]) == 0 {
		all += b.size()
	}
	limit := c.MaxBytes
	if limit <= 0 {
		limit = maxBytes
	}
	if all > 0 && c.bytes+all > limit {
		return false
	}
	c.bytes += all
	p.bytes += more
	if !begun {
		if c.counted == nil {
			c.counted = make(map[bucket][]*policyCount)
		}
		c.counted[b] = append(c.counted[b], p)
	}
	if failure == nil {
		p.successes += n
		return true
	}
	if p.failures == nil {
		p.failures = make(map[Failure]int64)
	}
	p.failures[kind] += n
	return true
}

// kind is what a failure is counted as.
func (p *policyCount) kind(f Failure) Failure {
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
	return f
}

// hash tells policies apart.
func hash(p Policy) (sum [sha256.Size]byte) {
	h := sha256.New()
	var size [8]byte
	for _, list := range [...][]string{{string(p.Type)}, p.Lines, p.MX} {
		h.Write(binary.BigEndian.AppendUint64(size[:0], uint64(len(list))))
		for _, s := range list {
			h.Write(binary.BigEndian.AppendUint64(size[:0], uint64(len(s))))
			h.Write([]byte(s))
		}
	}
	h.Sum(sum[:0])
	return sum
}

func (b bucket) size() int64 { return int64(overhead + len(b.domain)) }

func (p Policy) size() int64 {
	n := overhead + len(p.Type)
	for _, list := range [...][]string{p.Lines, p.MX} {
		for _, s := range list {
			n += 16 + len(s)
		}
	}
	return int64(n)
}

// Dropped is how many sessions were not counted, as there were too many domains
// or too much about them.
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
			c.bytes -= b.size()
			for _, p := range counts {
				c.bytes -= p.bytes
			}
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
		ID: start.Format("20060102") + rand.Text(), Start: start, End: start.Add(day - time.Second), counts: counts,
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
