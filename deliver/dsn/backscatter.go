package dsn

import (
	"net/netip"
	"strings"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/queue"
)

// Reason is why a DSN that a result calls for is not written.
type Reason uint8

// The reasons.
const (
	Forged Reason = iota + 1 // the reverse-path is not the sender's: Reporter.Forged
	Spam                     // the message is marked as spam, and nobody failed
	Often                    // the address had too many: Reporter.PerHour
)

// String is the reason in words.
func (r Reason) String() string {
	return [...]string{"", "forged reverse-path", "spam", "too many reports"}[r&3]
}

// suppress takes away what nobody is to be told of, since the reverse-path may be
// that of somebody who never wrote: backscatter (RFC 3834 §2 asks the same of all
// programs that answer). The sender of a message that was submitted with a
// password, or that began on this host, is known, and hears of everything.
func (r *Reporter) suppress(n *notice) {
	j := n.job
	if len(n.rcpts) == 0 || j.Identity != "" || fromHere(j) {
		return
	}
	forged := r.Forged
	if forged == nil {
		forged = FailedAuthentication
	}
	vouched, _ := verdict(j)
	switch {
	case forged(j):
		r.suppressed(n, Forged)
		return
	case marked(j.Prefix):
		n.rcpts = onlyFailed(n.rcpts)
		if len(n.rcpts) == 0 {
			r.suppressed(n, Spam)
			return
		}
	}
	limit := r.PerHour
	if vouched {
		limit = -1
	}
	if limit == 0 {
		limit = 100
	}
	if limit > 0 && !r.sent.take(j, n.now, limit) {
		r.suppressed(n, Often)
	}
}

// fromHere reports a message that no other host has brought.
func fromHere(j *queue.Job) bool {
	addr, err := netip.ParseAddr(j.Peer.Addr)
	return j.Peer.Addr == "" || err == nil && addr.Unmap().IsLoopback()
}

func (r *Reporter) suppressed(n *notice, why Reason) {
	n.rcpts = nil
	if r.Suppressed != nil {
		r.Suppressed(n.job, why)
	}
}

func onlyFailed(rs []rcptStatus) []rcptStatus {
	var out []rcptStatus
	for _, s := range rs {
		if s.action == "failed" {
			out = append(out, s)
		}
	}
	return out
}

// marked reports the field by which auth marks what is to be put aside. The
// fields of the prefix are those that this host has written.
func marked(prefix []byte) bool {
	for f := range mime.Fields(prefix) {
		if f.Is("x-quarantine") {
			return true
		}
	}
	return false
}

// FailedAuthentication is the default of Reporter.Forged. It reads the
// Authentication-Results that this host has put in front of the message: the
// reverse-path is forged where SPF or DMARC failed and nothing passed for its
// domain. A message that was not judged is not forged.
func FailedAuthentication(j *queue.Job) bool {
	vouched, failed := verdict(j)
	return failed && !vouched
}

// verdict is what the fields of this host say of the reverse-path: something
// passed for its domain, something failed.
func verdict(j *queue.Job) (vouched, failed bool) {
	for f := range mime.Fields(j.Prefix) {
		if !f.Is("authentication-results") {
			continue
		}
		field, err := authres.Parse(string(f.Value))
		if err != nil {
			continue
		}
		for i := range field.Statements {
			s := &field.Statements[i]
			vouched = vouched || passes(s, j.ReversePath.Domain)
			failed = failed || fails(s)
		}
	}
	return vouched, failed
}

// passes reports a statement that the domain of the reverse-path is the sender's.
func passes(s *authres.Statement, domain string) bool {
	if s.Result != authres.Pass {
		return false
	}
	switch s.Method {
	case authres.SPF:
		return s.Value("smtp", "mailfrom") != ""
	case authres.DKIM:
		return strings.EqualFold(s.Value("header", "d"), domain)
	case authres.DMARC:
		return strings.EqualFold(s.Value("header", "from"), domain)
	}
	return false
}

// fails reports SPF's verdict on the reverse-path, or that of DMARC.
func fails(s *authres.Statement) bool {
	return s.Result == authres.Fail && (s.Method == authres.DMARC || s.Method == authres.SPF && s.Value("smtp", "mailfrom") != "")
}
