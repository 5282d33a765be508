package tlsrpt

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/mailstead/mailstead/internal/reportmail"
)

// MediaType is that of an encoded report (RFC 8460 §6.5).
const MediaType = "application/tlsrpt+gzip"

// Report is how TLS with a domain went on one day. It is not changed once it is
// made.
type Report struct {
	Organization, Contact string
	Submitter             string // the domain that it comes from
	Domain                string // the domain that it is about
	ID                    string // unique
	Start, End            time.Time

	counts []*policyCount
}

// Filename is the name of the encoded report (RFC 8460 §5.1).
func (r *Report) Filename() string {
	return reportmail.FileName(r.Submitter, r.Domain, r.Start, r.End, r.ID, "json.gz")
}

// The form of a report (RFC 8460 §4.4).
type (
	reportJSON struct {
		Organization string `json:"organization-name"`
		DateRange    struct {
			Start string `json:"start-datetime"`
			End   string `json:"end-datetime"`
		} `json:"date-range"`
		Contact  string       `json:"contact-info"`
		ID       string       `json:"report-id"`
		Policies []policyJSON `json:"policies"`
	}
	policyJSON struct {
		Policy struct {
			Type   PolicyType `json:"policy-type"`
			Lines  []string   `json:"policy-string,omitempty"`
			Domain string     `json:"policy-domain"`
			MX     []string   `json:"mx-host,omitempty"`
		} `json:"policy"`
		Summary struct {
			Successes int64 `json:"total-successful-session-count"`
			Failures  int64 `json:"total-failure-session-count"`
		} `json:"summary"`
		Details []detailJSON `json:"failure-details,omitempty"`
	}
	detailJSON struct {
		Result      Result `json:"result-type"`
		SendingIP   string `json:"sending-mta-ip,omitempty"`
		MXHost      string `json:"receiving-mx-hostname,omitempty"`
		MXHelo      string `json:"receiving-mx-helo,omitempty"`
		ReceivingIP string `json:"receiving-ip,omitempty"`
		Count       int64  `json:"failed-session-count"`
		Information string `json:"additional-information,omitempty"`
		Reason      string `json:"failure-reason-code,omitempty"`
	}
)

// MarshalJSON implements json.Marshaler: the report as RFC 8460 §4.4 has it.
func (r *Report) MarshalJSON() ([]byte, error) {
	out := reportJSON{Organization: r.Organization, Contact: r.Contact, ID: r.ID, Policies: make([]policyJSON, len(r.counts))}
	out.DateRange.Start, out.DateRange.End = r.Start.UTC().Format(time.RFC3339), r.End.UTC().Format(time.RFC3339)
	for i, c := range r.counts {
		p := &out.Policies[i]
		p.Policy.Type, p.Policy.Lines, p.Policy.Domain, p.Policy.MX = c.policy.Type, c.policy.Lines, r.Domain, c.policy.MX
		p.Summary.Successes = c.successes
		for f, n := range c.failures {
			p.Summary.Failures += n
			p.Details = append(p.Details, detailJSON{f.Result, f.SendingIP, f.MXHost, f.MXHelo, f.ReceivingIP, n, f.Information, f.Reason})
		}
		slices.SortFunc(p.Details, func(a, b detailJSON) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Result, b.Result), cmp.Compare(a.MXHost, b.MXHost), cmp.Compare(a.ReceivingIP, b.ReceivingIP))
		})
	}
	return json.Marshal(out)
}

// Encode writes the report in JSON, compressed with gzip.
func (r *Report) Encode(w io.Writer) error {
	z := gzip.NewWriter(w)
	if err := json.NewEncoder(z).Encode(r); err != nil {
		return err
	}
	return z.Close()
}
