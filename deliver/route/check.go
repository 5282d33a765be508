package route

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/internal/mailaddr"
	"github.com/mailstead/mailstead/smtp"
)

var (
	errNoTarget = errors.New("no such target")

	// ErrLoop: a target is this host itself.
	ErrLoop = errors.New("route: mail would come back to this host")

	// ErrPattern: what stands in a row is no pattern.
	ErrPattern = mailaddr.ErrPattern
)

// checkTarget says what is wrong with a target; nil = nothing.
func checkTarget(name string, t Target, self []string) error {
	switch {
	case name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r == 0x7f }):
		return fmt.Errorf("route: target %q: a name holds neither a colon nor a space", name)
	case (t.Receiver == nil) == (t.Hops == nil):
		return fmt.Errorf("route: target %q: exactly one of Receiver and Hops is needed", name)
	}
	addrs := t.Addrs
	if s, ok := t.Hops.(*deliver.SmartHost); ok {
		addrs = append(slices.Clone(addrs), s.Addr)
	}
	for _, addr := range addrs {
		if slices.ContainsFunc(self, func(s string) bool { return isSelf(addr, s) }) {
			return fmt.Errorf("%w: target %q connects to %s", ErrLoop, name, addr)
		}
	}
	return nil
}

// isSelf compares names; a port counts where self has one.
func isSelf(addr, self string) bool {
	host, port := split(addr)
	selfHost, selfPort := split(self)
	return deliver.CanonicalDomain(host) == deliver.CanonicalDomain(selfHost) && (selfPort == "" || port == selfPort)
}

func split(addr string) (host, port string) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return strings.Trim(addr, "[]"), ""
	}
	return host, port
}

// noTarget defers what a table that is no longer there, or a Lookup, has sent to
// a target that this one does not have.
func noTarget(name string) error {
	return &smtp.Error{
		Reply: smtp.NewReply(451, smtp.EnhancedCode{Class: 4, Subject: 3, Detail: 5}, "The route of this address is not configured"),
		Err:   fmt.Errorf("route: %w: %q", errNoTarget, name),
	}
}

// refusing is a Receiver that takes nothing.
type refusing struct{ err error }

// Begin implements smtp.Receiver.
func (r refusing) Begin(context.Context, *smtp.Mail) (smtp.Transaction, error) { return nil, r.err }
