package ldap

import (
	"errors"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// hostile are values that try to change a filter, a DN, or who is meant.
var hostile = []string{
	"*", "*)(uid=*", "admin)(|(x=", "admin)(uid=*))(|(uid=*", ")", "(", "))", "*)(objectClass=*", `\00`, `\2a`, `\`,
	"\x00", "admin\x00", "a\x00)(uid=*", "admin,dc=example", "admin+uid=x", `admin"`, "#admin", " admin", "admin ",
	"admin\nuid: x", "a=b", "{name}", "{local}@{domain}", "{", "}", "\xff", "\xffn", `\ffn`, "admin\u00ad", "ａｄｍｉｎ",
	"аdmin", "admın", "K", "ß", "ﬁ", "é", "e\u0301", "\u2028", "&", "|", "!", "=", ">=", "~=", ":=", ":dn:=", "a:dn:2.4.6:=b",
	strings.Repeat("(", 1000), strings.Repeat("*", 1000), "@", "@@", "a@b@c", "<>", ";", "'", "\r\n", "admin/", "..", "%00",
}

var templates = []string{
	"(uid={name})", defaultUserFilter, defaultAddressFilter, OpenLDAP("dc=x").Users.Filter, ActiveDirectory("dc=x").Users.Filter,
	ActiveDirectory("dc=x").Addresses.Filter, "(&(uid={local})(associatedDomain={domain}))",
	"(|(mail={local}@{domain})(mail=alias-{local}-{name}@example.org))",
	"(&(!(loginShell=/bin/false))(x>=3)(y<=4)(z~=w)(present=*)(sub=a*b*c)(memberOf:1.2.840.113556.1.4.1941:=cn=g,dc=x)(uid={name}))",
}

// sameShape reports the first place where a compiled filter is not the
// template's with values in place of placeholders.
func sameShape(got, template *ber.Packet, n names) error {
	if got.Tag != template.Tag || got.ClassType != template.ClassType || got.TagType != template.TagType ||
		len(got.Children) != len(template.Children) {
		return errors.New("another node")
	}
	if len(got.Children) == 0 {
		want := unmark(template.Data.String()).expand(n, verbatim)
		if got.Data.String() != want {
			return errors.New("value " + got.Data.String() + ", want " + want)
		}
	}
	for i := range got.Children {
		if err := sameShape(got.Children[i], template.Children[i], n); err != nil {
			return err
		}
	}
	return nil
}

// checkFilter asserts I2 for one template and one value.
func checkFilter(t *testing.T, template string, n names) {
	t.Helper()
	f, err := parseFilter(template)
	if err != nil {
		t.Fatal(template, err)
	}
	marked, err := goldap.CompileFilter(f.text.expand(escapedMark, verbatim))
	if err != nil {
		t.Fatal(err)
	}
	got, err := goldap.CompileFilter(f.expand(n))
	if err != nil {
		t.Fatalf("%s with %q: %v", template, n, err)
	}
	if err := sameShape(got, marked, n); err != nil {
		t.Fatalf("%s with %q: %v", template, n, err)
	}
}

func TestInjectionIntoFilter(t *testing.T) {
	for _, template := range templates {
		for _, v := range hostile {
			checkFilter(t, template, names{v, v, v})
			checkFilter(t, template, names{v + "@" + v, v, "example.org"})
		}
	}
}

func FuzzFilter(f *testing.F) {
	for i, v := range hostile {
		f.Add(uint8(i), v, "example.org")
	}
	f.Fuzz(func(t *testing.T, which uint8, local, domain string) {
		checkFilter(t, templates[int(which)%len(templates)], names{local + "@" + domain, local, domain})
	})
}

// FuzzFilterTemplate: whatever an operator writes either is refused or keeps
// its structure with every value.
func FuzzFilterTemplate(f *testing.F) {
	for _, s := range templates {
		f.Add(s, "*)(uid=*")
	}
	f.Fuzz(func(t *testing.T, template, value string) {
		if _, err := parseFilter(template); err != nil {
			return
		}
		checkFilter(t, template, names{value, value, value})
	})
}

// checkDN asserts I2 for a DN: the same RDNs, with the values.
func checkDN(t *testing.T, template string, n names) {
	t.Helper()
	d, err := parseDN(template)
	if err != nil {
		t.Fatal(template, err)
	}
	want, err := goldap.ParseDN(d.text.expand(escapedMark, verbatim))
	if err != nil {
		t.Fatal(err)
	}
	got, err := goldap.ParseDN(d.expand(n))
	if err != nil {
		t.Fatalf("%s with %q: %v", template, n, err)
	}
	if len(got.RDNs) != len(want.RDNs) {
		t.Fatalf("%s with %q: %d RDNs, want %d", template, n, len(got.RDNs), len(want.RDNs))
	}
	for i, rdn := range got.RDNs {
		if len(rdn.Attributes) != len(want.RDNs[i].Attributes) {
			t.Fatalf("%s with %q: RDN %d has %d attributes", template, n, i, len(rdn.Attributes))
		}
		for k, a := range rdn.Attributes {
			w := want.RDNs[i].Attributes[k]
			if a.Type != w.Type || a.Value != unmark(w.Value).expand(n, verbatim) {
				t.Fatalf("%s with %q: %q, want %q with it", template, n, a.Value, w.Value)
			}
		}
	}
}

var bases = []string{"ou=people,o={domain},dc=example,dc=org", "uid={name},o={domain}", "cn={local}+o=x-{domain}-y,dc=x"}

func TestInjectionIntoDN(t *testing.T) {
	for _, template := range bases {
		for _, v := range hostile {
			if v = strings.ToValidUTF8(v, ""); v != "" {
				checkDN(t, template, names{v, v, v})
			}
		}
	}
}

func FuzzDN(f *testing.F) {
	for i, v := range hostile {
		f.Add(uint8(i), v)
	}
	f.Fuzz(func(t *testing.T, which uint8, value string) {
		v := strings.ToValidUTF8(value, "")
		if v == "" {
			return
		}
		checkDN(t, bases[int(which)%len(bases)], names{v, v, v})
	})
}

func TestTemplatesRefused(t *testing.T) {
	for template, want := range map[string]error{
		"(objectClass=*)":                     errNoName,
		"(uid=alice)":                         errNoName,
		"(uid={user})":                        errPlaceholder,
		"(uid={name)":                         errPlaceholder,
		"({name}=x)":                          errAttribute,
		"({name}=*)":                          errPlace,
		"(uid={name}*)":                       errPlace,
		"(uid=*{name})":                       errPlace,
		"(uid>={name})":                       errPlace,
		"(uid<={name})":                       errPlace,
		"(uid~={name})":                       errPlace,
		"(uid:={name})":                       errPlace,
		"(uid:dn:={name})":                    errPlace,
		"(uid:{name}:=x)":                     errPlace,
		"(!(uid={name}))":                     errPlace,
		"(|(uid={name})(objectClass=person))": errPlace,
		"(|(uid={name})(&(a=b)(c=d)))":        errPlace,
		"(&(objectClass=person)(!(mail={name})))": errPlace,
		`(|(uid={name})(uid=\ffn))`:               errReserved,
		`(uid={name}\FF)`:                         errReserved,
		"uid={name}":                              nil,
		"(uid={name}":                             nil,
		"(uid={name}))":                           nil,
		"":                                        nil,
	} {
		_, err := parseFilter(template)
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", template, err, want)
		}
	}
	for _, base := range []string{"{name}=x", "o={user}", "{domain}", "x", "o={domain},{name}", `o=\ff`} {
		if _, err := parseDN(base); err == nil {
			t.Errorf("%s: accepted", base)
		}
	}
}

// TestSecondLook: what a server finds by a looser comparison is left out.
func TestSecondLook(t *testing.T) {
	both, err := parseFilter("(|(uid={name})(proxyAddresses=smtp:{name}))")
	if err != nil {
		t.Fatal(err)
	}
	split, err := parseFilter("(&(uid={local})(o={domain}))")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		f     *filter
		attrs map[string][]string
		name  string
		want  bool
	}{
		{both, map[string][]string{"uid": {"alice"}}, "alice", true},
		{both, map[string][]string{"uid": {"ALICE"}}, "alice", true},
		{both, map[string][]string{"uid": {"alicé"}}, "alice", false},
		{both, map[string][]string{"uid": {"alice "}}, "alice", false},
		{both, map[string][]string{"uid": {"ali ce"}}, "ali  ce", false},
		{both, map[string][]string{"uid": {"alice"}}, "alice\u00ad", false},
		{both, map[string][]string{"uid": {"alice"}}, "ａｌｉｃｅ", false},
		{both, map[string][]string{"uid": {"аlice"}}, "alice", false},
		{both, map[string][]string{"uid": {"e\u0301"}}, "é", true},
		{both, map[string][]string{"proxyaddresses": {"SMTP:A@Example.org", "x500:/o=x"}}, "a@example.org", true},
		{both, map[string][]string{"proxyaddresses": {"sip:a@example.org"}}, "a@example.org", false},
		{both, map[string][]string{"uid": {"a@xn--bcher-kva.example"}}, "a@bücher.example", true},
		{both, map[string][]string{"mail": {"alice"}}, "alice", false},
		{both, nil, "alice", false},
		{split, map[string][]string{"uid": {"a"}, "o": {"example.org"}}, "a@example.org", true},
		{split, map[string][]string{"uid": {"a"}, "o": {"example.net"}}, "a@example.org", false},
		{split, map[string][]string{"uid": {"a"}}, "a@example.org", false},
	} {
		n := formsOf(test.name, "")
		if got := test.f.holds.matches(&entry{attrs: test.attrs}, n[len(n)-1]); got != test.want {
			t.Errorf("%v for %q: %v", test.attrs, test.name, got)
		}
	}
}
