package recipient

import (
	"context"

	"github.com/mailstead/mailstead/deliver/fetch"
)

// Resolve implements fetch.Recipients.
func (r *Resolver) Resolve(ctx context.Context, m *fetch.Message) (fetch.Decision, error) {
	result, err := r.Find(ctx, m.Header)
	return result.decision(), err
}

// Resolve implements fetch.Recipients.
func (l *Live) Resolve(ctx context.Context, m *fetch.Message) (fetch.Decision, error) {
	result, err := l.Find(ctx, m.Header)
	return result.decision(), err
}

func (r *Result) decision() fetch.Decision {
	return fetch.Decision{Recipients: r.Recipients, Quarantine: r.Reason, Step: r.By, Guessed: r.Guessed}
}

var _, _ fetch.Recipients = (*Resolver)(nil), (*Live)(nil)
