package smtppolicy

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// AllOf joins checks for the hooks Connect and Hello of smtpserver.Config: each
// is asked in turn, and the first error refuses.
func AllOf(checks ...func(context.Context, *smtp.Peer) error) func(context.Context, *smtp.Peer) error {
	return func(ctx context.Context, p *smtp.Peer) error {
		for _, check := range checks {
			if err := check(ctx, p); err != nil {
				return err
			}
		}
		return nil
	}
}

// Longest joins pauses for the hook Pause of smtpserver.Config: all are asked,
// and the longest wait counts.
func Longest(pauses ...func(*smtp.Peer, string) time.Duration) func(*smtp.Peer, string) time.Duration {
	return func(p *smtp.Peer, verb string) (d time.Duration) {
		for _, pause := range pauses {
			d = max(d, pause(p, verb))
		}
		return d
	}
}

// Each joins functions for the hook Closed of smtpserver.Config.
func Each(closed ...func(*smtp.Peer)) func(*smtp.Peer) {
	return func(p *smtp.Peer) {
		for _, f := range closed {
			f(p)
		}
	}
}

// maxTraceLine bounds what TraceTo keeps of one line.
const maxTraceLine = 512

// TraceTo writes the dialogue of each session to a log, for the hook Trace of
// smtpserver.Config, which leaves out secrets and bodies. A line beyond 512
// octets is cut.
func TraceTo(log *slog.Logger, level slog.Level) func(p *smtp.Peer, client bool, text []byte) {
	return func(p *smtp.Peer, client bool, text []byte) {
		ctx := context.Background()
		if !log.Enabled(ctx, level) {
			return
		}
		who := "S"
		if client {
			who = "C"
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(line, "\r\n")
			log.LogAttrs(ctx, level, "smtp: "+who, slog.Any("peer", p.Addr), slog.String("line", line[:min(len(line), maxTraceLine)]))
		}
	}
}

// exempt reports an address that policies by address do not judge: none,
// loopback, and those in prefixes.
func exempt(prefixes []netip.Prefix, p *smtp.Peer) bool {
	a := address(p)
	return !a.IsValid() || a.IsLoopback() || slices.ContainsFunc(prefixes, func(n netip.Prefix) bool { return n.Contains(a) })
}

// address is the address of a peer in the form in which it is compared.
func address(p *smtp.Peer) netip.Addr {
	if p == nil {
		return netip.Addr{}
	}
	return p.Addr.Addr().Unmap().WithZone("")
}

// network is the prefix of an address that policies count as one client.
func network(a netip.Addr, bits4, bits6 int) netip.Prefix {
	bits := bits4
	if a.Is6() {
		bits = bits6
	}
	p, _ := a.Prefix(bits)
	return p
}

// slots bound how many things are done at once.
type slots chan struct{}

// take takes a slot, which give gives back; it waits as long as ctx.
func (s slots) take(ctx context.Context) error {
	select {
	case s <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil { // both at once
		<-s
		return err
	}
	return nil
}

func (s slots) give() { <-s }

// or is v, or def where v is zero.
func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// refusal is a refusal with a cause for the log.
func refusal(code int, e smtp.EnhancedCode, text string, cause error) error {
	return &smtp.Error{Reply: smtp.NewReply(code, e, text), Err: cause}
}
