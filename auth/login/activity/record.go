package activity

import (
	"net/netip"
	"slices"
	"time"

	"github.com/mailstead/mailstead/auth/login"
)

// Entry is one attempt to log in.
type Entry struct {
	Time      time.Time      `json:"time"`
	Addr      netip.Addr     `json:"address,omitzero"` // of the client; zero: it has none
	Protocol  login.Protocol `json:"protocol"`
	Mechanism string         `json:"mechanism"`
	// AppPassword is the name of the app password that was used; "" = none.
	AppPassword string `json:"app_password,omitempty"`
	// Reason is why it was refused, for operators only; "" for a success.
	Reason string `json:"reason,omitempty"`
}

// samePlace reports whether two logins differ in nothing but their time.
func (e Entry) samePlace(o Entry) bool {
	return e.Addr == o.Addr && e.Protocol == o.Protocol && e.Mechanism == o.Mechanism && e.AppPassword == o.AppPassword
}

// maxFailures is how many failures an Account lists.
const maxFailures = 8

// Account is what is known of one account. The zero value is one that never
// logged in.
type Account struct {
	Last     *Entry  `json:"last,omitempty"`     // the last login; nil = none yet
	Failed   int     `json:"failed,omitempty"`   // refused attempts since, or ever
	Failures []Entry `json:"failures,omitempty"` // the latest of all times, newest first
}

// add takes over what happened later, or elsewhere.
func (a *Account) add(later Account) {
	switch {
	case later.Last == nil || a.Last != nil && !later.Last.Time.After(a.Last.Time):
		a.Failed += later.Failed
	default:
		a.Last, a.Failed = later.Last, later.Failed
	}
	a.Failures = slices.Concat(later.Failures, a.Failures)
	slices.SortStableFunc(a.Failures, func(x, y Entry) int { return y.Time.Compare(x.Time) })
	a.Failures = a.Failures[:min(len(a.Failures), maxFailures)]
}

// Failure is a refused attempt of anybody.
type Failure struct {
	// User is the name as the client sent it, at most 256 octets of it.
	User string `json:"user"`
	Entry
}
