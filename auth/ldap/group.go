package ldap

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/smtp"
)

// expansion collects the members of one group.
type expansion struct {
	a     *Addresses
	cn    *conn
	paths []smtp.ForwardPath
	seen  map[string]bool // DNs, and addresses behind "<"
	count int             // members that were met
	todo  []string        // DNs of members that are not looked at yet
}

// members are the addresses of the members of a group, in the order of the
// directory, each once. A group in it that has an address of its own stays
// one: it is expanded when its turn comes. ErrTooLarge: more than MaxMembers.
func (a *Addresses) members(ctx context.Context, group *entry) (list []smtp.ForwardPath, err error) {
	err = a.c.searches.run(ctx, "expand group", func(ctx context.Context, cn *conn) error {
		x := &expansion{a: a, cn: cn, seen: map[string]bool{strings.ToLower(group.dn): true}}
		err := x.group(ctx, group)
		for err == nil && len(x.todo) > 0 {
			dn := x.todo[0]
			x.todo = x.todo[1:]
			err = x.resolve(ctx, dn)
		}
		list = x.paths
		return err
	})
	return list, err
}

// member counts a member that a group names, and reports whether it is met for
// the first time.
func (x *expansion) member(key string) (first bool, err error) {
	if x.seen[key] {
		return false, nil
	}
	x.seen[key] = true
	x.count++
	if limit := x.a.c.conf.Addresses.MaxMembers; x.count > limit {
		return false, fmt.Errorf("%w: a group has more than %d members", ErrTooLarge, limit)
	}
	return true, nil
}

// group takes the members that an entry names.
func (x *expansion) group(ctx context.Context, e *entry) error {
	conf := &x.a.c.conf.Addresses
	for _, p := range x.a.paths(ctx, e, conf.MemberAddresses) {
		first, err := x.member(key(p))
		if err != nil {
			return err
		}
		if first {
			x.paths = append(x.paths, p)
		}
	}
	for _, name := range conf.MemberDNs {
		for {
			for _, dn := range e.values(name) {
				first, err := x.member(strings.ToLower(dn))
				if err != nil {
					return err
				}
				if first {
					x.todo = append(x.todo, dn)
				}
			}
			next, more := e.more[strings.ToLower(name)]
			if !more {
				break
			}
			var err error
			if e, err = x.further(ctx, e.dn, name, next); err != nil {
				return err
			}
		}
	}
	return nil
}

// further asks for the values of an attribute from an index on.
func (x *expansion) further(ctx context.Context, dn, attribute string, from int) (*entry, error) {
	e, err := x.read(ctx, dn, []string{attribute + ";range=" + strconv.Itoa(from) + "-*"})
	if err == nil && e == nil {
		err = fmt.Errorf("%w: a group has gone meanwhile", ErrAnswer)
	}
	if err == nil && e.more[strings.ToLower(attribute)] != 0 && e.more[strings.ToLower(attribute)] <= from {
		err = fmt.Errorf("%w: the values of a group do not end", ErrAnswer)
	}
	return e, err
}

// resolve takes the address of the member with this DN.
func (x *expansion) resolve(ctx context.Context, dn string) error {
	conf := x.a.c.conf
	e, err := x.read(ctx, dn, attributesOf([]string{"objectClass", conf.Addresses.PrimaryAttribute},
		conf.Addresses.MemberDNs, conf.Addresses.MemberAddresses))
	if err != nil || e == nil {
		return err // nil: the member was deleted, and the group still names it
	}
	text, err := e.value(conf.Addresses.PrimaryAttribute)
	switch {
	case err != nil: // several: any of them leads to the entry
		text = e.values(conf.Addresses.PrimaryAttribute)[0]
	case text == "" && e.isGroup():
		return x.group(ctx, e)
	case text == "":
		conf.Logger.LogAttrs(ctx, slog.LevelWarn, "ldap group has a member without an address", slog.String("member", dn))
		return nil
	}
	if p, ok := x.a.path(ctx, e, text); ok && !x.seen[key(p)] {
		x.seen[key(p)] = true
		x.paths = append(x.paths, p)
	}
	return nil
}

// key is an address among the things seen; no DN begins with "<".
func key(p smtp.ForwardPath) string { return "<" + deliver.CanonicalAddress(p.Path) }

// read returns one entry; nil = it does not exist.
func (x *expansion) read(ctx context.Context, dn string, attributes []string) (*entry, error) {
	c := x.a.c
	list, err := x.cn.search(ctx, c.conf.Timeout, c.request(dn, goldap.ScopeBaseObject, "(objectClass=*)", attributes))
	if code, _ := resultCode(err); code == goldap.LDAPResultNoSuchObject {
		return nil, nil
	}
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}
