package tlsrpt

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/internal/txtrecord"
)

// Why there is nowhere to send a report to; tested with errors.Is.
var (
	// ErrNoRecord: the domain asks for no reports.
	ErrNoRecord = errors.New("tlsrpt: no record")
	// ErrRecord: the record is malformed, or there are several (RFC 8460 §3).
	ErrRecord = errors.New("tlsrpt: invalid record")
)

// Record is the TXT record _smtp._tls.DOMAIN (RFC 8460 §3).
type Record struct {
	// Addresses are where reports go: URIs of the schemes mailto and https; at
	// most 10. It may be empty, if a domain knows only others.
	Addresses []*url.URL
}

const (
	recordVersion = "v=TLSRPTv1"
	maxAddresses  = 10
	wsp           = " \t"
)

// Lookup finds the record of a domain, which is in A-labels. The error is
// ErrNoRecord, ErrRecord or that of the resolver.
func Lookup(ctx context.Context, r dnsx.Resolver, domain string) (Record, error) {
	answer, err := r.Lookup(ctx, "_smtp._tls."+strings.TrimSuffix(domain, "."), dnsx.TXT)
	switch {
	case dnsx.NotFound(err):
		return Record{}, ErrNoRecord
	case err != nil:
		return Record{}, err
	}
	text, n := txtrecord.Find(answer.Texts, recordVersion)
	switch n {
	case 0:
		return Record{}, ErrNoRecord
	case 1:
		return ParseRecord(text)
	}
	return Record{}, ErrRecord
}

// ParseRecord parses one TXT record, its strings joined. The error is ErrRecord.
//
//	tlsrpt-record = tlsrpt-version 1*(field-delim tlsrpt-field) [field-delim]
func ParseRecord(text string) (Record, error) {
	fields, ok := txtrecord.Fields(text, recordVersion)
	if !ok {
		return Record{}, ErrRecord
	}
	var r Record
	seen := false
	for name, value := range fields {
		if name == "" || value == "" || strings.ContainsFunc(name+value, isControl) {
			return Record{}, ErrRecord
		}
		if name != "rua" || seen {
			continue // an extension; the first rua counts
		}
		seen = true
		if r.Addresses, ok = addresses(value); !ok {
			return Record{}, ErrRecord
		}
	}
	if !seen {
		return Record{}, ErrRecord
	}
	return r, nil
}

// addresses parses tlsrpt-uri *(*WSP "," *WSP tlsrpt-uri).
func addresses(list string) (found []*url.URL, ok bool) {
	for text := range strings.SplitSeq(list, ",") {
		u, err := url.Parse(strings.Trim(text, wsp))
		if err != nil || u.Scheme == "" {
			return nil, false
		}
		if len(found) < maxAddresses && (isMailto(u) || u.Scheme == "https" && u.Hostname() != "" && u.User == nil) {
			found = append(found, u)
		}
	}
	return found, true
}

// isMailto: one address, without header fields of the domain's choice.
func isMailto(u *url.URL) bool {
	if u.Scheme != "mailto" || u.RawQuery != "" {
		return false
	}
	to, err := url.PathUnescape(u.Opaque)
	at := strings.LastIndexByte(to, '@')
	return err == nil && at > 0 && at < len(to)-1 && !strings.ContainsFunc(to, isControl) && !strings.ContainsAny(to, "<>, ")
}

func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
