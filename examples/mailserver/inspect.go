package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/arc"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dnsbl"
	"github.com/mailstead/mailstead/auth/reporting"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
)

// inspectTime is how long the DNS may delay a message, with a little left of the
// 5 s that are promised for what else has to be done.
const inspectTime = 4500 * time.Millisecond

// actions are the words of the flags about DMARC: what each may say, the default
// first.
var actions = map[string][]struct {
	word   string
	action auth.Action
}{
	"dmarc-reject":     {{"reject", auth.Reject}, {"quarantine", auth.Quarantine}, {"accept", auth.Accept}},
	"dmarc-quarantine": {{"quarantine", auth.Quarantine}, {"reject", auth.Reject}, {"accept", auth.Accept}},
	"dmarc-temperror":  {{"known", auth.Default}, {"defer", auth.Defer}, {"accept", auth.Accept}},
}

// action is what a flag says; empty = its default.
func action(flag, word string) (auth.Action, error) {
	words := actions[flag]
	if word == "" {
		return words[0].action, nil
	}
	for _, w := range words {
		if w.word == word {
			return w.action, nil
		}
	}
	return 0, fmt.Errorf("-%s: %q is none of %s, %s, %s", flag, word, words[0].word, words[1].word, words[2].word)
}

// checkAuth reads the flags about who a message is from.
func (o *options) checkAuth() (err error) {
	if o.auth != "" && o.auth != "on" && o.auth != "off" {
		return fmt.Errorf("-auth: %q is neither on nor off", o.auth)
	}
	for _, f := range [...]struct {
		name, word string
		to         *auth.Action
	}{
		{"dmarc-reject", o.dmarcReject, &o.policy.OnReject},
		{"dmarc-quarantine", o.dmarcQuarantine, &o.policy.OnQuarantine},
		{"dmarc-temperror", o.dmarcTempError, &o.policy.OnTempError},
	} {
		if *f.to, err = action(f.name, f.word); err != nil {
			return err
		}
	}
	o.policy.OnListed = auth.Reject
	for _, zone := range o.dnsbl {
		if !isDomain(zone) {
			return fmt.Errorf("-dnsbl: %q is not a domain", zone)
		}
	}
	if len(o.dnsbl) > 0 && o.auth == "off" {
		return errors.New("-dnsbl needs -auth on")
	}
	for _, d := range o.trustedSealers {
		if !isDomain(strings.TrimPrefix(d, ".")) {
			return fmt.Errorf("-trusted-sealer: %q is not a domain", d)
		}
	}
	if len(o.trustedSealers) > 0 {
		o.policy.Sealers = arc.TrustDomains(o.trustedSealers...)
	}
	return nil
}

// inspect judges who a message is from; nothing with -auth off. A peer on
// loopback is judged only by the DNS server that the operator names.
func (s *server) inspect() smtp.Middleware {
	if s.o.auth == "off" {
		return func(next smtp.Receiver) smtp.Receiver { return next }
	}
	s.verifier = &auth.Verifier{Resolver: s.dns, Hostname: s.o.hostname, Timeout: inspectTime}
	for _, zone := range s.o.dnsbl {
		s.verifier.Lists = append(s.verifier.Lists, dnsbl.List{Zone: zone})
	}
	inspector := &auth.Inspector{Verifier: s.verifier, Policy: s.o.policy, ID: s.o.hostname, Logger: s.log}
	if s.reports != nil {
		inspector.Observe = reporting.Observe(s.reports.dmarc, dmarc.RFC9989)
	}
	if s.o.resolver != "" {
		inspector.Skip = func(m *smtp.Mail) bool { return m.Peer == nil || m.Peer.Identity != "" }
	}
	return inspector.Middleware()
}

// sort puts a message that is under suspicion into Junk.
func (s *server) sort(ctx context.Context, m *deliver.LocalMessage) ([]deliver.Placement, error) {
	if _, ok := auth.Quarantined(m.Prefix); !ok {
		return []deliver.Placement{{}}, nil
	}
	name, err := junk(ctx, s.engine.store, m.Account)
	return []deliver.Placement{{Mailbox: name}}, err
}

// junkName is the name of a mailbox for Junk that is made where an account has
// none any more.
const (
	junkName = "Junk"
	junkRole = `\Junk`
)

// junk is the name of an account's mailbox for junk: the one with that special
// use, else the one with that name, else a new one.
func junk(ctx context.Context, s store.Store, id store.AccountID) (string, error) {
	acct, err := s.Open(ctx, id)
	if err != nil {
		return "", err
	}
	boxes, _, err := acct.Mailboxes(ctx, 0)
	if err != nil {
		return "", err
	}
	for _, is := range [...]func(store.Mailbox) bool{
		func(b store.Mailbox) bool { return b.Role == junkRole },
		func(b store.Mailbox) bool { return b.Name == junkName },
	} {
		if i := slices.IndexFunc(boxes, func(b store.Mailbox) bool { return !b.NoSelect && is(b) }); i >= 0 {
			return boxes[i].Name, nil
		}
	}
	subscribed, role := true, junkRole
	_, err = acct.Apply(ctx, store.Change{Ops: []store.Op{
		store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: junkName, Role: &role, Subscribed: &subscribed},
	}})
	if errors.Is(err, store.ErrExists) {
		err = nil // another delivery was faster
	}
	return junkName, err
}
