package dmarc

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Policy is what a domain asks for a message that fails, in order of severity.
// The zero value asks nothing.
type Policy uint8

// The policies (RFC 9989 §4.7, tag "p").
const (
	PolicyNone Policy = iota
	Quarantine
	Reject
)

// String is the word of the record and of the property policy.dmarc.
func (p Policy) String() string { return [...]string{"none", "quarantine", "reject"}[min(p, Reject)] }

// lower is the next less severe policy.
func (p Policy) lower() Policy { return p - min(p, 1) }

// PSD says whether a domain is a public suffix (tag "psd").
type PSD uint8

// The values of psd.
const (
	PSDUnknown PSD = iota // "u" or none: as the tree walk finds
	PSDYes                // "y": a public suffix
	PSDNo                 // "n": an Organizational Domain
)

// Record is a DMARC Policy Record. Its zero value is "v=DMARC1; p=none".
type Record struct {
	// Policy is for the domain itself (p), Subdomain for those below it (sp),
	// NonExistent for those that do not exist (np). Parse fills in the latter
	// two where the tags are missing, as RFC 9989 §4.7 says.
	Policy, Subdomain, NonExistent Policy
	HasSubdomain, HasNonExistent   bool // the tags are there

	StrictDKIM, StrictSPF bool // adkim=s, aspf=s
	PSD                   PSD  // psd
	Test                  bool // t=y

	Aggregate []URI // rua, at most 32
	Failure   []URI // ruf, at most 32
	// FailureOptions are the characters of fo among "01ds", each once; "0" where
	// there is no fo, no valid one, or no ruf.
	FailureOptions string

	// Percent is how many of the messages that fail get the policy (pct, 0 to
	// 100, default 100). Interval is the time between aggregate reports (ri,
	// default 24 h), and Formats those of failure reports (rf, default
	// "afrf"). RFC 9989 has none of them.
	Percent  int
	Interval time.Duration
	Formats  []string

	// Faults are the tags that are ignored because their values are none, or
	// because they stand there a second time. At most 32.
	Faults []string
}

// Why a text is no record; tested with errors.Is.
var (
	// ErrNotDMARC: it does not start with v=DMARC1, and counts as not there.
	ErrNotDMARC = errors.New("dmarc: not a DMARC record")
	// ErrPolicy: there is no valid p, or an sp or np that is not valid, and no
	// valid address in rua. DMARC is not applied (RFC 9989 §4.10.1). The Record
	// is there nevertheless: it has its place in the tree walk.
	ErrPolicy = errors.New("dmarc: a record without a valid policy")
)

// maxList bounds the lists of a record.
const maxList = 32

// Parse reads the text of a record, of any length, in one pass (RFC 9989 §4.7,
// §4.8; RFC 7489 §6.3, §6.4). Names and words may be in any case, but for
// "DMARC1". Tags that are unknown are ignored; those with a value that is not
// valid, or that stand there a second time, are ignored and in Faults.
func Parse(text string) (*Record, error) { return parse(text, RFC9989) }

// parse is Parse by the rules of a mode: RFC 7489 does not know np, psd and t.
func parse(text string, mode Mode) (*Record, error) {
	rest, ok := version(text)
	if !ok {
		return nil, ErrNotDMARC
	}
	p := parser{mode: mode, Record: Record{Percent: 100, Interval: 24 * time.Hour, FailureOptions: "0"}}
	for spec := range strings.SplitSeq(rest, ";") {
		p.spec(strings.Trim(spec, " \t"))
	}
	return p.finish()
}

// version consumes dmarc-version and the separator behind it.
func version(s string) (rest string, ok bool) {
	name, rest, ok := strings.Cut(s, "=")
	if !ok || !strings.EqualFold(strings.TrimRight(name, " \t"), "v") {
		return "", false
	}
	rest, ok = strings.CutPrefix(strings.TrimLeft(rest, " \t"), "DMARC1")
	rest = strings.TrimLeft(rest, " \t")
	return rest, ok && (rest == "" || rest[0] == ';')
}

// parser is a record in the making.
type parser struct {
	Record
	mode                 Mode
	seen                 uint32 // a bit for each tag of tags
	hasPolicy, badPolicy bool
}

// tags are those that are known, in the order of the bits of seen.
var tags = [...]string{"p", "sp", "np", "adkim", "aspf", "psd", "t", "rua", "ruf", "fo", "pct", "ri", "rf"}

func (p *parser) fault(tag string) {
	if len(p.Faults) < maxList {
		p.Faults = append(p.Faults, tag)
	}
}

func (p *parser) spec(s string) {
	name, value, ok := strings.Cut(s, "=")
	name, value = strings.TrimRight(name, " \t"), strings.TrimLeft(value, " \t")
	for i, tag := range tags {
		if !strings.EqualFold(name, tag) || p.mode == RFC7489 && (tag == "np" || tag == "psd" || tag == "t") {
			continue
		}
		switch {
		case p.seen&(1<<i) != 0:
			p.fault(tag)
		case !ok || !printable(value) || !p.set(tag, value):
			p.fault(tag)
			p.badPolicy = p.badPolicy || tag == "p" || tag == "sp" || tag == "np"
		}
		p.seen |= 1 << i
		return
	}
}

// set gives a tag its value and reports whether it is one.
func (p *parser) set(tag, value string) (ok bool) {
	switch tag {
	case "p":
		p.Policy, p.hasPolicy = policy(value)
		return p.hasPolicy
	case "sp":
		p.Subdomain, p.HasSubdomain = policy(value)
		return p.HasSubdomain
	case "np":
		p.NonExistent, p.HasNonExistent = policy(value)
		return p.HasNonExistent
	case "adkim":
		p.StrictDKIM, ok = either(value, "r", "s")
	case "aspf":
		p.StrictSPF, ok = either(value, "r", "s")
	case "t":
		p.Test, ok = either(value, "n", "y")
	case "psd":
		p.PSD, ok = psd(value)
	case "rua":
		p.Aggregate, ok = uris(value)
	case "ruf":
		p.Failure, ok = uris(value)
	default:
		return p.setOther(tag, value)
	}
	return ok
}

// setOther is set for fo and the tags that only RFC 7489 has.
func (p *parser) setOther(tag, value string) (ok bool) {
	switch tag {
	case "fo":
		value, ok = options(value)
		if ok {
			p.FailureOptions = value
		}
	case "pct":
		n, good := number(value, 100)
		if ok = good; ok {
			p.Percent = int(n)
		}
	case "ri":
		n, good := number(value, 1<<32-1)
		if ok = good; ok {
			p.Interval = time.Duration(n) * time.Second
		}
	case "rf":
		p.Formats, ok = formats(value)
	}
	return ok
}

// finish fills in what follows from other tags.
func (p *parser) finish() (*Record, error) {
	r := &p.Record
	if len(r.Failure) == 0 {
		r.FailureOptions = "0"
	}
	if len(r.Formats) == 0 {
		r.Formats = []string{"afrf"}
	}
	if !p.hasPolicy || p.badPolicy {
		r.Policy, r.Subdomain, r.NonExistent = PolicyNone, PolicyNone, PolicyNone
		r.HasSubdomain, r.HasNonExistent = false, false
		if len(r.Aggregate) == 0 {
			return r, ErrPolicy
		}
		return r, nil
	}
	if !r.HasSubdomain {
		r.Subdomain = r.Policy
	}
	if !r.HasNonExistent {
		r.NonExistent = r.Subdomain
	}
	return r, nil
}

// printable reports whether a value has one octet or more, all of them graphic
// ASCII or white space.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] != '\t' && (s[i] < 0x20 || s[i] > 0x7e) {
			return false
		}
	}
	return s != ""
}

func policy(s string) (Policy, bool) {
	for _, p := range []Policy{PolicyNone, Quarantine, Reject} {
		if strings.EqualFold(s, p.String()) {
			return p, true
		}
	}
	return PolicyNone, false
}

// either reports which of two words s is.
func either(s, no, yes string) (set, ok bool) {
	set = strings.EqualFold(s, yes)
	return set, set || strings.EqualFold(s, no)
}

func psd(s string) (PSD, bool) {
	switch {
	case strings.EqualFold(s, "u"):
		return PSDUnknown, true
	case strings.EqualFold(s, "y"):
		return PSDYes, true
	case strings.EqualFold(s, "n"):
		return PSDNo, true
	}
	return PSDUnknown, false
}

func number(s string, limit uint64) (uint64, bool) {
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil && n <= limit
}

// options reads dmarc-fo: "0" and "1" exclude each other (RFC 9989 §4.7).
func options(s string) (string, bool) {
	out := ""
	for word := range strings.SplitSeq(s, ":") {
		word = strings.ToLower(strings.Trim(word, " \t"))
		if len(word) != 1 || !strings.Contains("01ds", word) || strings.Contains(out, word) {
			return "", false
		}
		out += word
	}
	return out, !strings.Contains(out, "0") || !strings.Contains(out, "1")
}

// formats reads the list of rf; those that are not known are left out.
func formats(s string) (list []string, ok bool) {
	for word := range strings.SplitSeq(s, ":") {
		if strings.EqualFold(strings.Trim(word, " \t"), "afrf") && len(list) == 0 {
			list = append(list, "afrf")
		}
	}
	return list, len(list) > 0
}
