package autoreply

import (
	"context"
	"strings"
	"time"

	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/smtp"
)

// Responder decides whether a mailbox answers a message. Addresses and Memory
// are required; the fields are set before the first use. Any number of
// goroutines may use it.
type Responder struct {
	// Addresses are those of the mailbox: one of them has to stand in To, Cc or
	// Bcc, or a Resent- form of these (RFC 5230 §4.5).
	Addresses []smtp.Path

	// Interval is how long a sender that was answered is not answered again;
	// zero = 7 days, less than a day = a day.
	Interval time.Duration

	// Memory keeps who was answered.
	Memory Memory

	// Name tells responders that share a Memory apart, and another text of the
	// same mailbox; "" = there is one.
	Name string

	// Now is the clock; nil = time.Now.
	Now func() time.Time
}

// Memory remembers keys for a while.
type Memory interface {
	// Remember notes key until a time and reports whether it was not noted
	// before, or no longer. Of several callers at once one is told so.
	Remember(ctx context.Context, key string, now, until time.Time) (first bool, err error)
}

// Respond reports whether a response goes out for a message: None = it does, to
// the reverse-path, with the null sender as its own and "Auto-Submitted:
// auto-replied" (RFC 3834 §3, §4); the sender counts as answered. With an error
// none is sent.
func (r *Responder) Respond(ctx context.Context, from smtp.ReversePath, header []byte) (Reason, error) {
	if why := Of(from, header); why != None {
		return why, nil
	}
	for _, own := range r.Addresses {
		if same(own, from.Path) {
			return Own, nil
		}
	}
	if !r.addressed(header) {
		return NotAddressed, nil
	}
	now, interval := time.Now(), r.Interval
	if r.Now != nil {
		now = r.Now()
	}
	if interval == 0 {
		interval = 7 * 24 * time.Hour
	}
	interval = max(interval, 24*time.Hour)
	first, err := r.Memory.Remember(ctx, r.Name+"\x00"+strings.ToLower(from.String()), now, now.Add(interval))
	if err != nil || !first {
		return Recent, err
	}
	return None, nil
}

// addressed reports whether the header names one of the addresses.
func (r *Responder) addressed(header []byte) bool {
	for f := range mime.Fields(header) {
		switch strings.ToLower(string(f.Name)) {
		case "to", "cc", "bcc", "resent-to", "resent-cc", "resent-bcc":
		default:
			continue
		}
		for a := range mime.Addresses(mime.AppendUnfolded(nil, f.Value)) {
			for _, own := range r.Addresses {
				if a.Kind == mime.Mailbox && same(own, smtp.Path{Local: string(a.Local), Domain: string(a.Domain)}) {
					return true
				}
			}
		}
	}
	return false
}

// same compares as people do who write an address, whatever its host may judge.
func same(a, b smtp.Path) bool {
	return strings.EqualFold(a.Local, b.Local) && strings.EqualFold(a.Domain, b.Domain)
}
