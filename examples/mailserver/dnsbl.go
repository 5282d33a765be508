package main

import (
	"context"
	"net/netip"

	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/dnsbl"
	"github.com/mailstead/mailstead/smtp"
)

// lists is a auth.Method that asks DNS lists for the client, within the time and
// the questions of the message.
type lists struct{ zones []dnsbl.List }

func newLists(zones []string) *lists {
	l := &lists{}
	for _, zone := range zones {
		l.zones = append(l.zones, dnsbl.List{Zone: zone})
	}
	return l
}

// Start implements auth.Method.
func (l *lists) Start(in auth.Input) auth.Evaluation {
	return &listing{
		checker: dnsbl.Checker{Resolver: in.Resolver, Lists: l.zones, Timeout: -1},
		ip:      in.Session.IP,
	}
}

// listing is one client.
type listing struct {
	checker dnsbl.Checker
	ip      netip.Addr
}

// Write implements auth.Evaluation: the message does not matter.
func (l *listing) Write(p []byte) (int, error) { return len(p), nil }

// Finish implements auth.Evaluation.
func (l *listing) Finish(ctx context.Context) auth.Finding {
	v := l.checker.Check(ctx, l.ip)
	return auth.Finding{Statements: v.Statements(), Value: v}
}

// refuse is the last word of the policy: a client that a list has is refused.
func (l *lists) refuse(r *auth.Result, d auth.Decision) auth.Decision {
	for _, f := range r.Methods {
		v, ok := f.Value.(dnsbl.Verdict)
		if !ok || !v.Listed(1) || d.Action == auth.Reject {
			continue
		}
		zone := v.Hits[0].Zone
		return auth.Decision{
			Action: auth.Reject, Reason: "client in " + zone,
			Reply: smtp.NewReply(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, "Client host "+r.Session.IP.String()+" is listed in "+zone),
		}
	}
	return d
}
