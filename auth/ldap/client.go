package ldap

import (
	"context"
	"errors"
	"fmt"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/store"
)

// Client asks a directory. Its methods, and those of what it returns, may be
// called from any number of goroutines.
type Client struct {
	conf     *compiled
	searches *pool // bound as the service account
	binds    *pool // bound as users, one after the other; never searched on
}

// New returns a client. It makes no connection yet: a directory that is down
// does not keep a server from starting. ErrConfig.
func New(c Config) (*Client, error) {
	conf, err := compile(c)
	if err != nil {
		return nil, err
	}
	out := &Client{conf: conf}
	out.searches = newPool(conf, out.bindService)
	out.binds = newPool(conf, nil)
	return out, nil
}

// Close ends all operations and connections and waits for them. Who asks later
// gets ErrClosed.
func (c *Client) Close() error {
	c.searches.close()
	c.binds.close()
	return nil
}

// Ping reports whether a server answers to the service account, and has the
// Base, unless that has placeholders.
func (c *Client) Ping(ctx context.Context) error {
	base := ""
	if c.conf.users.base.static() {
		base = c.conf.Base
	}
	return c.searches.run(ctx, "ping", func(ctx context.Context, cn *conn) error {
		_, err := cn.search(ctx, c.conf.Timeout, c.request(base, goldap.ScopeBaseObject, "(objectClass=*)", []string{noAttributes}))
		return err
	})
}

// Users returns the backend for package login.
func (c *Client) Users() *Users { return &Users{c} }

// noAttributes asks for none (RFC 4511 §4.5.1.8).
const noAttributes = "1.1"

// bindService proves the service account. A refusal is not one of a user, so
// its result code must not be found in the error.
func (c *Client) bindService(ctx context.Context, cn *conn) error {
	var err error
	switch {
	case c.conf.External:
		err = cn.do(ctx, c.conf.DialTimeout, cn.ldap.ExternalBind)
	case c.conf.BindDN != "":
		_, err = cn.bind(ctx, c.conf.DialTimeout, c.conf.BindDN, c.conf.Password.Reveal())
	}
	if _, answered := resultCode(err); answered {
		return fmt.Errorf("%w: %v", ErrServiceBind, err)
	}
	return err
}

// maxMatches is how many entries are looked at for one name. There is more
// than one only where the server compares more loosely than we do.
const maxMatches = 16

func (c *Client) request(base string, scope int, filter string, attributes []string) *goldap.SearchRequest {
	return goldap.NewSearchRequest(base, scope, goldap.NeverDerefAliases, maxMatches, 0, false, filter, attributes, nil)
}

// scopeOf is the protocol's value.
func scopeOf(s Scope) int {
	if s == OneLevel {
		return goldap.ScopeSingleLevel
	}
	return goldap.ScopeWholeSubtree
}

// query finds the entry of a name.
type query struct {
	base       dnTemplate
	scope      Scope
	filter     *filter
	attributes []string
}

// find returns the one entry that has the name. errNobody; ErrAmbiguous.
func (c *Client) find(ctx context.Context, q *query, name, defaultDomain string) (*entry, error) {
	var found *entry
	for _, n := range formsOf(name, defaultDomain) {
		list, err := c.matches(ctx, q, n)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if found != nil && found.dn != e.dn {
				return nil, temporary("search", fmt.Errorf("%w: %q and %q", ErrAmbiguous, found.dn, e.dn))
			}
			found = e
		}
	}
	if found == nil {
		return nil, errNobody
	}
	return found, nil
}

// matches searches for one form of a name, and leaves out what only a looser
// comparison than ours has found.
func (c *Client) matches(ctx context.Context, q *query, n names) (list []*entry, err error) {
	if n.domain == "" && (q.filter.text.has("domain") || q.base.text.has("domain")) {
		return nil, nil
	}
	request := c.request(q.base.expand(n), scopeOf(q.scope), q.filter.expand(n), q.attributes)
	err = c.searches.run(ctx, "search", func(ctx context.Context, cn *conn) (err error) {
		list, err = cn.search(ctx, c.conf.Timeout, request)
		return err
	})
	if code, _ := resultCode(err); code == goldap.LDAPResultNoSuchObject && !q.base.static() {
		return nil, nil // the branch of the domain does not exist
	}
	if err != nil {
		return nil, err
	}
	var same []*entry
	for _, e := range list {
		if e.dn != "" && q.filter.holds.matches(e, n) { // "" is the server itself, which nobody is
			same = append(same, e)
		}
	}
	return same, nil
}

// account is the name of the account of an entry. errNoAccount; ErrAmbiguous.
func (c *Client) account(e *entry) (store.AccountID, error) {
	text, err := e.value(c.conf.AccountAttribute)
	if err != nil {
		return "", temporary("account", fmt.Errorf("%w: %q has several values in %s", err, e.dn, c.conf.AccountAttribute))
	}
	if text == "" {
		return "", errNoAccount
	}
	name, err := login.Canonical(text)
	if err != nil {
		return "", temporary("account", fmt.Errorf("%w: %s of %q: %w", ErrAnswer, c.conf.AccountAttribute, e.dn, err))
	}
	return store.AccountID(name), nil
}

// checkPassword binds as dn. nil; a *Refusal; a failure that says nothing of
// the password.
func (c *Client) checkPassword(ctx context.Context, dn string, password login.Password) error {
	if password.Reveal() == "" {
		return login.ErrRejected // RFC 4513 §5.1.2: a server may call that a success
	}
	err := c.binds.run(ctx, "bind", func(ctx context.Context, cn *conn) error {
		return verdict(cn.bind(ctx, c.conf.Timeout, dn, password.Reveal()))
	})
	if r, refused := errors.AsType[*Refusal](err); refused {
		return r // without the temporary failure around it
	}
	return err
}

// attributesOf joins lists of names, each once.
func attributesOf(lists ...[]string) (all []string) {
	seen := make(map[string]bool)
	for _, list := range lists {
		for _, name := range list {
			if lower := strings.ToLower(name); name != "" && !seen[lower] {
				seen[lower] = true
				all = append(all, name)
			}
		}
	}
	return all
}
