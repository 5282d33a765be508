package ldap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
)

// Addresses is a deliver.Directory over a directory. The rules of local
// domains, sub-addresses and postmaster are those of deliver.Accounts.
type Addresses struct {
	c     *Client
	rules deliver.Accounts
}

var _ deliver.Directory = (*Addresses)(nil)

// Addresses returns the directory for package deliver.
func (c *Client) Addresses() *Addresses {
	conf := &c.conf.Addresses
	a := &Addresses{c: c}
	a.rules = deliver.Accounts{Domains: conf.Domains, Separator: conf.Separator, Find: a.find}
	if conf.Postmaster != "" {
		a.rules.Postmaster = func(context.Context) (store.AccountID, error) { return conf.Postmaster, nil }
	}
	return a
}

// addressAttributes are what an Entry is made of.
func (c *Config) addressAttributes(f *filter) []string {
	a := &c.Addresses
	return attributesOf(f.holds.attributes(), []string{"objectClass", c.AccountAttribute},
		a.ForwardAttributes, a.MemberDNs, a.MemberAddresses)
}

// IsLocal reports whether a domain, in any form, is one of
// AddressConfig.Domains.
func (a *Addresses) IsLocal(domain string) bool { return a.rules.IsLocal(domain) }

// Lookup implements deliver.Directory. A failure of one path is its Entry's
// Err, an *Error.
func (a *Addresses) Lookup(ctx context.Context, paths []smtp.ForwardPath) ([]deliver.Entry, error) {
	out, err := a.rules.Lookup(ctx, paths)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if out[i].Kind == deliver.Unknown && out[i].Err == nil {
			out[i] = a.catchAll(ctx, paths[i])
		}
	}
	return out, nil
}

// catchAll is who gets the mail to an address that nobody has.
func (a *Addresses) catchAll(ctx context.Context, p smtp.ForwardPath) deliver.Entry {
	conf := &a.c.conf.Addresses
	if p.Domain != "" && conf.DomainCatchAll {
		e, err := a.find(ctx, "@"+deliver.CanonicalDomain(p.Domain))
		if err != nil || e.Kind != deliver.Unknown {
			e.Err = err
			return e
		}
	}
	if p.Domain != "" && conf.CatchAll != "" {
		return deliver.Entry{Kind: deliver.Local, Account: conf.CatchAll}
	}
	return deliver.Entry{}
}

// find says who has a canonical address.
func (a *Addresses) find(ctx context.Context, address string) (deliver.Entry, error) {
	e, err := a.c.find(ctx, &a.c.conf.addresses, address, "")
	if errors.Is(err, errNobody) {
		return deliver.Entry{}, nil
	}
	if err != nil {
		return deliver.Entry{}, err
	}
	conf := &a.c.conf.Addresses
	var forward []smtp.ForwardPath
	switch {
	case e.isGroup():
		forward, err = a.members(ctx, e)
	case conf.ForwardAttributes != nil:
		forward = a.paths(ctx, e, conf.ForwardAttributes)
	}
	switch {
	case err != nil:
		return deliver.Entry{}, err
	case len(forward) > 0:
		return deliver.Entry{Kind: deliver.Alias, Expand: forward}, nil
	case e.isGroup():
		return deliver.Entry{}, nil
	}
	account, err := a.c.account(e)
	if errors.Is(err, errNoAccount) {
		return deliver.Entry{}, nil
	}
	return deliver.Entry{Kind: deliver.Local, Account: account}, err
}

// paths are the addresses in some attributes of an entry.
func (a *Addresses) paths(ctx context.Context, e *entry, attributes []string) (list []smtp.ForwardPath) {
	for _, name := range attributes {
		for _, v := range e.values(name) {
			if p, ok := a.path(ctx, e, v); ok {
				list = append(list, p)
			}
		}
	}
	return list
}

// path reads an address of the directory. One that is none is logged: nobody
// else would notice that a member gets no mail.
func (a *Addresses) path(ctx context.Context, e *entry, text string) (smtp.ForwardPath, bool) {
	text = strings.TrimSpace(text)
	p, err := smtp.ParseForwardPath("<"+text+">", true)
	if err == nil && p.Domain == "" {
		err = errNoDomain
	}
	if err != nil {
		a.c.conf.Logger.LogAttrs(ctx, slog.LevelError, "ldap entry holds something that is no address",
			slog.String("entry", e.dn), slog.String("value", text), slog.Any("error", err))
	}
	return p, err == nil
}

var errNoDomain = errors.New("no domain")

// Limits returns the quota of an account: what QuotaBytes and QuotaMessages of
// its entry say; an attribute without a value is no limit. A value is a number
// of octets, with K, M, G or T behind it (powers of 1024, as in 500M or 2GB) or
// in QuotaUnits, or Courier's pair "10000000S,1000C". store.ErrNoAccount; other
// errors are an *Error.
func (a *Addresses) Limits(ctx context.Context, account store.AccountID) (store.Limits, error) {
	conf := a.c.conf
	q := query{base: conf.addresses.base, scope: conf.Scope, filter: accountFilter(conf.AccountAttribute)}
	q.attributes = attributesOf([]string{"objectClass", conf.AccountAttribute, conf.Addresses.QuotaBytes, conf.Addresses.QuotaMessages})
	e, err := a.c.find(ctx, &q, string(account), "")
	switch {
	case errors.Is(err, errNobody), err == nil && e.isGroup():
		return store.Limits{}, store.ErrNoAccount
	case err != nil:
		return store.Limits{}, err
	}
	limits, err := limitsOf(e, &conf.Addresses)
	if err != nil {
		return store.Limits{}, temporary("quota", fmt.Errorf("%w: entry %q", err, e.dn))
	}
	return limits, nil
}

// accountFilter finds the entry of an account.
func accountFilter(attribute string) *filter {
	name := part{placeholder: "name"}
	return &filter{
		text:  text{{literal: "(" + attribute + "="}, name, {literal: ")"}},
		holds: &condition{attribute: strings.ToLower(attribute), value: text{name}},
	}
}
