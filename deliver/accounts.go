package deliver

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/internal/mailaddr"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
)

var errLookupCount = errors.New("deliver: directory returned a wrong number of entries")

// Accounts is a Directory over accounts whose names are whole addresses,
// "local@domain" in lower case. The fields are set before the first use.
type Accounts struct {
	// Domains are the local domains; names in any case, A- or U-labels.
	Domains []string

	// Find says who has a canonical address, for those whose accounts are
	// named in another way: an Entry of kind Local, Alias or Unknown. nil: the
	// account of an address has its name, and Exists and Aliases are asked.
	Find func(ctx context.Context, address string) (Entry, error)

	// Exists reports whether an account with this canonical name takes mail.
	Exists func(ctx context.Context, id store.AccountID) (bool, error)

	// Aliases maps canonical addresses to what they stand for; nil = none. An
	// alias of the name of an account goes before it, and one that stands for
	// itself too leaves a copy there.
	Aliases func(ctx context.Context, address string) ([]smtp.ForwardPath, error)

	// Separator splits a sub-address from the account (RFC 5233 §4);
	// zero = "+", "-" and so on are possible, "none" switches it off.
	Separator string

	// CatchAll takes the mail of local domains that nobody else takes;
	// "" = none.
	CatchAll store.AccountID

	// Postmaster takes <postmaster>, and postmaster at each local domain
	// where no account of that name exists (RFC 5321 §4.5.1).
	Postmaster func(ctx context.Context) (store.AccountID, error)
}

// Lookup implements Directory.
func (a *Accounts) Lookup(ctx context.Context, paths []smtp.ForwardPath) ([]Entry, error) {
	out := make([]Entry, len(paths))
	for i, p := range paths {
		out[i] = a.lookup(ctx, p)
	}
	return out, nil
}

func (a *Accounts) lookup(ctx context.Context, p smtp.ForwardPath) Entry {
	if p.IsPostmaster() {
		return a.postmaster(ctx)
	}
	domain := CanonicalDomain(p.Domain)
	if !a.local(domain) {
		return Entry{Kind: Remote}
	}
	local := mailaddr.Local(p.Local)
	for _, try := range a.candidates(local) {
		e, found := a.exact(ctx, try.local+"@"+domain)
		if found {
			e.Detail = try.detail
			return e
		}
	}
	switch {
	case local == "postmaster" && a.Postmaster != nil:
		return a.postmaster(ctx)
	case a.CatchAll != "":
		return Entry{Kind: Local, Account: a.CatchAll, CatchAll: true}
	}
	return Entry{Kind: Unknown}
}

type candidate struct{ local, detail string }

// candidates are the names under which an account may be found: the whole
// local-part first, then without its sub-address.
func (a *Accounts) candidates(local string) []candidate {
	sep := a.Separator
	if sep == "" {
		sep = "+"
	}
	out := []candidate{{local: local}}
	if user, detail, ok := strings.Cut(local, sep); ok && sep != "none" && user != "" {
		out = append(out, candidate{user, detail})
	}
	return out
}

// exact finds an alias or an account of exactly this canonical address.
func (a *Accounts) exact(ctx context.Context, address string) (Entry, bool) {
	if a.Find != nil {
		e, err := a.Find(ctx, address)
		e.Err = err
		return e, err != nil || e.Kind != Unknown
	}
	if a.Aliases != nil {
		to, err := a.Aliases(ctx, address)
		if err != nil {
			return Entry{Err: err}, true
		}
		if len(to) > 0 {
			return a.alias(ctx, address, to), true
		}
	}
	ok, err := a.Exists(ctx, store.AccountID(address))
	if err != nil {
		return Entry{Err: err}, true
	}
	return Entry{Kind: Local, Account: store.AccountID(address)}, ok
}

// alias is the entry of an alias; one that stands for itself too is an account
// besides, if there is one.
func (a *Accounts) alias(ctx context.Context, address string, to []smtp.ForwardPath) Entry {
	e := Entry{Kind: Alias, Expand: to}
	itself := func(p smtp.ForwardPath) bool { return CanonicalAddress(p.Path) == address }
	if a.Exists == nil || !slices.ContainsFunc(to, itself) {
		return e
	}
	ok, err := a.Exists(ctx, store.AccountID(address))
	if ok {
		e.Account = store.AccountID(address)
	}
	e.Err = err
	return e
}

func (a *Accounts) postmaster(ctx context.Context) Entry {
	if a.Postmaster == nil {
		return Entry{Kind: Unknown}
	}
	id, err := a.Postmaster(ctx)
	return Entry{Kind: Local, Account: id, Err: err}
}

// IsLocal reports whether a domain, in any form, is one of Domains.
func (a *Accounts) IsLocal(domain string) bool { return a.local(CanonicalDomain(domain)) }

func (a *Accounts) local(domain string) bool {
	for _, d := range a.Domains {
		if CanonicalDomain(d) == domain {
			return true
		}
	}
	return false
}

// CanonicalDomain is the one form in which domains are compared: lower case,
// U-labels, NFC, without a final dot. An address literal is only lowered.
func CanonicalDomain(d string) string { return mailaddr.Domain(d) }

// CanonicalAddress is the account name that an address stands for: both sides
// lower case and NFC, the domain in U-labels.
func CanonicalAddress(p smtp.Path) string { return mailaddr.Address(p) }
