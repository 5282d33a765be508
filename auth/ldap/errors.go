package ldap

import (
	"errors"
	"fmt"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/mailstead/mailstead/auth/login"
)

// What a lookup can fail with. All of them but ErrConfig travel inside an
// *Error, which is login.ErrTemporary.
var (
	// ErrConfig: a Config that cannot be right.
	ErrConfig = errors.New("ldap: malformed configuration")
	// ErrAmbiguous: several entries answer to one name, or an entry has
	// several values where one decides.
	ErrAmbiguous = errors.New("ldap: ambiguous")
	// ErrTooLarge: a server answered more than MaxResultBytes, or a group has
	// more than MaxMembers.
	ErrTooLarge = errors.New("ldap: answer too large")
	// ErrReferral: a server names another one. It is not asked: who may name
	// servers could have passwords sent to them.
	ErrReferral = errors.New("ldap: referral")
	// ErrTimeout: a server did not answer in time, or no connection was free.
	ErrTimeout = errors.New("ldap: timeout")
	// ErrAnswer: a server's answer does not follow the protocol, or an
	// attribute has a value that it cannot have.
	ErrAnswer = errors.New("ldap: malformed answer")
	// ErrServiceBind: a server refused the service account.
	ErrServiceBind = errors.New("ldap: the service account is refused")
	// ErrClosed: the Client is closed.
	ErrClosed = errors.New("ldap: closed")
)

var (
	// errNobody: the directory is sure that no entry has the name.
	errNobody = errors.New("ldap: no such entry")
	// errNoAccount: the entry has no value in AccountAttribute.
	errNoAccount = errors.New("ldap: the entry names no account")
)

// Error is a failure to find out. It matches login.ErrTemporary, and what Err
// matches. Its text is for logs: a directory's own words may be in it.
type Error struct {
	Op     string // "dial", "bind", "search", …
	Server string // URL; "" where none was asked
	Err    error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Server == "" {
		return fmt.Sprintf("ldap: %s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("ldap: %s at %s: %v", e.Op, e.Server, e.Err)
}

// Unwrap returns login.ErrTemporary and Err.
func (e *Error) Unwrap() []error { return []error{login.ErrTemporary, e.Err} }

// temporary wraps an error that is none of ours yet.
func temporary(op string, err error) error {
	if errors.Is(err, login.ErrTemporary) {
		return err
	}
	return &Error{Op: op, Err: err}
}

// resultCode is the result that a server gave; ok is false for failures on the
// way.
func resultCode(err error) (code uint16, ok bool) {
	var e *goldap.Error
	if errors.As(err, &e) && e.ResultCode < goldap.ErrorNetwork {
		return e.ResultCode, true
	}
	return 0, false
}

// errSetup: no connection could be made and prepared.
var errSetup = errors.New("no connection")

// elsewhere reports whether another server may do better.
func elsewhere(err error) bool {
	if errors.Is(err, errSetup) {
		return true
	}
	for _, final := range [...]error{ErrAmbiguous, ErrTooLarge, ErrReferral, login.ErrRejected} {
		if errors.Is(err, final) {
			return false
		}
	}
	code, answered := resultCode(err)
	if !answered {
		return true
	}
	switch code {
	case goldap.LDAPResultOperationsError, goldap.LDAPResultBusy, goldap.LDAPResultUnavailable, goldap.LDAPResultOther:
		return true
	}
	return false
}
