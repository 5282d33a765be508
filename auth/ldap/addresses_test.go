package ldap_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"github.com/mailstead/mailstead/auth/ldap"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
)

// path reads an address, or postmaster.
func path(t *testing.T, address string) smtp.ForwardPath {
	t.Helper()
	p, err := smtp.ParseForwardPath("<"+address+">", true)
	if err != nil {
		t.Fatal(address, err)
	}
	return p
}

// show looks an address up and writes the answer as "local ACCOUNT DETAIL",
// "alias ADDRESS …", "unknown", "remote" or "temporary".
func show(t *testing.T, c *ldap.Client, address string) string {
	t.Helper()
	es, err := c.Addresses().Lookup(t.Context(), []smtp.ForwardPath{path(t, address)})
	if err != nil || len(es) != 1 {
		t.Fatal(es, err)
	}
	e := es[0]
	if e.Err != nil {
		temporary(t, e.Err)
		return "temporary"
	}
	words := []string{e.Kind.String()}
	if e.Account != "" {
		words = append(words, string(e.Account))
	}
	if e.Detail != "" {
		words = append(words, "+"+e.Detail)
	}
	for _, p := range e.Expand {
		words = append(words, p.String())
	}
	return strings.Join(words, " ")
}

// group is an entry GROUP@example.org with members.
func group(name string, attrs map[string][]string) fakeEntry {
	attrs["objectClass"] = []string{"top", "groupOfNames"}
	if _, ok := attrs["mail"]; !ok {
		attrs["mail"] = []string{name + "@example.org"}
	}
	return fakeEntry{"cn=" + name + ",ou=groups,dc=example,dc=org", attrs}
}

func company() *tree {
	d := aliceAndBob()
	d.entries[0].attrs["mailAlternateAddress"] = []string{"a.lice@example.org", "info@example.org"}
	d.entries[0].attrs["mailQuota"] = []string{"500M"}
	d.entries[1].attrs["mailAlternateAddress"] = []string{"@example.net"}
	d.entries[1].attrs["mailMessages"] = []string{"1000"}
	dn := func(name string) string { return "uid=" + name + "," + base }
	carol := person("carol")
	carol.attrs["mailForwardingAddress"] = []string{"carol@elsewhere.example", "not an address"}
	noMail := fakeEntry{"uid=dave," + base, map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {"dave"}}}
	idn := fakeEntry{"uid=erin," + base, map[string][]string{"uid": {"erin"}, "mail": {"erin@xn--bcher-kva.example"}}}
	twin1, twin2 := person("twin"), person("twin")
	twin2.dn = "uid=twin,ou=old," + base
	many := map[string][]string{}
	for i := range 1001 {
		many["rfc822MailMember"] = append(many["rfc822MailMember"], fmt.Sprintf("m%d@example.com", i))
	}
	d.entries = append(d.entries, carol, noMail, idn, twin1, twin2,
		group("staff", map[string][]string{
			"member":           {dn("alice"), dn("gone"), dn("dave"), dn("bob"), strings.ToUpper(dn("alice")), "cn=inner,ou=groups,dc=example,dc=org", "cn=named,ou=groups,dc=example,dc=org"},
			"rfc822MailMember": {"guest@example.com", "bob@example.org", "no address"},
		}),
		group("inner", map[string][]string{"mail": nil, "member": {dn("carol"), "cn=staff,ou=groups,dc=example,dc=org"}}),
		group("named", map[string][]string{"member": {dn("alice")}}),
		group("nobody", map[string][]string{"member": {dn("gone"), dn("dave")}}),
		group("many", many),
	)
	return d
}

func (f *fake) company(t *testing.T, change ...func(*ldap.Config)) *ldap.Client {
	return f.client(t, append([]func(*ldap.Config){func(c *ldap.Config) {
		c.Addresses = ldap.AddressConfig{
			Domains: []string{"example.org", "Example.NET", "bücher.example"}, Postmaster: "bob@example.org",
			ForwardAttributes: []string{"mailForwardingAddress"},
			MemberDNs:         []string{"member"}, MemberAddresses: []string{"rfc822MailMember"},
			QuotaBytes: "mailQuota", QuotaMessages: "mailMessages",
		}
	}}, change...)...)
}

func TestAddresses(t *testing.T) {
	f := &fake{answer: company().answer}
	c := f.company(t)
	for address, want := range map[string]string{
		"alice@example.org":             "local alice@example.org",
		"ALICE@EXAMPLE.ORG":             "local alice@example.org",
		"alice+a.tag@example.org":       "local alice@example.org +a.tag",
		"a.lice@example.org":            "local alice@example.org",
		"info+x@example.org":            "local alice@example.org +x",
		"alice@example.net":             "unknown",
		"alice@elsewhere.example":       "remote",
		"nobody.here@example.org":       "unknown",
		"postmaster":                    "local bob@example.org",
		"Postmaster@example.org":        "local bob@example.org",
		"carol@example.org":             "alias carol@elsewhere.example",
		"dave@example.org":              "unknown",
		"erin@bücher.example":           "local erin@bücher.example",
		"erin@xn--bcher-kva.example":    "local erin@bücher.example",
		"twin@example.org":              "temporary",
		`"*"@example.org`:               "unknown",
		`"*)(uid=*"@example.org`:        "unknown",
		`"alice)(|(mail=*"@example.org`: "unknown",
		"staff@example.org": "alias guest@example.com bob@example.org alice@example.org named@example.org " +
			"carol@example.org",
		"nobody@example.org": "unknown",
		"many@example.org":   "temporary",
	} {
		if got := show(t, c, address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	c = f.company(t, func(c *ldap.Config) { c.Addresses.DomainCatchAll, c.Addresses.CatchAll = true, "rest@example.org" })
	for address, want := range map[string]string{
		"x@example.net":     "local bob@example.org",
		"x@example.org":     "local rest@example.org",
		"alice@example.org": "local alice@example.org",
		"twin@example.org":  "temporary",
		"x@example.com":     "remote",
	} {
		if got := show(t, c, address); got != want {
			t.Errorf("catch-all: %s: %s, want %s", address, got, want)
		}
	}
	c = f.company(t, func(c *ldap.Config) {
		c.Addresses.MemberDNs, c.Addresses.MemberAddresses, c.Addresses.Separator = nil, nil, "none"
	})
	for address, want := range map[string]string{"staff@example.org": "unknown", "alice+x@example.org": "unknown"} {
		if got := show(t, c, address); got != want {
			t.Errorf("without groups and tags: %s: %s, want %s", address, got, want)
		}
	}
	checkNoUserBinds(t, f)
}

func checkNoUserBinds(t *testing.T, f *fake) {
	t.Helper()
	for _, q := range f.asked() {
		if strings.HasPrefix(q, "bind") && q != "bind "+serviceDN {
			t.Errorf("asked %q", q)
		}
	}
}

// TestAddressFaults: mail to an address that cannot be looked up waits; the
// others of the same transaction do not.
func TestAddressFaults(t *testing.T) {
	d := company()
	f := &fake{answer: func(r *request) {
		if anySearch(r) && strings.Contains(r.filter, "bob@") {
			r.Close()
			return
		}
		d.answer(r)
	}}
	c := f.company(t)
	es, err := c.Addresses().Lookup(t.Context(), []smtp.ForwardPath{path(t, "alice@example.org"), path(t, "bob@example.org"), path(t, "x@example.com")})
	if err != nil || len(es) != 3 || es[0].Kind != deliver.Local || es[1].Err == nil || es[2].Kind != deliver.Remote {
		t.Fatal(es, err)
	}
	temporary(t, es[1].Err)
	// A member that cannot be read is not left out of its group.
	f.becomes(func(r *request) {
		if anySearch(r) && r.base == "uid=bob,"+base {
			r.result(goldap.LDAPResultInsufficientAccessRights, "")
			return
		}
		d.answer(r)
	})
	if got := show(t, c, "staff@example.org"); got != "temporary" {
		t.Error(got)
	}
}

// TestRanges: Active Directory gives the members of a large group in pieces.
func TestRanges(t *testing.T) {
	const members, piece = 700, 150
	d := aliceAndBob()
	for i := range members {
		d.entries = append(d.entries, person(fmt.Sprint("m", i)))
	}
	dn := "cn=all,ou=groups,dc=example,dc=org"
	g := group("all", map[string][]string{})
	f := &fake{answer: func(r *request) {
		from := 0
		switch {
		case anySearch(r) && r.base == dn:
			text, _, _ := strings.Cut(strings.TrimPrefix(r.attributes[0], "member;range="), "-")
			from, _ = strconv.Atoi(text)
		case !anySearch(r) || !g.answers(r.filter):
			d.answer(r)
			return
		}
		high, end := strconv.Itoa(from+piece-1), min(from+piece, members)
		if end == members {
			high = "*"
		}
		e := fakeEntry{dn, map[string][]string{"objectClass": {"group"}, "mail": {"all@example.org"}, "member": nil}}
		name := fmt.Sprintf("member;range=%d-%s", from, high)
		for i := from; i < end; i++ {
			e.attrs[name] = append(e.attrs[name], fmt.Sprintf("uid=m%d,%s", i, base))
		}
		r.entry(e)
		r.result(0, "")
	}}
	e, err := deliver.LookupOne(t.Context(), f.company(t).Addresses(), path(t, "all@example.org"))
	if err != nil || len(e.Expand) != members || e.Expand[members-1].Local != fmt.Sprint("m", members-1) {
		t.Errorf("%d members, %v", len(e.Expand), err)
	}
	_, err = deliver.LookupOne(t.Context(), f.company(t, func(c *ldap.Config) { c.Addresses.MaxMembers = members - 1 }).Addresses(), path(t, "all@example.org"))
	if !errors.Is(err, ldap.ErrTooLarge) || !errors.Is(err, login.ErrTemporary) {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	f := &fake{answer: company().answer}
	c := f.company(t)
	for account, want := range map[store.AccountID]store.Limits{
		"alice@example.org": {Bytes: 500 << 20}, "bob@example.org": {Messages: 1000}, "carol@example.org": {},
	} {
		if got, err := c.Addresses().Limits(t.Context(), account); err != nil || got != want {
			t.Errorf("%s: %+v %v", account, got, err)
		}
	}
	for _, account := range []store.AccountID{"nobody@example.org", "*", ""} {
		if _, err := c.Addresses().Limits(t.Context(), account); !errors.Is(err, store.ErrNoAccount) {
			t.Errorf("%q: %v", account, err)
		}
	}
}
