package report

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The elements, in the order of the schema. Names of elements count without
// their namespace.
type (
	xmlMetadata struct {
		OrgName string       `xml:"org_name"`
		Email   string       `xml:"email"`
		Contact string       `xml:"extra_contact_info"`
		ID      string       `xml:"report_id"`
		Begin   string       `xml:"date_range>begin"`
		End     string       `xml:"date_range>end"`
		Errors  list[string] `xml:"error"`
		Gen     string       `xml:"generator"`
	}
	xmlPolicy struct {
		Domain    string `xml:"domain"`
		DKIM      string `xml:"adkim"`
		SPF       string `xml:"aspf"`
		P         string `xml:"p"`
		SP        string `xml:"sp"`
		NP        string `xml:"np"`
		Percent   string `xml:"pct"`
		FO        string `xml:"fo"`
		Testing   string `xml:"testing"`
		Discovery string `xml:"discovery_method"`
	}
	xmlRecord struct {
		SourceIP    string          `xml:"row>source_ip"`
		Count       string          `xml:"row>count"`
		Disposition string          `xml:"row>policy_evaluated>disposition"`
		DKIM        string          `xml:"row>policy_evaluated>dkim"`
		SPF         string          `xml:"row>policy_evaluated>spf"`
		Reasons     list[xmlReason] `xml:"row>policy_evaluated>reason"`
		HeaderFrom  string          `xml:"identifiers>header_from"`
		From        string          `xml:"identifiers>envelope_from"`
		To          string          `xml:"identifiers>envelope_to"`
		DKIMResults list[xmlResult] `xml:"auth_results>dkim"`
		SPFResults  list[xmlResult] `xml:"auth_results>spf"`
	}
	xmlReason struct {
		Type    string `xml:"type"`
		Comment string `xml:"comment"`
	}
	xmlResult struct {
		Domain   string `xml:"domain"`
		Selector string `xml:"selector"`
		Scope    string `xml:"scope"`
		Result   string `xml:"result"`
		Text     string `xml:"human_result"`
	}
)

// list has the first maxList elements of a name; others are read past, and take
// no memory.
type list[T any] []T

// UnmarshalXML takes one element.
func (l *list[T]) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	if len(*l) >= maxList {
		return d.Skip()
	}
	var x T
	err := d.DecodeElement(&x, &start)
	*l = append(*l, x)
	return err
}

// reader takes a report from its tokens, a child of the root at a time.
type reader struct {
	d      *xml.Decoder
	limits Limits
	rep    Report
}

// feedback reads the root.
func (r *reader) feedback() (*Report, error) {
	begun := false
	for {
		token, err := r.d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			if !begun {
				if token.Name.Local != "feedback" {
					return nil, fmt.Errorf("root %.64q", token.Name.Local)
				}
				begun = true
				continue
			}
			if err := r.child(token); err != nil {
				return nil, err
			}
		case xml.EndElement: // of the root: children are consumed whole
			if r.rep.Policy.Domain == "" {
				return nil, errors.New("no policy_published")
			}
			return &r.rep, nil
		}
	}
}

// child reads one child of the root.
func (r *reader) child(start xml.StartElement) error {
	switch start.Name.Local {
	case "version":
		var s string
		err := r.d.DecodeElement(&s, &start)
		r.rep.Version = text(s)
		return err
	case "report_metadata":
		var m xmlMetadata
		err := r.d.DecodeElement(&m, &start)
		r.rep.OrgName, r.rep.Email, r.rep.Contact, r.rep.ID = text(m.OrgName), text(m.Email), text(m.Contact), text(m.ID)
		r.rep.Begin, r.rep.End, r.rep.Generator = seconds(m.Begin), seconds(m.End), text(m.Gen)
		for _, e := range m.Errors {
			r.rep.Errors = append(r.rep.Errors, text(e))
		}
		return err
	case "policy_published":
		var p xmlPolicy
		err := r.d.DecodeElement(&p, &start)
		r.rep.Policy = Policy{
			Domain: text(p.Domain), DKIM: text(p.DKIM), SPF: text(p.SPF), Policy: text(p.P), Subdomain: text(p.SP), NonExistent: text(p.NP),
			Percent: text(p.Percent), FailureOptions: text(p.FO), Testing: text(p.Testing), Discovery: text(p.Discovery),
		}
		return err
	case "record":
		var x xmlRecord
		if err := r.d.DecodeElement(&x, &start); err != nil {
			return err
		}
		return r.record(x)
	}
	return r.d.Skip()
}

// record takes one, if it counts anything.
func (r *reader) record(x xmlRecord) error {
	ip, err := netip.ParseAddr(text(x.SourceIP))
	count, bad := strconv.ParseInt(text(x.Count), 10, 64)
	if err != nil || bad != nil || count <= 0 || ip.Zone() != "" {
		r.rep.Skipped++
		return nil
	}
	if len(r.rep.Records) >= r.limits.MaxRecords {
		return ErrTooLarge
	}
	rec := Record{
		SourceIP: ip.Unmap(), Count: count, Disposition: text(x.Disposition), DKIM: text(x.DKIM), SPF: text(x.SPF),
		HeaderFrom: text(x.HeaderFrom), EnvelopeFrom: text(x.From), EnvelopeTo: text(x.To), DKIMResults: results(x.DKIMResults), SPFResults: results(x.SPFResults),
	}
	for _, reason := range x.Reasons {
		rec.Reasons = append(rec.Reasons, Reason{Type: text(reason.Type), Comment: text(reason.Comment)})
	}
	r.rep.Records = append(r.rep.Records, rec)
	return nil
}

func results(found list[xmlResult]) (out []Result) {
	for _, x := range found {
		out = append(out, Result{Domain: text(x.Domain), Result: text(x.Result), Selector: text(x.Selector), Scope: text(x.Scope), Text: text(x.Text)})
	}
	return out
}

// text is s without white space around it, without control characters, and cut
// off at 1024 octets.
func text(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 1024 {
		s = s[:1024]
	}
	clean := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
	return strings.TrimSpace(strings.Clone(clean))
}

// seconds is a time of a report; zero for what is none.
func seconds(s string) time.Time {
	n, err := strconv.ParseInt(text(s), 10, 64)
	if err != nil || n <= 0 || n > 1<<40 {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}
