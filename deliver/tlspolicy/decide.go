package tlspolicy

import (
	"errors"
	"fmt"

	"github.com/mailstead/mailstead/auth/dane"
	"github.com/mailstead/mailstead/auth/mtasts"
	"github.com/mailstead/mailstead/auth/tlsrpt"
	"github.com/mailstead/mailstead/deliver"
)

// Why a host is passed over; tested with errors.Is.
var (
	// ErrDANE: nobody knows now whether the host has TLSA records. The error of
	// package dane is behind it.
	ErrDANE = errors.New("tlspolicy: DANE cannot be judged now")
	// ErrDANERequired: the operator asks for DANE, and the host has no usable
	// records, or was found without validation.
	ErrDANERequired = errors.New("tlspolicy: DANE is required, and the host has none")
	// ErrNotNamed: the MTA-STS policy does not name the host (RFC 8461 §4.1).
	ErrNotNamed = errors.New("tlspolicy: not a host of the MTA-STS policy")
	// ErrUnknown: nobody knows now whether the domain has an MTA-STS policy. The
	// error of package mtasts or of the resolver is behind it.
	ErrUnknown = errors.New("tlspolicy: MTA-STS cannot be judged now")
)

// facts are what is known of a host.
type facts struct {
	static  Static
	domain  string
	host    deliver.MXHost
	dane    *dane.Policy // nil = not asked for
	daneErr error
	sts     *mtasts.Policy // nil = none
}

// authenticator is who says what the certificate has to be, beside the operator.
type authenticator uint8

const (
	byNobody authenticator = iota
	byDANE
	bySTS
)

// decision is what holds for a host.
type decision struct {
	refusal error         // the host is passed over
	result  tlsrpt.Result // of that, for reports; "" = not reported

	never    bool // no TLS
	required bool
	by       authenticator
	static   bool // the operator's check holds, too
	testing  bool // the MTA-STS policy is judged, and nothing depends on it
	waivable bool
	vouched  bool
	source   string
	policy   tlsrpt.PolicyType
}

// The sources of rules.
const (
	sourceNone          = "none"
	sourceOpportunistic = "opportunistic"
	sourceStatic        = "static"
	sourceSTS           = "mta-sts"
	sourceDANE          = "dane"
	sourceDANEEncrypt   = "dane-only-encrypt"
)

// wantsDANE reports whether the TLSA records of a host count. Without validated
// MX records they are no proof of where the mail belongs, and never take the
// place of an MTA-STS policy.
func (f *facts) wantsDANE(insecureMX bool) bool {
	switch {
	case f.static.Level == DANEOnly:
		return f.host.MXSecure
	case f.static.Override:
		return false
	}
	return f.host.MXSecure || insecureMX && !f.enforced()
}

func (f *facts) enforced() bool { return f.sts != nil && f.sts.Mode == mtasts.Enforce }

// decide is the table of the package's documentation.
func decide(f *facts) decision {
	if f.static.Override && f.static.Level != DANEOnly {
		return f.floor(decision{source: sourceOpportunistic})
	}
	level := dane.NotApplicable
	if f.dane != nil {
		level = f.dane.Level
	}
	switch {
	case f.daneErr != nil:
		return refuse(tlsrpt.TLSA, tlsrpt.DNSSECInvalid, fmt.Errorf("%w: %w", ErrDANE, f.daneErr))
	case level == dane.Authenticate:
		return f.floor(decision{by: byDANE, required: true, waivable: true, source: sourceDANE, policy: tlsrpt.TLSA})
	case f.static.Level == DANEOnly && level == dane.Encrypt:
		return refuse(tlsrpt.TLSA, tlsrpt.TLSAInvalid, ErrDANERequired)
	case f.static.Level == DANEOnly:
		return refuse(tlsrpt.NoPolicyFound, tlsrpt.DANERequired, ErrDANERequired)
	case f.enforced() && !f.sts.Matches(f.host.Name):
		return refuse(tlsrpt.STS, tlsrpt.ValidationFailure, ErrNotNamed)
	case f.enforced():
		return f.floor(decision{by: bySTS, required: true, waivable: true, source: sourceSTS, policy: tlsrpt.STS})
	case level == dane.Encrypt:
		return f.floor(decision{required: true, waivable: true, source: sourceDANEEncrypt, policy: tlsrpt.TLSA})
	case f.sts != nil && f.sts.Mode == mtasts.Testing:
		return f.floor(decision{testing: true, source: sourceOpportunistic, policy: tlsrpt.STS})
	}
	return f.floor(decision{source: sourceOpportunistic, policy: tlsrpt.NoPolicyFound})
}

func refuse(policy tlsrpt.PolicyType, result tlsrpt.Result, err error) decision {
	return decision{refusal: err, result: result, policy: policy}
}

// floor raises a decision to what the operator asks for.
func (f *facts) floor(d decision) decision {
	l := f.static.Level
	d.vouched = f.host.MXSecure || f.host.Name == f.domain || d.by == bySTS || l == Secure || l == Fingerprint
	switch {
	case l == None:
		d.never, d.source = true, sourceNone
	case l == Encrypt || l.authenticates():
		d.static = l.authenticates()
		if !d.required || d.static && d.by == byNobody {
			d.source = sourceStatic
		}
		d.required, d.waivable = true, false
	case l == DANEOnly:
		d.waivable = false
	}
	return d
}
