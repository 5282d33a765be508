package report

import (
	"net/netip"
	"time"
)

// Report is an aggregate report. Words stand as they were sent.
type Report struct {
	Version string // "1.0"; "" in many
	OrgName string // who reports
	Email   string // whom to ask
	Contact string // more of that
	ID      string // report_id
	// Begin and End are the time that is reported on; zero = not said.
	Begin, End time.Time
	Errors     []string // that the reporter had, at most 100
	Generator  string   // RFC 9990

	Policy  Policy
	Records []Record
	// Skipped is how many records are left out: those without an address or a
	// count that can be read.
	Skipped int
}

// Policy is the record that was found.
type Policy struct {
	Domain                  string
	DKIM, SPF               string // adkim, aspf: "r", "s"
	Policy, Subdomain       string // p, sp
	NonExistent             string // np (RFC 9990)
	Percent, FailureOptions string // pct (RFC 7489), fo
	Testing, Discovery      string // testing: "y", "n"; discovery_method: "psl", "treewalk" (RFC 9990)
}

// Record counts messages that are alike.
type Record struct {
	SourceIP    netip.Addr // IPv4 in its own form
	Count       int64      // more than 0
	Disposition string     // "none", "quarantine", "reject", "pass"
	DKIM, SPF   string     // "pass" where an aligned identifier passes
	Reasons     []Reason   // at most 100

	HeaderFrom, EnvelopeFrom, EnvelopeTo string

	DKIMResults []Result // at most 100
	SPFResults  []Result // at most 100
}

// Reason is why the policy was not applied.
type Reason struct{ Type, Comment string }

// Result is what SPF or a signature said.
type Result struct {
	Domain, Result string
	Selector       string // DKIM
	Scope          string // SPF: "mfrom", "helo"
	Text           string // human_result
}
