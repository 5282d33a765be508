package tlsrpt

import (
	"crypto/x509"
	"errors"
)

// Result is a result type (RFC 8460 §4.3), verbatim.
type Result string

// The result types.
const (
	StartTLSNotSupported    Result = "starttls-not-supported"
	CertificateHostMismatch Result = "certificate-host-mismatch"
	CertificateExpired      Result = "certificate-expired"
	CertificateNotTrusted   Result = "certificate-not-trusted"
	ValidationFailure       Result = "validation-failure"

	// Of DANE (§4.3.2.1).
	TLSAInvalid   Result = "tlsa-invalid"
	DNSSECInvalid Result = "dnssec-invalid"
	DANERequired  Result = "dane-required"

	// Of MTA-STS (§4.3.2.2).
	STSPolicyFetchError Result = "sts-policy-fetch-error"
	STSPolicyInvalid    Result = "sts-policy-invalid"
	STSWebPKIInvalid    Result = "sts-webpki-invalid"
)

// Classify is the result of a handshake that failed with err: what crypto/x509
// says about the certificate, else ValidationFailure. Errors of policies are
// told apart by who knows the policies.
func Classify(err error) Result {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return CertificateHostMismatch
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return CertificateNotTrusted
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return CertificateExpired
		}
		return CertificateNotTrusted
	}
	return ValidationFailure
}

// PolicyType says where a policy came from (§4.4).
type PolicyType string

// The types of policies.
const (
	TLSA          PolicyType = "tlsa"
	STS           PolicyType = "sts"
	NoPolicyFound PolicyType = "no-policy-found"
)

// Policy is what a session was judged by.
type Policy struct {
	Type  PolicyType // "" = NoPolicyFound
	Lines []string   // its text: fields of an MTA-STS policy, or TLSA records
	MX    []string   // the patterns of an MTA-STS policy
}

// Failure is how a session failed; apart from Result each field may be empty.
type Failure struct {
	Result      Result // "" = ValidationFailure
	SendingIP   string
	MXHost      string // the name of the server
	MXHelo      string // what it called itself
	ReceivingIP string
	Information string // a URI with more
	Reason      string // a code or an error, for people
}

// texts are all that it has.
func (f *Failure) texts() [7]*string {
	return [...]*string{(*string)(&f.Result), &f.SendingIP, &f.MXHost, &f.MXHelo, &f.ReceivingIP, &f.Information, &f.Reason}
}

func (f *Failure) clip() {
	for _, s := range f.texts() {
		*s = clip(*s)
	}
}

// size is the memory that it takes as a kind, about.
func (f *Failure) size() int64 {
	n := overhead
	for _, s := range f.texts() {
		n += len(*s)
	}
	return int64(n)
}
