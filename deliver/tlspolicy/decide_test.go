package tlspolicy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/dane"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/mtasts"
	"github.com/mailstead/mailstead/deliver"
)

// summary is a decision in words.
func (d decision) summary() string {
	if d.refusal != nil {
		return fmt.Sprintf("refused %s (%s)", d.result, d.policy)
	}
	var words []string
	for _, w := range []struct {
		is   bool
		word string
	}{
		{d.never, "plain"},
		{d.required, "required"},
		{d.by == byDANE, "tlsa"},
		{d.by == bySTS, "pkix"},
		{d.static, "static"},
		{d.testing, "testing"},
		{d.waivable, "waivable"},
		{d.vouched, "vouched"},
	} {
		if w.is {
			words = append(words, w.word)
		}
	}
	return strings.Join(append(words, d.source), " ")
}

// TestDecide is the table of the package's documentation, row by row.
func TestDecide(t *testing.T) {
	usable := &dane.Policy{Level: dane.Authenticate, Base: "mx.example.org"}
	unusable := &dane.Policy{Level: dane.Encrypt, Base: "mx.example.org"}
	nothing := &dane.Policy{}
	enforce := &mtasts.Policy{Mode: mtasts.Enforce, MX: []string{"mx.example.org"}}
	other := &mtasts.Policy{Mode: mtasts.Enforce, MX: []string{"mx.example.net"}}
	testing1 := &mtasts.Policy{Mode: mtasts.Testing, MX: []string{"mx.example.org"}}
	none := &mtasts.Policy{Mode: mtasts.None}
	bogus := &dnsx.Error{Kind: dnsx.ErrBogus}
	print := [][32]byte{{1}}
	for _, c := range []struct {
		row     string
		static  Static
		mx      bool
		dane    *dane.Policy
		daneErr error
		sts     *mtasts.Policy
		want    string
	}{
		{"1 weaker than DANE", Static{Level: Opportunistic, Override: true}, true, usable, nil, enforce, "vouched opportunistic"},
		{"1 also where DANE fails", Static{Level: Encrypt, Override: true}, true, nil, bogus, other, "required vouched static"},
		{"1 none", Static{Level: None, Override: true}, false, usable, nil, enforce, "plain none"},
		{"1 secure", Static{Level: Secure, Override: true}, false, nil, nil, other, "required static vouched static"},
		{"2", Static{}, true, nil, bogus, enforce, "refused dnssec-invalid (tlsa)"},
		{"2 static does not help", Static{Level: Secure}, true, nil, bogus, nil, "refused dnssec-invalid (tlsa)"},
		{"3", Static{}, true, usable, nil, nil, "required tlsa waivable vouched dane"},
		{"3 DANE beats MTA-STS", Static{}, true, usable, nil, other, "required tlsa waivable vouched dane"},
		{"3 dane-only", Static{Level: DANEOnly}, true, usable, nil, other, "required tlsa vouched dane"},
		{"3 dane-only, override", Static{Level: DANEOnly, Override: true}, true, usable, nil, other, "required tlsa vouched dane"},
		{"3 without validated MX", Static{}, false, usable, nil, testing1, "required tlsa waivable dane"},
		{"3 encrypt", Static{Level: Encrypt}, true, usable, nil, nil, "required tlsa vouched dane"},
		{"3 secure", Static{Level: Secure}, true, usable, nil, nil, "required tlsa static vouched dane"},
		{"4 no records", Static{Level: DANEOnly}, true, nothing, nil, enforce, "refused dane-required (no-policy-found)"},
		{"4 none usable", Static{Level: DANEOnly}, true, unusable, nil, enforce, "refused tlsa-invalid (tlsa)"},
		{"4 not validated", Static{Level: DANEOnly, Override: true}, false, nil, nil, nil, "refused dane-required (no-policy-found)"},
		{"5", Static{}, false, nothing, nil, other, "refused validation-failure (sts)"},
		{"5 unusable records", Static{}, true, unusable, nil, other, "refused validation-failure (sts)"},
		{"6", Static{}, false, nil, nil, enforce, "required pkix waivable vouched mta-sts"},
		{"6 unusable records", Static{}, true, unusable, nil, enforce, "required pkix waivable vouched mta-sts"},
		{"6 encrypt", Static{Level: Encrypt}, false, nil, nil, enforce, "required pkix vouched mta-sts"},
		{"6 fingerprint", Static{Level: Fingerprint, Fingerprints: print}, false, nil, nil, enforce, "required pkix static vouched mta-sts"},
		{"7", Static{}, true, unusable, nil, nil, "required waivable vouched dane-only-encrypt"},
		{"7 testing", Static{}, true, unusable, nil, testing1, "required waivable vouched dane-only-encrypt"},
		{"7 secure", Static{Level: Secure}, true, unusable, nil, nil, "required static vouched static"},
		{"8", Static{}, false, nothing, nil, testing1, "testing opportunistic"},
		{"8 encrypt", Static{Level: Encrypt}, false, nothing, nil, testing1, "required testing static"},
		{"9", Static{}, false, nil, nil, nil, "opportunistic"},
		{"9 mode none", Static{}, true, nothing, nil, none, "vouched opportunistic"},
		{"9 encrypt", Static{Level: Encrypt}, false, nil, nil, nil, "required static"},
		{"9 verify", Static{Level: Verify}, false, nil, nil, nil, "required static static"},
	} {
		f := &facts{static: c.static, domain: "example.org", host: deliver.MXHost{Name: "mx.example.org", MXSecure: c.mx}, dane: c.dane, daneErr: c.daneErr, sts: c.sts}
		if got := decide(f); got.summary() != c.want {
			t.Errorf("%s:\n got  %s\n want %s", c.row, got.summary(), c.want)
		}
	}
}

// TestWantsDANE: whose records are asked for at all.
func TestWantsDANE(t *testing.T) {
	enforce := &mtasts.Policy{Mode: mtasts.Enforce}
	for _, c := range []struct {
		static       Static
		mx, insecure bool
		sts          *mtasts.Policy
		want         bool
	}{
		{Static{}, true, false, enforce, true},
		{Static{}, false, false, nil, false},
		{Static{}, false, true, nil, true},
		{Static{}, false, true, enforce, false},
		{Static{Level: DANEOnly}, false, true, nil, false},
		{Static{Level: DANEOnly, Override: true}, true, false, nil, true},
		{Static{Level: Secure, Override: true}, true, true, nil, false},
		{Static{Level: Secure}, true, false, nil, true},
	} {
		f := &facts{static: c.static, host: deliver.MXHost{MXSecure: c.mx}, sts: c.sts}
		if got := f.wantsDANE(c.insecure); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestTable(t *testing.T) {
	table := &Table{
		Default: Static{Level: Encrypt},
		Domains: map[string]Static{"example.org": {Level: Secure}, ".example.org": {Level: Verify}, ".a.example.org": {Level: DANEOnly}},
	}
	for domain, want := range map[string]Level{
		"example.org": Secure, "x.example.org": Verify, "y.x.example.org": Verify, "a.example.org": Verify, "b.a.example.org": DANEOnly,
		"org": Encrypt, "xexample.org": Encrypt,
	} {
		if got := table.Find(domain).Level; got != want {
			t.Errorf("%s: %v", domain, got)
		}
	}
	if (*Table)(nil).Find("x").Level != Opportunistic {
		t.Error("no table")
	}
	if err := table.Validate(); err != nil {
		t.Error(err)
	}
	for _, bad := range []Static{
		{Level: None},
		{Level: Fingerprint},
		{Level: Encrypt, Names: []string{"x"}},
		{Level: Secure, Names: []string{"a b"}},
		{Level: 99},
		{Fingerprints: [][32]byte{{}}},
	} {
		if bad.Validate() == nil {
			t.Errorf("%+v", bad)
		}
	}
	if (&Table{Domains: map[string]Static{"Example.org": {}}}).Validate() == nil {
		t.Error("an entry that is never found")
	}
	if (&Policies{Static: &Table{Default: Static{Level: DANEOnly}}}).Validate() == nil {
		t.Error("dane-only without DANE")
	}
}

func TestLevels(t *testing.T) {
	for l := Opportunistic; l <= DANEOnly; l++ {
		if got, err := ParseLevel(l.String()); err != nil || got != l {
			t.Error(l, got, err)
		}
	}
	if _, err := ParseLevel("may"); err == nil {
		t.Error("may")
	}
	if _, err := ParseFingerprint(strings.Repeat("ab:", 31) + "ab"); err != nil {
		t.Error(err)
	}
	if _, err := ParseFingerprint("abcd"); err == nil {
		t.Error("too short")
	}
}

func TestUndecided(t *testing.T) {
	servfail, nothing := &dnsx.Error{Kind: dnsx.ErrServFail}, &dnsx.Error{Kind: dnsx.ErrNXDomain}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{mtasts.ErrNoRecord, false},
		{mtasts.ErrRecord, false},
		{mtasts.ErrPolicy, false},
		{servfail, true},
		{&dnsx.Error{Kind: dnsx.ErrTimeout}, true},
		{&dnsx.Error{Kind: dnsx.ErrBogus}, true},
		{nothing, false},
		{errors.Join(mtasts.ErrFetch, servfail), false},
		{errors.Join(mtasts.ErrFetch, context.DeadlineExceeded), false},
	} {
		if got := undecided(c.err); got != c.want {
			t.Errorf("%v: %v", c.err, got)
		}
	}
}
