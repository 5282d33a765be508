package acl

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/mailstead/mailstead/store"
)

// The identifiers that are no account (RFC 4314 §2).
const (
	Anyone        = "anyone"        // everybody, also who is not logged in
	Authenticated = "authenticated" // everybody who is logged in
)

// CleanIdentifier checks an identifier and returns its form in NFC: an account's
// id, Anyone or Authenticated, with "-" in front for rights that are taken away.
// store.ErrName: it cannot be one.
func CleanIdentifier(s string) (string, error) {
	id, negative := strings.CutPrefix(s, "-")
	if id == "" || id[0] == '-' || len(id) > store.MaxAccountID || !utf8.ValidString(id) ||
		strings.ContainsFunc(id, unicode.IsControl) {
		return "", store.ErrName
	}
	if id = norm.NFC.String(id); len(id) > store.MaxAccountID {
		return "", store.ErrName
	}
	if negative {
		return "-" + id, nil
	}
	return id, nil
}

// AccountOf is the account that an identifier names, also a negative one; "" for
// Anyone and Authenticated.
func AccountOf(identifier string) store.AccountID {
	id := strings.TrimPrefix(identifier, "-")
	if id == Anyone || id == Authenticated {
		return ""
	}
	return store.AccountID(id)
}

// Entry is the rights of one identifier.
type Entry struct {
	Identifier string // clean
	Rights     Rights
}

// List is the access control list of one mailbox, in order of the identifiers.
// The zero value gives no rights to anybody but the owner.
type List []Entry

// Named returns the rights that the list gives to an identifier itself.
func (l List) Named(identifier string) (r Rights, ok bool) {
	i, ok := l.find(identifier)
	if !ok {
		return 0, false
	}
	return l[i].Rights, true
}

// Of is the rights of a user who is logged in: the union of what is granted to
// him, to Authenticated and to Anyone, without what the negative identifiers of
// these take away (RFC 4314 §2).
func (l List) Of(user store.AccountID) Rights {
	who := []string{string(user), Authenticated, Anyone}
	return l.union("", who) &^ l.union("-", who)
}

// OfAnyone is the rights of who is not logged in, a sender of mail for
// instance: see Post.
func (l List) OfAnyone() Rights {
	return l.union("", []string{Anyone}) &^ l.union("-", []string{Anyone})
}

// OfOwner is the rights of the owner of the mailbox: all, unless the list names
// him; Lookup and Administer always.
func (l List) OfOwner(owner store.AccountID) Rights {
	if len(l) == 0 {
		return All
	}
	r, named := l.Named(string(owner))
	if !named {
		r = All
	}
	who := []string{string(owner), Authenticated, Anyone}
	return (r|l.union("", who))&^l.union("-", who) | Kept
}

func (l List) union(sign string, who []string) (r Rights) {
	for _, id := range who {
		n, _ := l.Named(sign + id)
		r |= n
	}
	return r
}

func (l List) find(identifier string) (int, bool) {
	return slices.BinarySearchFunc(l, identifier, func(e Entry, id string) int { return cmp.Compare(e.Identifier, id) })
}

// with returns a List in which an identifier has the rights; the old one is not
// changed. ok = false takes it out.
func (l List) with(identifier string, r Rights, ok bool) List {
	i, found := l.find(identifier)
	out := slices.Clone(l)
	switch {
	case found && ok:
		out[i].Rights = r
	case found:
		out = slices.Delete(out, i, i+1)
	case ok:
		out = slices.Insert(out, i, Entry{identifier, r})
	}
	return out
}

// grants reports whether the list names the account with rights that it could
// use.
func (l List) grants(id store.AccountID) bool {
	r, _ := l.Named(string(id))
	return r != 0
}
