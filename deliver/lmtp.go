package deliver

import (
	"context"
	"net"
	"strings"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// LMTP is a target that speaks LMTP (RFC 2033): another host's or program's
// delivery to mailboxes, with a status for each recipient. It is a smtp.Receiver,
// and the NextHops that sends everything there. Addr is required.
type LMTP struct {
	// Addr is "host:port" (there is no usual port; never 25, RFC 2033 §5), or the
	// path of a socket, "/run/dovecot/lmtp", also written "unix:/run/dovecot/lmtp".
	Addr string

	// Relay is how it is reached; its Hosts is ignored, and its Dialer copied,
	// with LMTP set.
	Relay Relay
}

// Key implements NextHops.
func (l *LMTP) Key(smtp.ForwardPath) string { return "lmtp:" + l.address() }

// Receiver implements NextHops.
func (l *LMTP) Receiver(string) (smtp.Receiver, string) { return l, l.address() }

func (l *LMTP) address() string { return strings.TrimPrefix(l.Addr, "unix:") }

// isSocket reports a path.
func isSocket(addr string) bool { return strings.HasPrefix(addr, "/") || strings.HasPrefix(addr, ".") }

// Begin implements smtp.Receiver. What goes through a socket of this host does
// not need TLS: the demand of REQUIRETLS ends here (RFC 8689 §1).
func (l *LMTP) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	addr := l.address()
	r := l.Relay
	d := smtpclient.Dialer{}
	if r.Dialer != nil {
		d = *r.Dialer
	}
	d.LMTP = true
	if isSocket(addr) {
		d.TLS, d.Net = smtpclient.TLSNever, sockets{d.Net}
		if m.Params.RequireTLS {
			here := *m
			here.Params.RequireTLS = false
			m = &here
		}
	}
	r.Dialer = &d
	r.Hosts = func(context.Context) ([]string, error) { return []string{addr}, nil }
	return r.Begin(ctx, m)
}

// sockets dials paths as sockets of this host.
type sockets struct{ net smtpclient.ContextDialer }

// DialContext implements smtpclient.ContextDialer.
func (s sockets) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	if s.net == nil {
		s.net = &net.Dialer{}
	}
	return s.net.DialContext(ctx, "unix", address)
}
