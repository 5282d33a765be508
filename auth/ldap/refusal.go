package ldap

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/mailstead/mailstead/auth/login"
)

// Reason is why a user is not let in. It is for logs; a client hears only that
// it is refused.
type Reason string

// The reasons.
const (
	ReasonPassword        Reason = "wrong password"
	ReasonUnknown         Reason = "unknown to the server"
	ReasonDisabled        Reason = "disabled"
	ReasonLocked          Reason = "locked"
	ReasonExpired         Reason = "account expired"
	ReasonPasswordExpired Reason = "password expired"
	ReasonMustChange      Reason = "password must be changed first"
	ReasonHours           Reason = "not at this time"
	ReasonWorkstation     Reason = "not from this machine"
	ReasonRestricted      Reason = "restricted account"
	ReasonAmbiguous       Reason = "several entries"
)

// Refusal is a directory's no to a user or a password. It matches login.ErrRejected.
type Refusal struct {
	Reason Reason
	Code   uint16 // the result (RFC 4511 §4.1.9); 0 = the entry itself says so
	Sub    string // the code in Active Directory's text, in hexadecimal; "" = none
}

// Error implements error.
func (r *Refusal) Error() string {
	switch {
	case r.Sub != "":
		return fmt.Sprintf("ldap: %s (result %d, data %s)", r.Reason, r.Code, r.Sub)
	case r.Code != 0:
		return fmt.Sprintf("ldap: %s (result %d)", r.Reason, r.Code)
	}
	return fmt.Sprintf("ldap: %s", r.Reason)
}

// Unwrap returns login.ErrRejected.
func (r *Refusal) Unwrap() error { return login.ErrRejected }

// adReasons are the codes behind "data" in the text of a refusal by Active
// Directory: system error codes of Windows, in hexadecimal.
var adReasons = map[string]Reason{
	"525": ReasonUnknown,
	"52e": ReasonPassword,
	"52f": ReasonRestricted,
	"530": ReasonHours,
	"531": ReasonWorkstation,
	"532": ReasonPasswordExpired,
	"533": ReasonDisabled,
	"701": ReasonExpired,
	"773": ReasonMustChange,
	"775": ReasonLocked,
}

// adNoServer: a domain controller that cannot reach the one that knows
// passwords says so with invalidCredentials (ERROR_NO_LOGON_SERVERS).
const adNoServer = "51f"

// policyReasons are the errors of the password policy control
// (draft-behera-ldap-password-policy-10 §6.2) that refuse.
var policyReasons = map[int8]Reason{
	0: ReasonPasswordExpired,
	1: ReasonLocked,
	2: ReasonMustChange,
}

// verdict says what the answer to the bind of a user means: nil, a *Refusal, or
// an error that says nothing about the password.
func verdict(result *goldap.SimpleBindResult, err error) error {
	policy, hasPolicy := policyReason(result)
	if err == nil {
		if hasPolicy && policy == ReasonMustChange {
			return &Refusal{Reason: policy}
		}
		return nil
	}
	code, answered := resultCode(err)
	if !answered {
		return err
	}
	switch code {
	case goldap.LDAPResultInvalidCredentials:
		sub := adCode(err)
		if sub == adNoServer {
			return err
		}
		r := &Refusal{Reason: ReasonPassword, Code: code, Sub: sub}
		if known, ok := adReasons[sub]; ok {
			r.Reason = known
		} else if hasPolicy {
			r.Reason = policy
		}
		return r
	case goldap.LDAPResultNoSuchObject: // the entry has gone since the search
		return &Refusal{Reason: ReasonUnknown, Code: code}
	case goldap.LDAPResultInappropriateAuthentication: // the entry has no password
		return &Refusal{Reason: ReasonPassword, Code: code}
	case goldap.LDAPResultConstraintViolation: // 389: too many wrong ones
		return &Refusal{Reason: ReasonLocked, Code: code}
	case goldap.LDAPResultReferral:
		return ErrReferral
	}
	return err
}

// policyReason reads the password policy control of an answer.
func policyReason(result *goldap.SimpleBindResult) (Reason, bool) {
	if result == nil {
		return "", false
	}
	control, ok := goldap.FindControl(result.Controls, goldap.ControlTypeBeheraPasswordPolicy).(*goldap.ControlBeheraPasswordPolicy)
	if !ok {
		return "", false
	}
	reason, ok := policyReasons[control.Error]
	return reason, ok
}

// adCode finds NNN in "… comment: AcceptSecurityContext error, data NNN, v…".
func adCode(err error) string {
	var e *goldap.Error
	if !errors.As(err, &e) || e.Err == nil {
		return ""
	}
	_, rest, found := strings.Cut(e.Err.Error(), "AcceptSecurityContext error, data ")
	if !found {
		return ""
	}
	code, _, _ := strings.Cut(rest, ",")
	n, perr := strconv.ParseUint(strings.TrimSpace(code), 16, 32)
	if perr != nil {
		return ""
	}
	return strconv.FormatUint(n, 16)
}
