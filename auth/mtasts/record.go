package mtasts

import (
	"errors"
	"strings"

	"github.com/mailstead/mailstead/internal/txtrecord"
)

// Why there is no policy; tested with errors.Is.
var (
	// ErrNoRecord: the domain has no MTA-STS record.
	ErrNoRecord = errors.New("mtasts: no record")
	// ErrRecord: the record is malformed, or there are several (§3.1).
	ErrRecord = errors.New("mtasts: invalid record")
	// ErrPolicy: what was fetched is not a policy (sts-policy-invalid).
	ErrPolicy = errors.New("mtasts: invalid policy")
	// ErrFetch: the policy could not be fetched (sts-policy-fetch-error).
	ErrFetch = errors.New("mtasts: policy cannot be fetched")
	// ErrCertificate: the web server's certificate does not hold
	// (sts-webpki-invalid).
	ErrCertificate = errors.New("mtasts: certificate of the policy's host")
	// ErrDomain: the name cannot be the domain of a policy.
	ErrDomain = errors.New("mtasts: not a domain")
)

// Record is the TXT record _mta-sts.DOMAIN, which says that there is a policy
// and when it changes (RFC 8461 §3.1).
type Record struct {
	ID string // 1 to 32 letters and digits, new with each change of the policy
}

const (
	recordVersion = "v=STSv1"
	wsp           = " \t"
)

// ParseRecord parses one TXT record, its strings joined.
//
//	sts-text-record = sts-version 1*(sts-field-delim sts-field) [sts-field-delim]
//
// The error is ErrRecord.
func ParseRecord(text string) (Record, error) {
	fields, ok := txtrecord.Fields(text, recordVersion)
	if !ok {
		return Record{}, ErrRecord
	}
	var r Record
	for name, value := range fields {
		if !isFieldName(name) || !isExtensionValue(value) {
			return Record{}, ErrRecord
		}
		if name != "id" || r.ID != "" {
			continue // an extension; the first id counts
		}
		if r.ID = value; !isID(value) {
			return Record{}, ErrRecord
		}
	}
	if r.ID == "" {
		return Record{}, ErrRecord
	}
	return r, nil
}

// findRecord picks the record out of the TXT records of the name. Those that
// are no MTA-STS records do not count; then there must be exactly one.
func findRecord(texts []string) (Record, error) {
	text, n := txtrecord.Find(texts, recordVersion)
	switch n {
	case 0:
		return Record{}, ErrNoRecord
	case 1:
		return ParseRecord(text)
	}
	return Record{}, ErrRecord
}

func isID(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 32
}

// isFieldName: (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".").
func isFieldName(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && (i == 0 || !strings.ContainsRune("_-.", rune(s[i]))) {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 32
}

// isExtensionValue: 1*(%x21-3A / %x3C / %x3E-7E).
func isExtensionValue(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == ';' || s[i] == '=' {
			return false
		}
	}
	return s != ""
}

func isAlnum(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
