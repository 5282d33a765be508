package submission

import (
	"context"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
)

// Received is smtppolicy.Received for users whose whereabouts are nobody's
// business: the field says neither the address nor the hello of the client.
// What the client itself wrote of that is for Fixes.Remove.
func Received(hostname string) smtp.Middleware {
	plain := smtppolicy.Received(hostname)
	return func(next smtp.Receiver) smtp.Receiver { return &hiding{plain, next} }
}

// hiding lets the field be written of a peer without an address, and restores
// the peer behind it.
type hiding struct {
	plain smtp.Middleware
	next  smtp.Receiver
}

// Begin implements smtp.Receiver.
func (r *hiding) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	if m.Peer == nil {
		return r.plain(r.next).Begin(ctx, m)
	}
	hidden := *m
	hidden.Peer = &smtp.Peer{Protocol: m.Peer.Protocol, TLS: m.Peer.TLS, Identity: m.Peer.Identity, Mechanism: m.Peer.Mechanism}
	return r.plain(restoring{r.next, m}).Begin(ctx, &hidden)
}

type restoring struct {
	next smtp.Receiver
	mail *smtp.Mail
}

func (r restoring) Begin(ctx context.Context, _ *smtp.Mail) (smtp.Transaction, error) {
	return r.next.Begin(ctx, r.mail)
}
