package arf

import (
	"errors"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/internal/reportread"
)

// ErrFormat: the message has no feedback report.
var ErrFormat = errors.New("arf: no feedback report")

// Report is one feedback report. Values stand as they were sent, unfolded, but
// for the case of words. Nothing in it is to be believed.
type Report struct {
	Type      string // Feedback-Type: "abuse", "fraud", "virus", "not-spam", "other", "auth-failure", ...
	UserAgent string
	Version   string

	EnvelopeID   string
	MailFrom     string   // Original-Mail-From, without brackets
	RcptTo       []string // Original-Rcpt-To, without brackets; at most MaxValues
	ReportingMTA string   // without its type
	SourceIP     netip.Addr
	SourcePort   uint16    // 0 = not said
	Arrival      time.Time // zero = not said
	Incidents    int64     // how many messages; 1 where it is not said
	Domains      []string  // Reported-Domain; at most MaxValues
	URIs         []string  // Reported-Uri; at most MaxValues
	Results      []string  // Authentication-Results; at most MaxValues

	// Failure is what an auth-failure report says, nil in others.
	Failure *Failure

	// Redacted says that an address is there, but not in clear (RFC 6590).
	Redacted bool

	// Header is the header block of the reported message, as far as the
	// reporter shows it, up to 64 KiB; nil = not at all. Whole says that the
	// report has the message, not the header alone.
	Header    []byte
	Whole     bool
	MessageID string // of the reported message, without brackets
}

// Failure is why authentication failed (RFC 6591 §3).
type Failure struct {
	Auth      string   // Auth-Failure: "adsp", "bodyhash", "revoked", "signature", "spf", "dmarc", ...
	Delivery  string   // Delivery-Result: "delivered", "spam", "policy", "reject", "other"; "" = not said
	Alignment []string // Identity-Alignment: what does not align; "none" is empty

	DKIMDomain, DKIMIdentity, DKIMSelector, DKIMSelectorDNS string

	SPF []string // SPF-DNS; at most MaxValues
}

// Bounds of what is read.
const (
	MaxFields = 64 << 10 // octets of the fields
	MaxValues = 100      // values of one name
)

// Parse reads a message of size octets. The error is ErrFormat, or one of r.
func Parse(r io.ReaderAt, size int64) (*Report, error) {
	m, err := reportread.Open(r, size)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	rep := read(m)
	switch {
	case m.Err() != nil:
		return nil, m.Err()
	case rep == nil:
		return nil, ErrFormat
	}
	return rep, nil
}

// read reads an opened message; nil = it has no feedback report. The error of the
// reader is left to m.Err.
func read(m *reportread.Message) *Report {
	var rep *Report
	for p := range m.Parts() {
		if p.Nested {
			continue
		}
		if p.Type == "message/feedback-report" && rep == nil {
			rep = parseFields(p.Text(MaxFields))
		}
		if header, whole, ok := p.Reported(); ok && rep != nil && rep.Header == nil {
			rep.Header, rep.Whole = header, whole
			rep.MessageID = messageID(header)
		}
	}
	return rep
}

// messageID is the one of a header block.
func messageID(header []byte) string {
	for f := range mime.Fields(header) {
		if f.Is("message-id") {
			for id := range mime.MessageIDs(mime.AppendUnfolded(nil, f.Value)) {
				return string(id)
			}
		}
	}
	return ""
}

// parseFields reads the fields of message/feedback-report; nil without a
// Feedback-Type, which is the one that has to be there with any meaning.
func parseFields(block []byte) *Report {
	rep := &Report{Incidents: 1}
	var fail Failure
	for f := range mime.Fields(block) {
		name, value := strings.ToLower(string(f.Name)), text(mime.AppendUnfolded(nil, f.Value))
		if !rep.set(name, value) && !rep.setSeveral(name, value) {
			fail.set(name, value)
		}
	}
	if rep.Type == "" {
		return nil
	}
	if rep.Type == "auth-failure" {
		rep.Failure = &fail
	}
	return rep
}

// set takes a field that stands there once; the first one counts.
func (r *Report) set(name, value string) bool {
	switch name {
	case "feedback-type":
		first(&r.Type, strings.ToLower(word(value)))
	case "user-agent":
		first(&r.UserAgent, value)
	case "version":
		first(&r.Version, value)
	case "original-envelope-id":
		first(&r.EnvelopeID, value)
	case "original-mail-from":
		first(&r.MailFrom, r.address(value))
	case "reporting-mta":
		_, mta, ok := strings.Cut(value, ";")
		if !ok {
			mta = value
		}
		first(&r.ReportingMTA, strings.TrimSpace(mta))
	case "source-ip":
		if ip, err := netip.ParseAddr(strings.Trim(word(value), "[]")); err == nil && ip.Zone() == "" {
			r.SourceIP = ip.Unmap()
		}
	case "source-port":
		if n, err := strconv.ParseUint(word(value), 10, 16); err == nil {
			r.SourcePort = uint16(n)
		}
	case "incidents":
		if n, err := strconv.ParseInt(word(value), 10, 64); err == nil && n > 0 {
			r.Incidents = n
		}
	case "arrival-date", "received-date":
		if at, ok := mime.ParseDate([]byte(value)); ok && r.Arrival.IsZero() {
			r.Arrival = at
		}
	default:
		return false
	}
	return true
}

// setSeveral takes a field of which there may be more.
func (r *Report) setSeveral(name, value string) bool {
	switch name {
	case "original-rcpt-to":
		several(&r.RcptTo, r.address(value))
	case "reported-domain":
		several(&r.Domains, word(value))
	case "reported-uri":
		several(&r.URIs, value)
	case "authentication-results":
		several(&r.Results, value)
	default:
		return false
	}
	return true
}

// address is an address without its brackets. One without a domain, or with a
// word in place of its local-part, is redacted.
func (r *Report) address(value string) string {
	a := strings.Trim(value, "<> ")
	local, _, found := strings.Cut(strings.ToLower(a), "@")
	if a != "" && !found || strings.Contains(local, "redacted") || local == "x" {
		r.Redacted = true
	}
	return a
}

func (f *Failure) set(name, value string) {
	switch name {
	case "auth-failure":
		first(&f.Auth, strings.ToLower(word(value)))
	case "delivery-result":
		first(&f.Delivery, strings.ToLower(word(value)))
	case "identity-alignment":
		for w := range strings.FieldsFuncSeq(strings.ToLower(value), func(c rune) bool { return c == ',' || c == ' ' }) {
			if w != "none" {
				several(&f.Alignment, w)
			}
		}
	case "dkim-domain":
		first(&f.DKIMDomain, value)
	case "dkim-identity":
		first(&f.DKIMIdentity, value)
	case "dkim-selector":
		first(&f.DKIMSelector, value)
	case "dkim-selector-dns":
		first(&f.DKIMSelectorDNS, value)
	case "spf-dns":
		several(&f.SPF, value)
	}
}

func first(p *string, v string) {
	if *p == "" {
		*p = v
	}
}

func several(list *[]string, v string) {
	if len(*list) < MaxValues {
		*list = append(*list, v)
	}
}

// word is what stands before white space or a comment.
func word(v string) string {
	if i := strings.IndexAny(v, " \t(;"); i >= 0 {
		v = v[:i]
	}
	return v
}

// text makes one line of valid UTF-8 of a value.
func text(v []byte) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(v), "?"))
}
