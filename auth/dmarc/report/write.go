package report

import (
	"bufio"
	"cmp"
	"encoding/xml"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/mailstead/mailstead/auth/dmarc"
)

// namespace is that of the elements since RFC 9990.
const namespace = "urn:ietf:params:xml:ns:dmarc-2.0"

// Write writes the report as XML, a record at a time: by the schema of RFC 9990,
// or of RFC 7489 Appendix C. Words that the schema does not have are replaced by
// those that come nearest. It is not compressed.
func (r *Report) Write(w io.Writer, mode dmarc.Mode) error {
	b := bufio.NewWriter(w)
	if _, err := b.WriteString(xml.Header); err != nil {
		return err
	}
	x := writer{e: xml.NewEncoder(b), old: mode == dmarc.RFC7489}
	root := xml.StartElement{Name: xml.Name{Local: "feedback"}}
	if !x.old {
		root.Attr = []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: namespace}}
	}
	x.token(root)
	x.text("version", "1.0")
	x.metadata(r)
	x.policy(&r.Policy)
	for i := range r.Records {
		if x.record(&r.Records[i]); x.err != nil {
			break
		}
	}
	x.token(root.End())
	if x.err != nil {
		return x.err
	}
	if err := x.e.Close(); err != nil {
		return err
	}
	return b.Flush()
}

// writer writes elements; its first error stays.
type writer struct {
	e   *xml.Encoder
	old bool // the schema of RFC 7489
	err error
}

func (x *writer) token(t xml.Token) {
	if x.err == nil {
		x.err = x.e.EncodeToken(t)
	}
}

// element writes an element with what inner writes.
func (x *writer) element(name string, inner func()) {
	start := xml.StartElement{Name: xml.Name{Local: name}}
	x.token(start)
	inner()
	x.token(start.End())
}

// text writes an element that holds a text.
func (x *writer) text(name, value string) {
	x.element(name, func() { x.token(xml.CharData(value)) })
}

// optional writes an element unless it is empty.
func (x *writer) optional(name, value string) {
	if value != "" {
		x.text(name, value)
	}
}

func (x *writer) metadata(r *Report) {
	x.element("report_metadata", func() {
		x.text("org_name", r.OrgName)
		x.text("email", r.Email)
		x.optional("extra_contact_info", r.Contact)
		x.text("report_id", r.ID)
		x.element("date_range", func() {
			x.text("begin", unix(r.Begin))
			x.text("end", unix(r.End))
		})
		for _, e := range r.Errors {
			x.text("error", e)
		}
		if !x.old {
			x.optional("generator", r.Generator)
		}
	})
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }

func (x *writer) policy(p *Policy) {
	x.element("policy_published", func() {
		x.text("domain", p.Domain)
		if x.old {
			x.text("adkim", cmp.Or(p.DKIM, "r"))
			x.text("aspf", cmp.Or(p.SPF, "r"))
			x.text("p", cmp.Or(p.Policy, "none"))
			x.text("sp", cmp.Or(p.Subdomain, p.Policy, "none"))
			x.text("pct", cmp.Or(p.Percent, "100"))
			x.text("fo", cmp.Or(p.FailureOptions, "0"))
			return
		}
		x.optional("discovery_method", p.Discovery)
		x.text("p", cmp.Or(p.Policy, "none"))
		x.optional("sp", p.Subdomain)
		x.optional("np", p.NonExistent)
		x.optional("fo", p.FailureOptions)
		x.optional("adkim", p.DKIM)
		x.optional("aspf", p.SPF)
		x.optional("testing", p.Testing)
	})
}

func (x *writer) record(r *Record) {
	x.element("record", func() {
		x.element("row", func() {
			x.text("source_ip", r.SourceIP.String())
			x.text("count", strconv.FormatInt(r.Count, 10))
			x.element("policy_evaluated", func() { x.evaluated(r) })
		})
		x.element("identifiers", func() {
			if x.old {
				x.optional("envelope_to", r.EnvelopeTo)
				x.text("envelope_from", r.EnvelopeFrom)
				x.text("header_from", r.HeaderFrom)
				return
			}
			x.text("header_from", r.HeaderFrom)
			x.text("envelope_from", r.EnvelopeFrom)
			x.optional("envelope_to", r.EnvelopeTo)
		})
		x.element("auth_results", func() { x.results(r) })
	})
}

func (x *writer) evaluated(r *Record) {
	disposition := oneOf(r.Disposition, "none", "none", "quarantine", "reject", "pass")
	if x.old && disposition == "pass" {
		disposition = "none"
	}
	x.text("disposition", disposition)
	x.text("dkim", oneOf(r.DKIM, "fail", "pass"))
	x.text("spf", oneOf(r.SPF, "fail", "pass"))
	for _, reason := range r.Reasons {
		known := []string{"local_policy", "mailing_list", "trusted_forwarder", "policy_test_mode"}
		if x.old {
			known = []string{"local_policy", "mailing_list", "trusted_forwarder", "forwarded", "sampled_out"}
		}
		typ, comment := oneOf(reason.Type, "other", known...), reason.Comment
		if typ == "other" && reason.Type != "other" {
			comment = reason.Type + " " + comment
		}
		x.element("reason", func() {
			x.text("type", typ)
			x.optional("comment", text(comment))
		})
	}
}

// results writes what SPF and the signatures said. RFC 9990 has at most one
// result of SPF, that of MAIL FROM; RFC 7489 has one at least.
func (x *writer) results(r *Record) {
	for _, s := range r.DKIMResults[:min(len(r.DKIMResults), maxList)] {
		x.element("dkim", func() {
			x.text("domain", s.Domain)
			x.text("selector", s.Selector)
			x.text("result", oneOf(s.Result, "neutral", "none", "pass", "fail", "policy", "temperror", "permerror"))
			x.optional("human_result", s.Text)
		})
	}
	list := r.SPFResults
	switch {
	case !x.old:
		list = slices.Clone(list)
		list = slices.DeleteFunc(list, func(s Result) bool { return s.Scope != "mfrom" && s.Scope != "" })
		list = list[:min(len(list), 1)]
	case len(list) == 0:
		list = []Result{{Domain: cmp.Or(r.EnvelopeFrom, r.HeaderFrom), Result: "none", Scope: "mfrom"}}
	}
	for _, s := range list {
		x.element("spf", func() {
			x.text("domain", s.Domain)
			x.text("scope", oneOf(s.Scope, "mfrom", "helo"))
			x.text("result", oneOf(s.Result, "none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"))
			if !x.old {
				x.optional("human_result", s.Text)
			}
		})
	}
}

// oneOf is word where it is among those that are known, else instead.
func oneOf(word, instead string, known ...string) string {
	if slices.Contains(known, word) {
		return word
	}
	return instead
}
