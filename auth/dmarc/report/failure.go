package report

import (
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/internal/mime"
)

// Failure is a failure report: what became of one message, or of several that
// are alike (RFC 5965, RFC 6591, RFC 9991). Words stand as they were sent, apart
// from the case of those that are keywords.
type Failure struct {
	Type     string // Feedback-Type: "auth-failure"; "abuse" and others are no failures
	Auth     string // Auth-Failure: "dmarc", "dkim", "spf", "bodyhash", "revoked", "signature", ...
	Reporter string // User-Agent
	Delivery string // Delivery-Result: "delivered", "spam", "policy", "reject", "other"
	// Alignment are the methods that did not authenticate an aligned domain:
	// "dkim", "spf".
	Alignment []string

	Domains    []string // Reported-Domain, at most 100
	SourceIP   netip.Addr
	SourcePort int // 0 = not said
	MailFrom   string
	RcptTo     []string  // at most 100
	EnvelopeID string    // Original-Envelope-Id
	Arrival    time.Time // zero = not said
	Incidents  int64     // how many messages; 1 where it is not said

	DKIMDomain, DKIMIdentity, DKIMSelector string
	SPF                                    []string // SPF-DNS: the records that were used; at most 100
	Results                                []string // Authentication-Results, unfolded; at most 100

	// Original is the message, or its header block, as the reporter shows it; nil
	// = not at all. It is not looked into.
	Original []byte
}

// maxFields is how many octets of the fields of a failure report are read.
const maxFields = 64 << 10

// ParseFailure reads a message with a failure report: a part of type
// message/feedback-report, and the original beside it. A message of more than
// twice MaxPackedBytes, or an original of more than MaxBytes, is ErrTooLarge; one
// without such a part is ErrFormat.
func ParseFailure(r io.Reader, limits Limits) (*Failure, error) {
	limits = limits.orDefault()
	m, err := readMail(r, limits)
	if err != nil {
		return nil, err
	}
	var fields, original *mime.Part
	m.root.All(func(p *mime.Part) bool {
		switch mediaType(p) {
		case "message/feedback-report":
			if fields == nil {
				fields = p
			}
		case "message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers":
			if fields != nil && original == nil {
				original = p
			}
		}
		return fields == nil || original == nil
	})
	if fields == nil {
		return nil, fmt.Errorf("%w: no feedback-report", ErrFormat)
	}
	f := &Failure{Incidents: 1}
	block, err := io.ReadAll(io.LimitReader(m.content(fields), maxFields))
	if err != nil {
		return nil, malformed(err)
	}
	for field := range mime.Fields(block) {
		f.set(strings.ToLower(string(field.Name)), text(string(mime.AppendUnfolded(nil, field.Value))))
	}
	if f.Type == "" {
		return nil, fmt.Errorf("%w: no Feedback-Type", ErrFormat)
	}
	if original != nil {
		if f.Original, err = io.ReadAll(&limited{r: m.content(original), left: limits.MaxBytes}); err != nil {
			return nil, malformed(err)
		}
	}
	return f, nil
}

// set takes a field; the first of a name counts where there may be one.
func (f *Failure) set(name, value string) {
	keep := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	switch name {
	case "feedback-type":
		keep(&f.Type, strings.ToLower(value))
	case "auth-failure":
		keep(&f.Auth, strings.ToLower(value))
	case "user-agent":
		keep(&f.Reporter, value)
	case "delivery-result":
		keep(&f.Delivery, strings.ToLower(value))
	case "identity-alignment":
		if f.Alignment == nil {
			f.Alignment = methods(value)
		}
	case "original-mail-from":
		keep(&f.MailFrom, strings.Trim(value, "<>"))
	case "original-envelope-id":
		keep(&f.EnvelopeID, value)
	case "dkim-domain":
		keep(&f.DKIMDomain, value)
	case "dkim-identity":
		keep(&f.DKIMIdentity, value)
	case "dkim-selector":
		keep(&f.DKIMSelector, value)
	default:
		f.setOther(name, value)
	}
}

// setOther is set for numbers, and for fields that may stand there often.
func (f *Failure) setOther(name, value string) {
	several := func(list *[]string, v string) {
		if len(*list) < maxList {
			*list = append(*list, v)
		}
	}
	switch name {
	case "reported-domain":
		several(&f.Domains, value)
	case "original-rcpt-to":
		several(&f.RcptTo, strings.Trim(value, "<>"))
	case "spf-dns":
		several(&f.SPF, value)
	case "authentication-results":
		several(&f.Results, value)
	case "source-ip":
		if ip, err := netip.ParseAddr(strings.Trim(value, "[]")); err == nil && ip.Zone() == "" {
			f.SourceIP = ip.Unmap()
		}
	case "source-port":
		if n, err := strconv.ParseUint(value, 10, 16); err == nil {
			f.SourcePort = int(n)
		}
	case "incidents":
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && n > 0 {
			f.Incidents = n
		}
	case "arrival-date", "received-date":
		if at, ok := mime.ParseDate([]byte(value)); ok && f.Arrival.IsZero() {
			f.Arrival = at
		}
	}
}

// methods are the words of Identity-Alignment (RFC 9991).
func methods(value string) []string {
	list := []string{}
	for word := range strings.SplitSeq(value, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		if (word == "dkim" || word == "spf") && len(list) < 2 {
			list = append(list, word)
		}
	}
	return list
}
