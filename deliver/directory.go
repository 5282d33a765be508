package deliver

import (
	"context"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
)

// Directory answers who an address is. It is asked at RCPT, by LMTP, by the
// submission sender check, at routing and by connectors; the rules of case,
// sub-addresses, domain aliases, catch-all and postmaster live in it.
type Directory interface {
	// Lookup returns one Entry a path. An error is a temporary failure of
	// all; a failure of one path is its Entry's Err. Any number of
	// goroutines may call it.
	Lookup(ctx context.Context, paths []smtp.ForwardPath) ([]Entry, error)
}

// Kind is what an address is.
type Kind uint8

// The kinds of address. The zero value is Unknown.
const (
	Unknown Kind = iota // in a local domain, but nobody
	Local               // an account here
	Alias               // stands for Entry.Expand
	Remote              // in a domain that is not ours

	// Relayed is ours, but kept by another host, whose mail we take from
	// everybody and hand on: a domain that is in part here and in part elsewhere.
	Relayed
)

// String is the kind in lower case.
func (k Kind) String() string {
	names := [...]string{"unknown", "local", "alias", "remote", "relayed"}
	return names[min(int(k), len(names)-1)]
}

// Entry is what a Directory knows of one address.
type Entry struct {
	Kind Kind

	// Account is the account of a Local address, and of an Alias that keeps a
	// copy here because it stands for itself too.
	Account store.AccountID

	// CatchAll reports that the account only takes what nobody else does.
	CatchAll bool

	// Detail is the sub-address behind the separator (RFC 5233 §4); "" = none.
	Detail string

	// Expand are the addresses that an Alias stands for; it may be among them.
	Expand []smtp.ForwardPath

	// NextHop is the key of the next hop of a Relayed or Remote address; "" = the
	// Router's Remote knows.
	NextHop string

	// Err is a failure to find out: the address is neither known nor unknown.
	Err error
}

// LookupOne asks dir for one path.
func LookupOne(ctx context.Context, dir Directory, p smtp.ForwardPath) (Entry, error) {
	es, err := dir.Lookup(ctx, []smtp.ForwardPath{p})
	if err != nil {
		return Entry{}, err
	}
	if len(es) != 1 {
		return Entry{}, errLookupCount
	}
	return es[0], es[0].Err
}
