package report

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/dmarc"
)

// Message is one message, as a receiver judged it: what it is counted by.
type Message struct {
	Time     time.Time // zero = now
	SourceIP netip.Addr

	// Verdict is what DMARC said, by the rules of Mode.
	Verdict *dmarc.Verdict
	Mode    dmarc.Mode

	// Disposition is what was done with the message. Where it is not what
	// Verdict.Disposition asks for, Reasons say why; without one "local_policy"
	// does. The Verdict's own override is added.
	Disposition dmarc.Policy
	Reasons     []Reason

	EnvelopeFrom string // the domain of MAIL FROM; "" = the null reverse-path
	EnvelopeTo   string // the domain of a recipient; "" = not said

	// DKIM has a result for each signature that was judged, SPF those of the
	// identities.
	DKIM, SPF []Result

	// IsReport says that the message is a report, on this or on TLS.
	IsReport bool
}

// Day is a day in UTC, as the number of days since 1970-01-01.
type Day int64

// DayOf is the day of a time.
func DayOf(t time.Time) Day {
	const seconds = 24 * 60 * 60
	n := t.Unix()
	if n < 0 {
		n -= seconds - 1
	}
	return Day(n / seconds)
}

// Start is the first second of the day, End the last.
func (d Day) Start() time.Time { return time.Unix(int64(d)*24*60*60, 0).UTC() }

// End is the last second of the day.
func (d Day) End() time.Time { return (d + 1).Start().Add(-time.Second) }

// Key names a report: a Policy Domain, in A-labels and lower case, and a day.
type Key struct {
	Domain string
	Day    Day
}

// Counted is a number of messages that are alike: Record.Count of them.
type Counted struct {
	Key
	Policy Policy // as it was found last
	Record Record
}

// counted is how a message is counted; ok is false for one that is not.
func (m *Message) counted() (c Counted, ok bool) {
	v := m.Verdict
	switch {
	case v == nil || v.Record == nil || len(v.Record.Aggregate) == 0 || !m.SourceIP.IsValid():
		return c, false // nobody wants to know
	case v.Result != dmarc.Pass && v.Result != dmarc.Fail:
		return c, false
	case v.Result == dmarc.Pass && (m.IsReport || m.EnvelopeFrom == ""):
		return c, false // or two that report to each other never end
	}
	at := m.Time
	if at.IsZero() {
		at = time.Now()
	}
	c = Counted{Key: Key{Domain: v.PolicyDomain, Day: DayOf(at)}, Policy: published(v, m.Mode)}
	c.Record = Record{
		SourceIP: m.SourceIP.Unmap().WithZone(""), Count: 1, Disposition: m.disposition(), DKIM: "fail", SPF: "fail", Reasons: m.reasons(),
		HeaderFrom: short(v.Domain), EnvelopeFrom: short(m.EnvelopeFrom), EnvelopeTo: short(m.EnvelopeTo), DKIMResults: m.signatures(), SPFResults: shortResults(m.SPF),
	}
	for _, id := range v.Aligned {
		switch id.Method {
		case dmarc.DKIM:
			c.Record.DKIM = "pass"
		case dmarc.SPF:
			c.Record.SPF = "pass"
		}
	}
	return c, true
}

// published is the policy of a verdict.
func published(v *dmarc.Verdict, mode dmarc.Mode) Policy {
	r := v.Record
	p := Policy{
		Domain: v.PolicyDomain, DKIM: "r", SPF: "r", Policy: r.Policy.String(), Subdomain: r.Subdomain.String(), NonExistent: r.NonExistent.String(),
		FailureOptions: strings.Join(strings.Split(r.FailureOptions, ""), ":"), Testing: "n", Discovery: "treewalk", Percent: strconv.Itoa(r.Percent),
	}
	if r.StrictDKIM {
		p.DKIM = "s"
	}
	if r.StrictSPF {
		p.SPF = "s"
	}
	if r.Test {
		p.Testing = "y"
	}
	if mode == dmarc.RFC7489 {
		p.Discovery = "psl"
	}
	return p
}

// disposition is the word for what was done (RFC 9990 §3.1.1.9).
func (m *Message) disposition() string {
	if m.Verdict.Result == dmarc.Pass && m.Verdict.Policy != dmarc.PolicyNone && m.Disposition == dmarc.PolicyNone {
		return "pass"
	}
	return m.Disposition.String()
}

// reasons are why the disposition is not what the policy says.
func (m *Message) reasons() (list []Reason) {
	v := m.Verdict
	if v.Override != dmarc.NoOverride {
		list = append(list, Reason{Type: string(v.Override)})
	}
	for _, r := range m.Reasons[:min(len(m.Reasons), maxList)] {
		list = append(list, Reason{Type: short(r.Type), Comment: short(r.Comment)})
	}
	if len(m.Reasons) == 0 && m.Disposition != v.Disposition {
		list = append(list, Reason{Type: "local_policy"})
	}
	return list
}

// signatures are the results of DKIM, the ones that matter most first (RFC 9990
// §3.1.3): strictly aligned ones, aligned ones, others that pass, the rest.
func (m *Message) signatures() []Result {
	rank := func(r Result) int {
		switch {
		case r.Result != string(dmarc.Pass):
			return 3
		case strings.EqualFold(r.Domain, m.Verdict.Domain):
			return 0
		case slices.ContainsFunc(m.Verdict.Aligned, func(id dmarc.Identifier) bool {
			return id.Method == dmarc.DKIM && strings.EqualFold(id.Domain, r.Domain)
		}):
			return 1
		}
		return 2
	}
	sorted := slices.SortedStableFunc(slices.Values(m.DKIM), func(a, b Result) int { return cmp.Compare(rank(a), rank(b)) })
	return shortResults(sorted)
}

// maxShort is the length of a text that is counted.
const maxShort = 255

// short is a text as it is counted, in memory that belongs to nobody else.
func short(s string) string { return text(s[:min(len(s), maxShort)]) }

func shortResults(list []Result) []Result {
	if len(list) == 0 {
		return nil
	}
	out := make([]Result, min(len(list), maxList))
	for i := range out {
		r := list[i]
		out[i] = Result{Domain: short(r.Domain), Result: short(r.Result), Selector: short(r.Selector), Scope: short(r.Scope), Text: short(r.Text)}
	}
	return out
}
