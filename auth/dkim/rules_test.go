package dkim_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dnsx"
)

const plain = "From: a@example.org\r\nSubject: x\r\n\r\ntext\r\n"

func TestKeyRules(t *testing.T) {
	keys, _ := testKeys(t)
	fields, err := (&dkim.Signer{Keys: keys[:1]}).Sign(strings.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	message := string(fields) + plain
	public := keys[0].Signer.Public().(*rsa.PublicKey)
	spki, _ := x509.MarshalPKIXPublicKey(public)
	p := base64.StdEncoding.EncodeToString(spki)
	pkcs1 := base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(public))
	ed, _, _ := ed25519.GenerateKey(rand.Reader)
	edP := base64.StdEncoding.EncodeToString(ed)
	huge := base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(bigKey(16384)))
	short := base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(bigKey(1016)))
	tests := []struct {
		name    string
		records []string
		want    authres.Result
		reason  dkim.Reason
	}{
		{"p alone", []string{"p=" + p}, authres.Pass, ""},
		{"RSAPublicKey", []string{"v=DKIM1; p=" + pkcs1}, authres.Pass, ""},
		{"white space", []string{"v = DKIM1 ; k = rsa ;; p = " + p[:40] + " " + p[40:] + " ; "}, authres.Pass, ""},
		{"g ignored", []string{"v=DKIM1; g=nobody; p=" + p}, authres.Pass, ""},
		{"unknown tags", []string{"v=DKIM1; n=a note; zz=; p=" + p}, authres.Pass, ""},
		{"h", []string{"h=sha1 : sha256; p=" + p}, authres.Pass, ""},
		{"s", []string{"s=tlsrpt:email; p=" + p}, authres.Pass, ""},
		{"t", []string{"t=x:s; p=" + p}, authres.Pass, ""},
		{"second record", []string{"v=spf1 -all", "v=DKIM1; p=" + p}, authres.Pass, ""},
		{"version", []string{"v=DKIM2; p=" + p}, authres.PermError, dkim.KeySyntax},
		{"version 1.0", []string{"v=DKIM1.0; p=" + p}, authres.PermError, dkim.KeySyntax},
		{"version not first", []string{"p=" + p + "; v=DKIM1"}, authres.PermError, dkim.KeySyntax},
		{"tag twice", []string{"p=" + p + "; p=" + p}, authres.PermError, dkim.KeySyntax},
		{"no p", []string{"v=DKIM1"}, authres.PermError, dkim.KeySyntax},
		{"revoked", []string{"v=DKIM1; p="}, authres.PermError, dkim.KeyRevoked},
		{"no base64", []string{"p=!" + p}, authres.PermError, dkim.KeySyntax},
		{"no key", []string{"p=QUJD"}, authres.PermError, dkim.KeySyntax},
		{"nothing", []string{""}, authres.PermError, dkim.KeySyntax},
		{"no records", []string{}, authres.PermError, dkim.KeyMissing},
		{"64 KiB", []string{"p=" + p + "; n=" + strings.Repeat("n", 64<<10)}, authres.PermError, dkim.KeySyntax},
		{"64 KiB of key", []string{"p=" + strings.Repeat("QUJD", 16000)}, authres.Policy, dkim.KeyLong},
		{"sha1 only", []string{"h=sha1; p=" + p}, authres.PermError, dkim.KeyUnsuited},
		{"not for mail", []string{"s=other; p=" + p}, authres.PermError, dkim.KeyUnsuited},
		{"other type", []string{"k=dsa; p=" + p}, authres.PermError, dkim.KeyUnsuited},
		{"ed25519", []string{"k=ed25519; p=" + edP}, authres.PermError, dkim.KeyUnsuited},
		{"ed25519 of a wrong size", []string{"k=ed25519; p=QUJD"}, authres.PermError, dkim.KeySyntax},
		{"16384 bits", []string{"p=" + huge}, authres.Policy, dkim.KeyLong},
		{"1016 bits", []string{"p=" + short}, authres.Policy, dkim.KeyShort},
	}
	for _, test := range tests {
		z := zone{"rsa._domainkey.example.org": test.records}
		got := judge(t, &dkim.Verifier{Resolver: z}, message).Results[0]
		if got.Result != test.want || got.Reason != test.reason {
			t.Errorf("%s: %s %q, want %s %q", test.name, got.Result, got.Reason, test.want, test.reason)
		}
	}
	z := zone{"rsa._domainkey.example.org": {"t=y; p=" + p}}
	if got := judge(t, &dkim.Verifier{Resolver: z}, message).Results[0]; got.Weak != dkim.Testing || got.KeyBits != 2048 {
		t.Errorf("testing: %+v", got)
	}
}

// bigKey is a public key that nobody has the private key of.
func bigKey(bits int) *rsa.PublicKey {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), uint(bits-1)))
	if err != nil {
		panic(err)
	}
	n.SetBit(n, bits-1, 1).SetBit(n, 0, 1)
	return &rsa.PublicKey{N: n, E: 65537}
}

// TestSignatureRules changes tags of a signature. It then matches no more, so
// what is found before that is the reason.
func TestSignatureRules(t *testing.T) {
	keys, z := testKeys(t)
	now := time.Unix(1_700_000_000, 0)
	s := &dkim.Signer{Keys: keys[:1], Now: func() time.Time { return now }}
	fields, err := s.Sign(strings.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	v := &dkim.Verifier{Resolver: z, Now: func() time.Time { return now }}
	tests := []struct {
		old, new string
		want     authres.Result
		reason   dkim.Reason
	}{
		{"v=1", "v=1", authres.Pass, ""},
		{"v=1", "v=2", authres.Neutral, dkim.Unsupported},
		{"v=1;", "", authres.Neutral, dkim.Syntax},
		{"a=rsa-sha256", "a=rsa-sha1", authres.Policy, dkim.OldAlgorithm},
		{"a=rsa-sha256", "a=rsa-md5", authres.Neutral, dkim.Unsupported},
		{"a=rsa-sha256", "a=ed25519-sha256", authres.PermError, dkim.KeyUnsuited},
		{"c=relaxed/relaxed", "c=nofws", authres.Neutral, dkim.Unsupported},
		{"c=relaxed/relaxed", "c=relaxed/nofws", authres.Neutral, dkim.Unsupported},
		{"c=relaxed/relaxed", "c=relaxed/relaxed; q=http", authres.Neutral, dkim.Unsupported},
		{"c=relaxed/relaxed", "c=relaxed/relaxed; q=http:dns/txt", authres.Fail, dkim.Mismatch},
		{"d=example.org", "d=example..org", authres.Neutral, dkim.Syntax},
		{"d=example.org", "d=example.net", authres.PermError, dkim.KeyMissing},
		{"d=example.org", "d=example.org; d=example.org", authres.Neutral, dkim.Syntax},
		{"d=example.org", "d=example.org; i=a@sub.example.org", authres.Fail, dkim.Mismatch},
		{"d=example.org", "d=example.org; i=a@example.net", authres.PermError, dkim.IdentityDomain},
		{"d=example.org", "d=example.org; i=a@xexample.org", authres.PermError, dkim.IdentityDomain},
		{"d=example.org", "d=example.org; i=example.org", authres.Neutral, dkim.Syntax},
		{"d=example.org", "d=example.org; i=a=4", authres.Neutral, dkim.Syntax},
		{"d=example.org", "d=example.org; l=", authres.Neutral, dkim.Syntax},
		{"d=example.org", "d=example.org; l=-1", authres.Neutral, dkim.Syntax},
		{"d=example.org", "d=example.org; l=6", authres.Fail, dkim.Mismatch},
		{"d=example.org", "d=example.org; l=7", authres.Fail, dkim.BodyHash},
		{"d=example.org", "d=example.org; l=" + strings.Repeat("9", 76), authres.Fail, dkim.BodyHash},
		{"d=example.org", "d=example.org; l=" + strings.Repeat("9", 77), authres.Neutral, dkim.Syntax},
		{"d=example.org", "d=example.org; x=1700000000", authres.Neutral, dkim.Syntax},
		{"d=example.org", "d=example.org; x=1700000001", authres.Fail, dkim.Mismatch},
		{"d=example.org", "d=example.org; x=99999999999999", authres.Fail, dkim.Mismatch},
		{"t=1700000000", "t=1600000000; x=1699999999", authres.Fail, dkim.Expired},
		{"t=1700000000", "t=1700000300", authres.Fail, dkim.Mismatch},
		{"t=1700000000", "t=1700000301", authres.Fail, dkim.FromFuture},
		{"t=1700000000", "t=9999999999999999", authres.Fail, dkim.FromFuture},
		{"t=1700000000", "t=now", authres.Neutral, dkim.Syntax},
		{"h=from:from", "h=sender", authres.PermError, dkim.FromUnsigned},
		{"h=from:from", "h=from::from", authres.Neutral, dkim.Syntax},
		{"bh=", "bh=A", authres.Neutral, dkim.Syntax},
		{"bh=", "bx=", authres.Neutral, dkim.Syntax},
		{"b=", "b=;x=", authres.Neutral, dkim.Syntax},
		{"s=rsa", "s=ed", authres.PermError, dkim.KeyUnsuited},
		{"s=rsa", "s=rsa; 1=2", authres.Neutral, dkim.Syntax},
		{"s=rsa", "s=rsa; junk", authres.Neutral, dkim.Syntax},
	}
	for _, test := range tests {
		i := strings.LastIndex(string(fields), test.old)
		field := string(fields[:i]) + test.new + string(fields[i+len(test.old):])
		got := judge(t, v, field+plain).Results
		if len(got) != 1 || got[0].Result != test.want || got[0].Reason != test.reason {
			t.Errorf("%s: %s %q, want %s %q", test.new, got[0].Result, got[0].Reason, test.want, test.reason)
		}
	}
}

func TestWeaknesses(t *testing.T) {
	keys, z := testKeys(t)
	s := &dkim.Signer{Keys: keys[:1], Fields: []string{"To"}, Seal: []string{}}
	fields, err := s.Sign(strings.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	v := &dkim.Verifier{Resolver: z}
	for message, want := range map[string]string{
		string(fields) + plain:                              "pass  subject-unsigned;",
		"Subject: y\r\n" + string(fields) + plain:           "pass  subject-unsigned;",
		"From: b@example.org\r\n" + string(fields) + plain:  "fail signature does not match subject-unsigned,from-unsealed;",
		string(fields) + "To: b@example.org\r\n" + plain:    "pass  subject-unsigned;",
		string(fields) + "From : c@example.org\r\n" + plain: "fail signature does not match subject-unsigned,from-unsealed;",
	} {
		if got := summary(judge(t, v, message)); got != want {
			t.Errorf("%q: %q, want %q", message[:20], got, want)
		}
	}
}

// failing gives, for each question, an answer of a list; the others come from
// a zone.
type failing struct {
	zone
	name string
	err  error
	text []string
}

func (f failing) Lookup(ctx context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	if name != f.name {
		return f.zone.Lookup(ctx, name, t)
	}
	if f.err != nil {
		return nil, &dnsx.Error{Name: name, Type: t, Kind: f.err}
	}
	return &dnsx.Answer{Texts: f.text}, nil
}

// TestNoFaultMakesBetter fails each answer in each way (K1).
func TestNoFaultMakesBetter(t *testing.T) {
	keys, z := testKeys(t)
	both, err := (&dkim.Signer{Keys: keys}).Sign(strings.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	broken := strings.Replace(plain, "Subject: x", "Subject: y", 1)
	for _, message := range []string{string(both) + plain, string(both) + broken, string(both) + plain + "more", plain, rfc8463Message} {
		whole := zone{}
		for _, part := range []zone{z, rfc8463Zone} {
			for name, texts := range part {
				whole[name] = texts
			}
		}
		before := judge(t, &dkim.Verifier{Resolver: whole}, message).Results
		for name, texts := range whole {
			faults := []failing{{text: nil}, {text: []string{""}}, {text: []string{texts[0][:len(texts[0])-3]}}, {text: []string{"p="}}, {text: []string{"junk", texts[0]}}}
			for _, kind := range []error{dnsx.ErrNXDomain, dnsx.ErrNoData, dnsx.ErrServFail, dnsx.ErrTimeout, dnsx.ErrBogus, dnsx.ErrBudget, dnsx.ErrName} {
				faults = append(faults, failing{err: kind})
			}
			for _, f := range faults {
				f.zone, f.name = whole, name
				after := judge(t, &dkim.Verifier{Resolver: f}, message).Results
				for i := range after {
					if len(after) != len(before) || after[i].Result == authres.Pass && before[i].Result != authres.Pass {
						t.Errorf("%v %v made %+v of %+v", name, f.err, after, before)
					}
					temporary := f.err != nil && !dnsx.NotFound(f.err)
					asked := before[i].Reason != dkim.BodyHash && before[i].Selector+"._domainkey."+before[i].Domain == name
					if temporary && asked && after[i].Result != authres.TempError || !temporary && after[i].Result == authres.TempError {
						t.Errorf("%v %v gave %+v", name, f.err, after[i])
					}
				}
			}
		}
	}
	if r := judge(t, &dkim.Verifier{}, string(both)+plain).Results[0]; r.Result != authres.TempError || errors.Unwrap(r.Err) != nil {
		t.Errorf("without resolver: %+v", r)
	}
}

// TestUnsignable: what no field can be put in front of is not signed.
func TestUnsignable(t *testing.T) {
	keys, _ := testKeys(t)
	for message, s := range map[string]*dkim.Signer{
		" continues\r\n" + plain: {Keys: keys[:1]}, "\tx\r\n" + plain: {Keys: keys[:1]}, plain: {Keys: keys[:1], MaxHeaderBytes: 10},
	} {
		if _, err := s.Sign(strings.NewReader(message)); !errors.Is(err, dkim.ErrHeader) {
			t.Errorf("%q: %v", message, err)
		}
	}
}
