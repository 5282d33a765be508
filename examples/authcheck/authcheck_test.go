package main

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dnsx/dnsxtest"
)

const message = "From: Joe <joe@example.org>\r\nTo: ann@example.net\r\nSubject: hello\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\ntext\r\n"

// day is when all signatures are made.
var day = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// bench is a DNS server with the records of the tests, and keys.
type bench struct {
	dns  *dnsxtest.Server
	keys map[string]crypto.Signer // by selector
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{keys: map[string]crypto.Signer{}, dns: dnsxtest.New(t, `
		example.org          TXT       v=spf1 ip4:192.0.2.1 exp=why.example.org -all
		why.example.org      TXT       %{i} is not of "%{d}", %{l}
		_dmarc.example.org   TXT       v=DMARC1; p=reject; sp=quarantine
		news.example.org     TXT       v=spf1 ?all
		helo.example.org     TXT       v=spf1 ip4:192.0.2.1 -all
		soft.example         TXT       v=spf1 ~all
		late.example         TXT       v=spf1 exp=when.late.example -all
		when.late.example    TXT       at %{t}
		_dmarc.soft.example  TXT       v=DMARC1; p=quarantine
		bad.example          TXT       v=spf1 nonsense
		_dmarc.bad.example   TXT       v=DMARC1; p=nonsense
		broken.example       SERVFAIL
		_dmarc.broken.example SERVFAIL
		lost._domainkey.example.org SERVFAIL
		plain.example        A         192.0.2.9
		_dmarc.test.example  TXT       v=DMARC1; p=reject; t=y
		_dmarc.pct.example   TXT       v=DMARC1; p=reject; pct=0
	`)}
	for selector, make := range map[string]func() (crypto.Signer, error){
		"rsa": func() (crypto.Signer, error) { return dkim.GenerateRSA(2048) }, "ed": dkim.GenerateEd25519,
		"none": dkim.GenerateEd25519, "lost": dkim.GenerateEd25519,
	} {
		key, err := make()
		if err != nil {
			t.Fatal(err)
		}
		b.keys[selector] = key
		if selector == "none" || selector == "lost" {
			continue
		}
		record, err := dkim.Record(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		b.dns.Add(t, selector+"._domainkey.example.org", "TXT", record)
	}
	return b
}

// sign puts signatures in front of a message.
func (b *bench) sign(t *testing.T, text string, selectors ...string) string {
	t.Helper()
	s := &dkim.Signer{Now: func() time.Time { return day }, Lifetime: 24 * time.Hour}
	for _, selector := range selectors {
		s.Keys = append(s.Keys, dkim.Key{Domain: "example.org", Selector: selector, Signer: b.keys[selector]})
	}
	fields, err := s.Sign(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return string(fields) + text
}

// result is what a run of the program left.
type result struct {
	code     int
	out, err string
}

// lines are the verdicts in front of the field.
func (r result) lines() []string {
	verdicts, _, _ := strings.Cut(r.out, "Authentication-Results:")
	return strings.Split(strings.TrimSpace(verdicts), "\n")
}

func runWith(t *testing.T, env map[string]string, in string, args ...string) result {
	t.Helper()
	var out, stderr bytes.Buffer
	code := run(t.Context(), args, stdio{func(k string) string { return env[k] }, strings.NewReader(in), &out, &stderr})
	return result{code, out.String(), stderr.String()}
}

// run runs the program over the DNS of the bench, on the day of the signatures.
func (b *bench) run(t *testing.T, in string, args ...string) result {
	t.Helper()
	fixed := []string{"-resolver", b.dns.Addr(), "-authserv-id", "mx.example.net", "-now", day.Format(time.RFC3339)}
	return runWith(t, nil, in, append(fixed, args...)...)
}

// The time of -now is that of explanations, too.
func TestSPFClock(t *testing.T) {
	b := newBench(t)
	const want = `spf=fail identity=mailfrom domain=late.example exp="at 1795168800"`
	args := []string{"-ip", "192.0.2.1", "-from", "a@late.example", "-helo", "x"}
	for _, more := range [][]string{{"-spf-only"}, nil} {
		if r := b.run(t, message, append(more, args...)...); r.code != 0 || r.lines()[0] != want {
			t.Errorf("%v: %d\n%s\n%s", more, r.code, r.out, r.err)
		}
	}
}

func TestSPF(t *testing.T) {
	b := newBench(t)
	tests := []struct{ ip, from, helo, want string }{
		{"192.0.2.1", "joe@example.org", "x", "spf=pass identity=mailfrom domain=example.org"},
		{"::ffff:192.0.2.1", "joe@example.org", "x", "spf=pass identity=mailfrom domain=example.org"},
		{"192.0.2.2", "joe@example.org", "x", `spf=fail identity=mailfrom domain=example.org exp="192.0.2.2 is not of \"example.org\", joe"`},
		{"2001:db8::1", "example.org", "x", `spf=fail identity=mailfrom domain=example.org exp="2.0.0.1.0.D.B.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1 is not of \"example.org\", postmaster"`},
		{"192.0.2.1", "", "helo.example.org", "spf=pass identity=helo domain=helo.example.org"},
		{"192.0.2.1", "", "", "spf=none identity=helo"},
		{"192.0.2.1", "a@soft.example", "x", "spf=softfail identity=mailfrom domain=soft.example"},
		{"192.0.2.1", "a@news.example.org", "x", "spf=neutral identity=mailfrom domain=news.example.org"},
		{"192.0.2.1", "a@plain.example", "x", "spf=none identity=mailfrom domain=plain.example"},
		{"192.0.2.1", "a@bad.example", "x", "spf=permerror identity=mailfrom domain=bad.example"},
		{"192.0.2.1", "a@broken.example", "x", "spf=temperror identity=mailfrom domain=broken.example"},
		// whatever octets they hold
		{"192.0.2.1", "@example.org", "x", "spf=pass identity=mailfrom domain=example.org"},
		{"192.0.2.2", "a\r\nspf=pass domain=evil@example.org", "x", `spf=fail identity=mailfrom domain=example.org exp="192.0.2.2 is not of \"example.org\", a??spf=pass domain=evil"`},
		{"192.0.2.1", "a@x\r\nspf=pass", "x", `spf=none identity=mailfrom domain="x\x0d\x0aspf=pass"`},
		{"192.0.2.1", "a@" + strings.Repeat("long", 30) + ".example", "x", "spf=none identity=mailfrom domain=" + strings.Repeat("long", 30) + ".example"},
		{"192.0.2.1", "<>", "x", "spf=none identity=mailfrom domain=<>"},
		{"192.0.2.1", "", "[192.0.2.1]", "spf=none identity=helo domain=[192.0.2.1]"},
		{"192.0.2.1", "", "a b\xff\"", `spf=none identity=helo domain="a b\xff\""`},
	}
	for _, test := range tests {
		r := b.run(t, "", "-spf-only", "-ip", test.ip, "-from", test.from, "-helo", test.helo)
		if r.code != 0 || len(r.lines()) != 1 || r.lines()[0] != test.want {
			t.Errorf("%q, %q from %s: %d\n%s\nwant %s\n%s", test.from, test.helo, test.ip, r.code, r.out, test.want, r.err)
		}
		if n := strings.Count(r.out, "\nspf="); n != 0 || !strings.Contains(r.out, "\nAuthentication-Results: mx.example.net") {
			t.Errorf("%q: %d more results in %q", test.from, n, r.out)
		}
	}
}

func TestMessages(t *testing.T) {
	b := newBench(t)
	from := func(domain string) string { return strings.Replace(message, "example.org", domain, 1) }
	const pass = "spf=pass identity=mailfrom domain=example.org"
	const none = "spf=none identity=mailfrom domain=plain.example"
	tests := []struct {
		name, in, sender string
		args             []string
		want             []string
	}{
		{"two signatures", b.sign(t, message, "rsa", "ed"), "joe@plain.example", nil, []string{
			none, "dkim=pass d=example.org s=rsa a=rsa-sha256", "dkim=pass d=example.org s=ed a=ed25519-sha256", "arc=none",
			"dmarc=pass from=example.org org=example.org record=example.org policy=reject disposition=none discovery=treewalk",
		}},
		{"spf alone", message, "joe@example.org", nil, []string{
			pass, "dkim=none", "arc=none",
			"dmarc=pass from=example.org org=example.org record=example.org policy=reject disposition=none discovery=treewalk",
		}},
		{"changed", strings.Replace(b.sign(t, message, "ed"), "text", "other", 1), "joe@plain.example", nil, []string{
			none, `dkim=fail d=example.org s=ed a=ed25519-sha256 reason="body hash does not match"`, "arc=none",
			"dmarc=fail from=example.org org=example.org record=example.org policy=reject disposition=reject discovery=treewalk",
		}},
		{"no key", b.sign(t, message, "none"), "joe@plain.example", nil, []string{
			none, `dkim=permerror d=example.org s=none a=ed25519-sha256 reason="no key"`, "arc=none",
			"dmarc=fail from=example.org org=example.org record=example.org policy=reject disposition=reject discovery=treewalk",
		}},
		{"no answer for the key", b.sign(t, message, "lost"), "joe@plain.example", nil, []string{
			none, `dkim=temperror d=example.org s=lost a=ed25519-sha256 reason="no answer for the key"`, "arc=none",
			"dmarc=temperror from=example.org org=example.org record=example.org policy=reject disposition=none discovery=treewalk",
		}},
		{"expired", b.sign(t, message, "ed"), "joe@plain.example", []string{"-now", "2026-11-22T10:00:00Z"}, []string{
			none, `dkim=fail d=example.org s=ed a=ed25519-sha256 reason="expired"`, "arc=none",
			"dmarc=fail from=example.org org=example.org record=example.org policy=reject disposition=reject discovery=treewalk",
		}},
		{"syntax error", "DKIM-Signature: v=1; nonsense\r\n" + message, "joe@plain.example", nil, []string{
			none, `dkim=neutral reason="syntax error"`, "arc=none",
			"dmarc=fail from=example.org org=example.org record=example.org policy=reject disposition=reject discovery=treewalk",
		}},
		{"below", from("sub.example.org"), "joe@plain.example", nil, []string{
			none, "dkim=none", "arc=none",
			"dmarc=fail from=sub.example.org org=example.org record=example.org policy=quarantine disposition=quarantine discovery=treewalk",
		}},
		{"by the list", from("sub.example.org"), "joe@plain.example", []string{"-dmarc", "7489"}, []string{
			none, "dkim=none", "arc=none",
			"dmarc=fail from=sub.example.org org=example.org record=example.org policy=quarantine disposition=quarantine discovery=psl",
		}},
		{"testing", from("test.example"), "joe@plain.example", nil, []string{
			none, "dkim=none", "arc=none",
			"dmarc=fail from=test.example org=test.example record=test.example policy=reject disposition=quarantine discovery=treewalk",
		}},
		{"pct says nothing", from("pct.example"), "joe@plain.example", nil, []string{
			none, "dkim=none", "arc=none",
			"dmarc=fail from=pct.example org=pct.example record=pct.example policy=reject disposition=reject discovery=treewalk",
		}},
		{"pct", from("pct.example"), "joe@plain.example", []string{"-dmarc", "7489"}, []string{
			none, "dkim=none", "arc=none",
			"dmarc=fail from=pct.example org=pct.example record=pct.example policy=reject disposition=quarantine discovery=psl",
		}},
		{"no policy", from("plain.example"), "joe@plain.example", nil, []string{
			none, "dkim=none", "arc=none", "dmarc=none from=plain.example org=plain.example discovery=treewalk",
		}},
		{"bad policy", from("bad.example"), "joe@plain.example", nil, []string{
			none, "dkim=none", "arc=none", "dmarc=permerror from=bad.example org=bad.example record=bad.example policy=none disposition=none discovery=treewalk",
		}},
		{"no answer for the policy", from("broken.example"), "joe@plain.example", nil, []string{
			none, "dkim=none", "arc=none", "dmarc=temperror from=broken.example discovery=treewalk",
		}},
		{"two authors", "From: evil@example.net\r\n" + message, "joe@plain.example", nil, []string{
			none, "dkim=none", "arc=none", "dmarc=permerror discovery=treewalk",
		}},
		{"no header", "hello\r\n", "joe@plain.example", nil, []string{
			none, "dkim=none", "arc=none", "dmarc=permerror discovery=treewalk",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := b.run(t, test.in, append([]string{"-ip", "192.0.2.1", "-helo", "helo.example.org", "-from", test.sender}, test.args...)...)
			if r.code != 0 || !slices.Equal(r.lines(), test.want) {
				t.Errorf("%d\n%s\nwant\n%s\n%s", r.code, r.out, strings.Join(test.want, "\n"), r.err)
			}
		})
	}
}

// What a sender writes makes no second result and no new line in the field.
func TestField(t *testing.T) {
	b := newBench(t)
	r := b.run(t, b.sign(t, message, "ed"), "-ip", "192.0.2.1", "-helo", "helo.example.org", "-from", "\"a; dmarc=pass\"@x;\r\ndkim=pass")
	_, field, _ := strings.Cut(r.out, "Authentication-Results:")
	if strings.Count(field, "\tspf=") != 2 || strings.Count(field, "smtp.mailfrom=") != 1 || strings.Count(field, "\tdkim=") != 1 || strings.Count(field, "\tdmarc=") != 1 ||
		!strings.HasPrefix(field, " mx.example.net;") || strings.Contains(strings.TrimSuffix(field, "\n"), "\n\n") {
		t.Errorf("%q", field)
	}
	for i, l := range strings.Split(strings.TrimSuffix(field, "\n"), "\n") {
		if i > 0 && l[0] != '\t' || len(l) > 998 {
			t.Errorf("line %q", l)
		}
	}
}

func TestWithoutClient(t *testing.T) {
	b := newBench(t)
	r := b.run(t, b.sign(t, message, "ed"))
	if r.code != 0 || !strings.HasPrefix(r.out, "spf=none\ndkim=pass d=example.org") || !strings.Contains(r.out, "dmarc=pass") {
		t.Errorf("%+v", r)
	}
}

func TestJSON(t *testing.T) {
	b := newBench(t)
	r := b.run(t, b.sign(t, message, "rsa", "none"), "-json", "-ip", "192.0.2.2", "-from", "joe@example.org")
	var got struct {
		SPF   map[string]string   `json:"spf"`
		DKIM  []map[string]string `json:"dkim"`
		ARC   map[string]string   `json:"arc"`
		DMARC map[string]string   `json:"dmarc"`
		Field string              `json:"authentication-results"`
	}
	d := json.NewDecoder(strings.NewReader(r.out))
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil {
		t.Fatalf("%v: %+v", err, r)
	}
	if got.SPF["result"] != "fail" || got.SPF["exp"] != `192.0.2.2 is not of "example.org", joe` || got.SPF["identity"] != "mailfrom" ||
		len(got.DKIM) != 2 || got.DKIM[0]["result"] != "pass" || got.DKIM[1]["reason"] != "no key" || got.ARC["result"] != "none" ||
		got.DMARC["result"] != "pass" || got.DMARC["discovery"] != "treewalk" || !strings.HasPrefix(got.Field, "mx.example.net;") {
		t.Errorf("%s", r.out)
	}
	r = b.run(t, "", "-json", "-spf-only", "-ip", "192.0.2.1", "-from", "joe@example.org")
	if !strings.Contains(r.out, `"spf": {`) || strings.Contains(r.out, `"dkim"`) {
		t.Errorf("%s", r.out)
	}
}

func TestSources(t *testing.T) {
	b := newBench(t)
	file := filepath.Join(t.TempDir(), "from")
	if err := os.WriteFile(file, []byte("joe@example.org\x00\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"MAILSTEAD_RESOLVER": b.dns.Addr(), "MAILSTEAD_IP": "192.0.2.1", "MAILSTEAD_SPF_ONLY": "true",
		"MAILSTEAD_FROM": "joe@example.org", "MAILSTEAD_AUTHSERV_ID": "mx.example.net", "MAILSTEAD_HELO": "helo.example.org",
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "spf=pass identity=mailfrom domain=example.org\n"},
		{[]string{"--from", ""}, "spf=pass identity=helo domain=helo.example.org\n"},
		{[]string{"-from=@" + file}, "spf=none identity=mailfrom domain=\"example.org\\x00\"\n"},
	} {
		r := runWith(t, env, "", test.args...)
		if r.code != 0 || !strings.HasPrefix(r.out, test.want+"Authentication-Results: mx.example.net") {
			t.Errorf("%q: %+v, want %s", test.args, r, test.want)
		}
	}
}

func TestBadUse(t *testing.T) {
	b := newBench(t)
	for _, args := range [][]string{
		{"-nonsense"},
		{"argument"},
		{"-ip", "nonsense"},
		{"-ip", "192.0.2.1/24"},
		{"-spf-only"},
		{"-resolver", "nonsense"},
		{"-resolver", "192.0.2.1"},
		{"-resolver", "192.0.2.1:99999"},
		{"-resolver", "192.0.2.1:0"},
		{"-resolver", ":53"},
		{"-resolver", "@/does/not/exist"},
		{"-dmarc", "1"},
		{"-now", "yesterday"},
		{"-json=perhaps"},
		{"-seal", "example.org:s"},
		{"-seal", "example.org:s:/does/not/exist"},
	} {
		r := b.run(t, message, args...)
		if r.code != 2 || r.out != "" || r.err == "" {
			t.Errorf("%q: %+v, want 2 and a reason", args, r)
		}
	}
	if r := b.run(t, "", "-ip", "192.0.2.1"); r.code != 2 || !strings.Contains(r.err, "no message") {
		t.Errorf("without a message: %+v", r)
	}
	if r := b.run(t, "", "-h"); r.code != 0 || !strings.Contains(r.err, "-authserv-id") {
		t.Errorf("-h: %+v", r)
	}
}

// A message that cannot be read to its end has no verdict.
func TestBrokenInput(t *testing.T) {
	b := newBench(t)
	var out, stderr bytes.Buffer
	in := iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(message)))
	code := run(context.Background(), []string{"-resolver", b.dns.Addr()}, stdio{func(string) string { return "" }, in, &out, &stderr})
	if code != 2 || out.Len() > 0 {
		t.Errorf("%d, %q", code, out.String())
	}
	code = run(context.Background(), []string{"-resolver", b.dns.Addr(), "-spf-only", "-ip", "192.0.2.1"},
		stdio{func(string) string { return "" }, in, failing{}, &stderr})
	if code != 1 {
		t.Errorf("%d where nothing can be written", code)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("full") }

// TestSeal seals a message twice, and breaks the chain.
func TestSeal(t *testing.T) {
	b := newBench(t)
	dir := t.TempDir()
	var seals []string
	for _, selector := range []string{"rsa", "ed"} {
		text, err := dkim.MarshalPrivateKey(b.keys[selector])
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, selector)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		seals = append(seals, "example.org:"+selector+":"+file)
	}
	args := []string{"-ip", "192.0.2.1", "-from", "joe@example.org"}
	signed := b.sign(t, message, "ed")
	once := b.run(t, signed, append(args, "-seal", seals[0])...)
	if once.code != 0 || !strings.HasSuffix(once.out, signed) || !strings.HasPrefix(once.out, "ARC-Seal: i=1;") ||
		!strings.Contains(once.err, "\narc=none\n") || !strings.Contains(once.err, "\nAuthentication-Results: mx.example.net;") {
		t.Fatalf("%+v", once)
	}
	twice := b.run(t, once.out, append(args, "-seal", seals[1])...)
	if twice.code != 0 || !strings.HasSuffix(twice.out, once.out) || !strings.Contains(twice.err, "\narc=pass i=1 cv=none\n") {
		t.Fatalf("%+v", twice)
	}
	r := b.run(t, twice.out, args...)
	if !slices.Contains(r.lines(), "arc=pass i=2 cv=pass") || !strings.Contains(r.out, "arc=pass header.oldest-pass=0") {
		t.Errorf("%+v", r)
	}
	changed := strings.Replace(twice.out, "hello", "hullo", 1)
	r = b.run(t, changed, args...)
	if !slices.ContainsFunc(r.lines(), func(l string) bool { return strings.HasPrefix(l, "arc=fail i=2 cv=pass reason=\"i=2 ") }) {
		t.Errorf("%+v", r)
	}
	// A failure is sealed once, and nothing is added behind that.
	failed := b.run(t, changed, append(args, "-seal", seals[0])...)
	if !strings.HasPrefix(failed.out, "ARC-Seal: i=3;") || !strings.Contains(failed.out, "cv=fail") {
		t.Errorf("%+v", failed)
	}
	last := b.run(t, failed.out, append(args, "-json", "-seal", seals[0])...)
	if last.code != 0 || last.out != failed.out || !strings.Contains(last.err, "not sealed: ") || !strings.Contains(last.err, `"arc": {`) {
		t.Errorf("%+v", last)
	}
	// Line ends are those of the message.
	unix := strings.ReplaceAll(signed, "\r\n", "\n")
	if lf := b.run(t, unix, append(args, "-seal", seals[0])...); strings.Contains(lf.out, "\r") || !strings.HasSuffix(lf.out, unix) {
		t.Errorf("%+v", lf)
	}
	if r := b.run(t, "", append(args, "-seal", seals[0])...); r.code != 2 || r.out != "" {
		t.Errorf("without a message: %+v", r)
	}
	if r := b.run(t, signed, append(args, "-spf-only", "-seal", seals[0])...); r.code != 2 {
		t.Errorf("with -spf-only: %+v", r)
	}
}
