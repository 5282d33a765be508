package verp_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver/verp"
	"github.com/mailstead/mailstead/smtp"
)

func path(s string) smtp.Path {
	i := strings.LastIndexByte(s, '@')
	return smtp.Path{Local: s[:i], Domain: s[i+1:]}
}

func schemes() map[string]*verp.Scheme {
	return map[string]*verp.Scheme{
		"plain": {Prefix: "news", Domain: "lists.example"},
		"keyed": {Prefix: "news", Domain: "lists.example", Secrets: []string{"a good secret", "an old secret"}},
		"minus": {Prefix: "b.n-x", Domain: "lists.example", Separator: '-'},
	}
}

func TestForms(t *testing.T) {
	s := schemes()
	for _, test := range []struct{ scheme, rcpt, want string }{
		{"plain", "bob@example.net", "news+bob=example.net@lists.example"},
		{"plain", "a=b+c@example.net", "news+a=b+c=example.net@lists.example"},
		{"minus", "bob@example.net", "b.n-x-bob=example.net@lists.example"},
		{"plain", "a b@[192.0.2.1]", `"news+a b=[192.0.2.1]"@lists.example`},
	} {
		got, err := s[test.scheme].Encode(path(test.rcpt))
		if err != nil || got.String() != test.want {
			t.Errorf("%s: %v %v, want %s", test.rcpt, got, err, test.want)
		}
		back, err := s[test.scheme].Decode(got.Path)
		if err != nil || back.Path != path(test.rcpt) {
			t.Errorf("%v: %+v %v", got, back, err)
		}
	}
}

// A domain in U-labels asks for no SMTPUTF8.
func TestUnicodeDomain(t *testing.T) {
	for name, s := range schemes() {
		u, err := s.Encode(path("bob@bücher.example"))
		a, err2 := s.Encode(path("bob@xn--bcher-kva.example"))
		if err != nil || err2 != nil || u != a || u.NeedsUTF8() {
			t.Errorf("%s: %v, %v; %v, %v", name, u, err, a, err2)
		}
		if s.Token(path("bob@bücher.example")) != s.Token(path("bob@xn--bcher-kva.example")) {
			t.Errorf("%s: two tokens", name)
		}
	}
}

func TestKeyed(t *testing.T) {
	s := schemes()["keyed"]
	got, err := s.Encode(path("Bob@example.net"))
	if err != nil {
		t.Fatal(err)
	}
	for _, local := range []string{got.Local, strings.ToUpper(got.Local), strings.ToLower(got.Local)} {
		if back, err := s.Decode(smtp.Path{Local: local, Domain: "LISTS.example."}); err != nil || !strings.EqualFold(back.Path.String(), "bob@example.net") {
			t.Errorf("%s: %v %v", local, back, err)
		}
	}
	if _, err := s.Decode(smtp.Path{Local: strings.Replace(got.Local, "Bob", "Rob", 1), Domain: s.Domain}); !errors.Is(err, verp.ErrHash) {
		t.Errorf("another recipient: %v", err)
	}
	old := &verp.Scheme{Prefix: "news", Domain: "lists.example", Secrets: []string{"an old secret"}}
	if got, err = old.Encode(path("bob@example.net")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Decode(got.Path); err != nil {
		t.Errorf("an old secret: %v", err)
	}
	for _, local := range []string{"news", "news+", "news+bob", "news+bob=example.net", "news+=abc", "other+bob=example.net", "news+x=y=-"} {
		if got, err := s.Decode(smtp.Path{Local: local, Domain: s.Domain}); err == nil {
			t.Errorf("%s: %+v", local, got)
		}
	}
}

func TestTooLong(t *testing.T) {
	for name, s := range schemes() {
		rcpt := path(strings.Repeat("x", 50) + "@example.net")
		got, err := s.Encode(rcpt)
		if err != nil || len(got.Local) > 64 {
			t.Fatalf("%s: %v %v", name, got, err)
		}
		back, err := s.Decode(got.Path)
		if err != nil || back.Token != s.Token(rcpt) || !back.Path.IsZero() {
			t.Errorf("%s: %+v %v", name, back, err)
		}
	}
	s := verp.Scheme{Prefix: strings.Repeat("p", 40), Domain: "lists.example"}
	if _, err := s.Encode(path("someone.else@long.example.net")); !errors.Is(err, verp.ErrTooLong) {
		t.Errorf("%v", err)
	}
	if _, err := (&verp.Scheme{}).Encode(path("a@b")); !errors.Is(err, verp.ErrConfig) {
		t.Errorf("%v", err)
	}
}

func FuzzScheme(f *testing.F) {
	f.Add("bob@example.net", "news+bob=example.net@lists.example")
	f.Add(`"a b"@[192.0.2.1]`, "news+=aaaaaaaaaaaaaaaaaaaaaaaaaa@lists.example")
	f.Fuzz(func(t *testing.T, rcpt, back string) {
		for _, s := range schemes() {
			if b, err := smtp.ParseForwardPath("<"+back+">", true); err == nil {
				if a, err := s.Decode(b.Path); err == nil && a.Token == "" {
					if again, err := s.Encode(a.Path); err == nil && len(s.Secrets) == 0 && len(b.Local) <= 60 && !strings.EqualFold(again.String(), b.String()) &&
						!strings.Contains(again.Local, "+=") && !strings.Contains(again.Local, "-=") && !strings.HasSuffix(b.Domain, ".") {
						t.Fatalf("%v means %v, which is written %v", b, a, again)
					}
				}
			}
			p, err := smtp.ParseForwardPath("<"+rcpt+">", true)
			if err != nil || p.Domain == "" {
				continue
			}
			e, err := s.Encode(p.Path)
			if err != nil {
				t.Fatal(err)
			}
			if q, err := smtp.ParseForwardPath("<"+e.String()+">", true); err != nil || q.Path != e.Path {
				t.Fatalf("%v cannot be sent: %v", e, err)
			}
			a, err := s.Decode(e.Path)
			if err != nil || a.Token == "" && a.Path != p.Path || a.Token != "" && a.Token != s.Token(p.Path) {
				t.Fatalf("%v became %v, and %+v: %v", p, e, a, err)
			}
		}
	})
}
