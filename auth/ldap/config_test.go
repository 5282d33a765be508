package ldap

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/store"
)

func valid() Config {
	c := OpenLDAP("dc=example,dc=org")
	c.URLs = []string{"ldaps://one", "ldap://two:3890/", "ldapi://%2Frun%2Fslapd%2Fldapi"}
	c.BindDN, c.Password = "cn=mail,dc=example,dc=org", login.NewPassword("secret")
	return c
}

func TestValidate(t *testing.T) {
	c := valid()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	ad := ActiveDirectory("dc=example,dc=org")
	ad.URLs = []string{"ldaps://dc"}
	if err := ad.Validate(); err != nil {
		t.Fatal(err)
	}
	if err := (&Config{}).Validate(); err == nil || strings.Count(err.Error(), "\n") != 1 {
		t.Error("zero value:", err)
	}
	for name, change := range map[string]func(*Config){
		"no password":       func(c *Config) { c.Password = login.Password{} },
		"no name":           func(c *Config) { c.BindDN = "" },
		"external":          func(c *Config) { c.External = true },
		"bind DN":           func(c *Config) { c.BindDN = "mail" },
		"bind placeholder":  func(c *Config) { c.BindDN = "uid={name}" },
		"decoy placeholder": func(c *Config) { c.Users.Decoy = "uid={name}" },
		"base":              func(c *Config) { c.Base = "people" },
		"scope":             func(c *Config) { c.Scope = 7 },
		"user filter":       func(c *Config) { c.Users.Filter = "(uid=x)" },
		"address filter":    func(c *Config) { c.Addresses.Filter = "(mail=*{name})" },
		"attribute":         func(c *Config) { c.AccountAttribute = "mail)(uid=" },
		"member attribute":  func(c *Config) { c.Addresses.MemberDNs = []string{"member;range=0-*"} },
		"disabled values":   func(c *Config) { c.Users.DisabledValues = []string{"x"} },
		"conns":             func(c *Config) { c.MaxConns = -1 },
		"scheme":            func(c *Config) { c.URLs = []string{"http://one"} },
		"no host":           func(c *Config) { c.URLs = []string{"ldaps://"} },
		"no scheme":         func(c *Config) { c.URLs = []string{"one:636"} },
		"password in URL":   func(c *Config) { c.URLs = []string{"ldaps://user:secret@one"} },
		"base in URL":       func(c *Config) { c.URLs = []string{"ldaps://one/dc=example"} },
		"filter in URL":     func(c *Config) { c.URLs = []string{"ldaps://one?x"} },
		"socket":            func(c *Config) { c.URLs = []string{"ldapi://run"} },
	} {
		c := valid()
		change(&c)
		err := c.Validate()
		if !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the password is in the error: %v", name, err)
		}
	}
}

func TestNoSecretPrinted(t *testing.T) {
	c := valid()
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "config", c)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "config", c.Password)
	if s := b.String() + fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(s, "secret") {
		t.Error(s)
	}
}

func TestURLs(t *testing.T) {
	c := valid()
	for text, want := range map[string]string{
		"ldaps://one":               "tcp one:636 0 one",
		"ldaps://one:1636/":         "tcp one:1636 0 one",
		"ldap://two":                "tcp two:389 1 two",
		"ldap://[::1]:10389":        "tcp [::1]:10389 1 ::1",
		"ldapi://%2Frun%2Fldapi":    "unix /run/ldapi 2 ",
		"ldapi://%2Frun%2Fldapi%2F": "unix /run/ldapi/ 2 ",
	} {
		s, err := parseURL(text, &c)
		if err != nil {
			t.Error(text, err)
			continue
		}
		name := ""
		if s.tls != nil {
			name = s.tls.ServerName
		}
		if got := fmt.Sprintf("%s %s %d %s", s.network, s.address, s.layer, name); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestParseQuota(t *testing.T) {
	for text, want := range map[string]store.Limits{
		"0": {}, "1048576": {Bytes: 1 << 20}, "500M": {Bytes: 500 << 20}, "2GB": {Bytes: 2 << 30}, "3 TiB": {},
		"3TiB": {Bytes: 3 << 40}, "7b": {Bytes: 7}, "10k": {Bytes: 10 << 10}, "10000S,5C": {Bytes: 10000, Messages: 5}, "5C": {Messages: 5},
		" 9M ": {Bytes: 9 << 20},
	} {
		got, err := parseQuota(text, 1)
		if wantErr := text == "3 TiB"; (err != nil) != wantErr || got != want {
			t.Errorf("%q: %+v %v, want %+v", text, got, err, want)
		}
	}
	if got, err := parseQuota("2048", 1024); err != nil || got.Bytes != 2<<20 {
		t.Error(got, err)
	}
	for _, text := range []string{"", "M", "-1", "1X", "1MM", "9223372036854775807K", "99999999999999999999", "1,", "1e9", "1.5G", "0x10", "1SC", "none"} {
		if got, err := parseQuota(text, 1); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func FuzzQuota(f *testing.F) {
	for _, s := range []string{"500M", "10000S,5C", "1TIB", "", ","} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if l, err := parseQuota(s, 1024); err == nil && (l.Bytes < 0 || l.Messages < 0) {
			t.Error(l)
		}
	})
}
