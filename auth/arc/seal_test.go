package arc_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/arc"
	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dnsx"
)

const plain = "DKIM-Signature: v=1\r\nFrom: A <a@example.org>\r\nTo: b@example.net\r\nSubject:  x \r\n\r\ntext  here\r\n\r\n"

// zone is a resolver over a map; what it lacks does not exist.
type zone map[string]string

func (z zone) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	if text, ok := z[strings.ToLower(name)]; ok {
		return &dnsx.Answer{Texts: []string{text}}, nil
	}
	return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
}

// testKeys are two keys and their records.
func testKeys(t testing.TB) (r, e dkim.Key, z zone) {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r = dkim.Key{Domain: "One.example", Selector: "r", Signer: rsaKey}
	e = dkim.Key{Domain: "two.example", Selector: "e", Signer: edKey}
	z = zone{}
	for _, k := range []dkim.Key{r, e} {
		if z[k.Selector+"._domainkey."+strings.ToLower(k.Domain)], err = dkim.Record(k.Signer.Public()); err != nil {
			t.Fatal(err)
		}
	}
	return r, e, z
}

// results is what a sealer found.
func results(id, author string, result authres.Result) authres.Field {
	return authres.Field{ID: id, Statements: []authres.Statement{
		{Method: authres.SPF, Result: authres.Pass, Properties: []authres.Property{{Type: "smtp", Name: "mailfrom", Value: author}, {Type: "smtp", Name: "remote-ip", Value: "192.0.2.7"}}},
		{Method: authres.DMARC, Result: result, Properties: []authres.Property{{Type: "header", Name: "from", Value: author}}},
	}}
}

// judge verifies a message, whole and octet by octet.
func judge(t testing.TB, v *arc.Verifier, message string) *arc.Result {
	t.Helper()
	r, err := v.Verify(t.Context(), strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	m := v.Start()
	for i := range len(message) {
		m.Write([]byte{message[i]})
	}
	if again := m.Finish(t.Context()); again.Result != r.Result || again.Reason != r.Reason || again.OldestPass != r.OldestPass {
		t.Errorf("octet by octet %+v, in large pieces %+v", again, r)
	}
	return r
}

// sealed judges a message and puts a set in front of it.
func sealed(t testing.TB, s *arc.Sealer, z dnsx.Resolver, message string) string {
	t.Helper()
	r, err := (&arc.Verifier{Resolver: z}).Verify(t.Context(), strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Seal(strings.NewReader(message), r, results(s.Key.Domain, "example.org", authres.Pass))
	if err != nil {
		t.Fatal(err)
	}
	return string(f) + message
}

// TestSealing: chains of up to 50 sets, with both algorithms and all
// canonicalizations, pass, and their lines are short.
func TestSealing(t *testing.T) {
	r, e, z := testKeys(t)
	v := &arc.Verifier{Resolver: z}
	if got := judge(t, v, plain); got.Result != authres.None || len(got.Sets) != 0 {
		t.Errorf("%+v", got)
	}
	message := plain
	for i := range 50 {
		s := &arc.Sealer{Key: []dkim.Key{r, e}[i%2], Header: dkim.Canonicalization(i / 2 % 2), Body: dkim.Canonicalization(i / 4 % 2), Oversign: []string{"Subject"}}
		message = sealed(t, s, z, "Received: by hop\r\n"+message)
		if i > 4 && i < 45 {
			continue
		}
		got := judge(t, v, message)
		if got.Result != authres.Pass || len(got.Sets) != i+1 || got.OldestPass != 0 || got.Questions > 2 {
			t.Fatalf("%d: %+v", i, got)
		}
		last := got.Sets[i]
		if want := strings.ToLower(s.Key.Domain); last.Sealer != want || last.Signer != want || last.Selector != s.Key.Selector || !last.Matches || last.Weak != 0 || time.Since(last.Sealed) > time.Minute {
			t.Errorf("%d: %+v", i, last)
		}
	}
	header, _, _ := strings.Cut(message, "\r\n\r\n")
	for line := range strings.SplitSeq(header, "\r\n") {
		if len(line) > 78 {
			t.Errorf("a line of %d columns: %s", len(line), line)
		}
	}
	got := judge(t, v, message)
	if _, err := (&arc.Sealer{Key: r}).Seal(strings.NewReader(message), got, authres.Field{}); !errors.Is(err, arc.ErrFull) {
		t.Errorf("a 51st set: %v", err)
	}
	if got := judge(t, &arc.Verifier{Resolver: z, MaxSets: 49}, message); got.Reason != arc.ManySets {
		t.Errorf("49 sets at most: %+v", got)
	}
}

// TestChangedOnTheWay: who changes a message and seals it goes on with the chain,
// and OldestPass says where it was changed.
func TestChangedOnTheWay(t *testing.T) {
	r, e, z := testKeys(t)
	v := &arc.Verifier{Resolver: z}
	first := sealed(t, &arc.Sealer{Key: r}, z, plain)
	before := judge(t, v, first)
	changed := strings.Replace(first, "Subject:  x", "Subject: [list] x", 1) + "footer\r\n"
	if got := judge(t, v, changed); got.Result != authres.Fail || got.Reason != arc.BodyHash || got.Field != "ARC-Message-Signature" || got.Instance != 1 || got.Questions != 0 {
		t.Errorf("not sealed: %+v", got)
	}
	f, err := (&arc.Sealer{Key: e}).Seal(strings.NewReader(changed), before, results("lists.example", "example.org", authres.Pass))
	if err != nil {
		t.Fatal(err)
	}
	got := judge(t, v, string(f)+changed)
	if got.Result != authres.Pass || got.OldestPass != 2 || got.Sets[0].Matches || !got.Sets[1].Matches || got.Sets[1].Status != authres.Pass || got.Sets[0].Status != authres.None {
		t.Fatalf("%+v", got)
	}
	got.Remote = netip.MustParseAddr("::ffff:192.0.2.1")
	field := authres.Field{ID: "x", Statements: []authres.Statement{got.Statement()}}
	if want := "Authentication-Results: x;\r\n\tarc=pass header.oldest-pass=2 smtp.remote-ip=192.0.2.1\r\n"; field.String() != want {
		t.Errorf("%q", field.String())
	}
	if want := "arc=pass as[2].d=two.example as[2].s=e as[1].d=one.example as[1].s=r remote-ip[1]=192.0.2.7"; got.Comment() != want {
		t.Errorf("%q", got.Comment())
	}
}

// TestFailedChain: who finds that a chain fails says so once, over his own set
// only, and nobody goes on behind that (RFC 8617 §5.1).
func TestFailedChain(t *testing.T) {
	r, e, z := testKeys(t)
	v := &arc.Verifier{Resolver: z}
	broken := strings.Replace(sealed(t, &arc.Sealer{Key: r}, z, plain), "text", "other text", 1)
	marked := sealed(t, &arc.Sealer{Key: e}, z, broken)
	if !strings.HasPrefix(marked, "ARC-Seal: i=2; a=ed25519-sha256; d=two.example; s=e; t=") || !strings.Contains(marked[:200], "cv=fail;") {
		t.Errorf("%.300s", marked)
	}
	got := judge(t, v, marked)
	if got.Result != authres.Fail || got.Reason != arc.FailedBefore || got.Instance != 2 || got.Questions != 0 {
		t.Errorf("%+v", got)
	}
	if want := "i=2 ARC-Seal: the newest seal says that the chain has failed"; got.Statement().Reason != want {
		t.Errorf("%q", got.Statement().Reason)
	}
	s := &arc.Sealer{Key: r}
	if _, err := s.Seal(strings.NewReader(marked), got, authres.Field{}); !errors.Is(err, arc.ErrFailed) {
		t.Errorf("behind a failed chain: %v", err)
	}
	if _, err := s.Seal(strings.NewReader(marked), judge(t, v, broken), authres.Field{}); !errors.Is(err, arc.ErrFailed) {
		t.Errorf("that was not the one judged: %v", err)
	}
	// The seal is over its own set alone.
	own := marked[:strings.Index(marked, "ARC-Seal: i=1")]
	at := strings.Index(own, "ARC-Message-Signature")
	seal, b64, _ := strings.Cut(own[:at], " b=")
	mine := naiveRelaxed(own[strings.Index(own, "ARC-Authentication-Results"):]) + naiveRelaxed(own[at:strings.Index(own, "ARC-Authentication-Results")]) + strings.TrimSuffix(naiveRelaxed(seal+" b="), "\r\n")
	digest := sha256.Sum256([]byte(mine))
	sig, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(b64), ""))
	if err != nil || !ed25519.Verify(e.Signer.Public().(ed25519.PublicKey), digest[:], sig) {
		t.Errorf("the seal is not over %q: %v", mine, err)
	}
	for _, gap := range []string{"ARC-Seal: i=7; junk\r\n" + plain, "ARC-Seal: junk\r\n" + plain, "ARC-Authentication-Results: i=3; x; none\r\n" + plain} {
		judged := judge(t, v, gap)
		f, err := s.Seal(strings.NewReader(gap), judged, authres.Field{})
		if judged.Result != authres.Fail || err != nil || !bytes.Contains(f, []byte("cv=fail")) {
			t.Errorf("%.20q: %+v, %v", gap, judged, err)
		}
	}
}

// naiveRelaxed is a field in relaxed form (RFC 6376 §3.4.2).
func naiveRelaxed(field string) string {
	name, value, _ := strings.Cut(field, ":")
	return strings.ToLower(name) + ":" + strings.Join(strings.Fields(value), " ") + "\r\n"
}

// TestNotTheJudgedChain: a seal says "pass" or "none" of the chain that was
// judged, of no other (R5).
func TestNotTheJudgedChain(t *testing.T) {
	r, e, z := testKeys(t)
	v := &arc.Verifier{Resolver: z}
	one := sealed(t, &arc.Sealer{Key: r}, z, plain)
	other := sealed(t, &arc.Sealer{Key: e}, z, plain)
	two := sealed(t, &arc.Sealer{Key: e}, z, one)
	s := &arc.Sealer{Key: r}
	for name, test := range map[string]struct {
		judged  *arc.Result
		message string
	}{
		"a chain where there was none": {judge(t, v, plain), one}, "nothing judged": {nil, one}, "another one": {judge(t, v, one), other},
		"a longer one": {judge(t, v, one), two}, "a shorter one": {judge(t, v, two), one}, "none": {judge(t, v, one), plain},
		"made up": {&arc.Result{Result: authres.Pass}, plain}, "broken": {judge(t, v, one), strings.Replace(one, "cv=none", "cv=pass", 1)},
		"results changed": {judge(t, v, one), strings.Replace(one, "dmarc=pass", "dmarc=fail", 1)},
		"no field of one": {judge(t, v, plain), "ARC-Seal: junk\r\n" + plain},
	} {
		if f, err := s.Seal(strings.NewReader(test.message), test.judged, authres.Field{}); !errors.Is(err, arc.ErrChain) {
			t.Errorf("%s: %v\n%s", name, err, f)
		}
	}
	if f, err := s.Seal(strings.NewReader(plain), nil, authres.Field{}); err != nil || !bytes.Contains(f, []byte("cv=none")) {
		t.Errorf("begins here: %v", err)
	}
}

func TestSealerErrors(t *testing.T) {
	r, _, z := testKeys(t)
	one := sealed(t, &arc.Sealer{Key: r}, z, plain)
	unknown := judge(t, &arc.Verifier{}, one)
	if !unknown.Temporary || unknown.Result != authres.Fail || unknown.Reason != arc.KeyUnknown || unknown.Err == nil {
		t.Errorf("%+v", unknown)
	}
	if _, err := (&arc.Sealer{Key: r}).Seal(strings.NewReader(one), unknown, authres.Field{}); !errors.Is(err, arc.ErrTemporary) {
		t.Error(err)
	}
	if f, err := (&arc.Sealer{Key: r, SealUnknown: true}).Seal(strings.NewReader(one), unknown, authres.Field{}); err != nil || !bytes.Contains(f, []byte("cv=fail")) {
		t.Errorf("%s, %v", f, err)
	}
	if _, err := (&arc.Sealer{}).Start(nil, authres.Field{}); !errors.Is(err, dkim.ErrKey) {
		t.Error(err)
	}
	if _, err := (&arc.Sealer{Key: r, MaxHeaderBytes: 10}).Seal(strings.NewReader(plain), nil, authres.Field{}); !errors.Is(err, arc.ErrHeader) {
		t.Error(err)
	}
	bad := &arc.Sealer{Key: dkim.Key{Domain: "a.example", Selector: "s", Signer: failingSigner{r.Signer.(*rsa.PrivateKey)}}}
	if _, err := bad.Seal(strings.NewReader(plain), nil, authres.Field{}); !errors.Is(err, errSigner) {
		t.Error(err)
	}
	own := &arc.Sealer{Key: r, Fields: []string{"ARC-Seal", "Authentication-Results", "To", "to"}}
	if f, err := own.Seal(strings.NewReader(plain), nil, authres.Field{}); err != nil || !bytes.Contains(f, []byte("h=from:from:to;")) {
		t.Errorf("%s, %v", f, err)
	}
}

// A crafted value cannot end a field or its instance.
func TestResultsCannotBeInjected(t *testing.T) {
	r, _, z := testKeys(t)
	f := results("mx\r\nX: y; i=9", "a\r\n\r\nb\"; dmarc=pass", authres.Fail)
	f.Statements[0].Reason = strings.Repeat("long words ", 40)
	fields, err := (&arc.Sealer{Key: r}).Seal(strings.NewReader(plain), nil, f)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(fields, []byte("\nX:")); n != 0 || !strings.HasPrefix(string(fields), "ARC-Seal:") {
		t.Errorf("%s", fields)
	}
	got := judge(t, &arc.Verifier{Resolver: z}, string(fields)+plain)
	if got.Result != authres.Pass {
		t.Fatalf("%+v", got)
	}
	back, err := got.Sets[0].Results()
	if err != nil || len(back.Statements) != 2 || back.ID != "mx??X: y; i=9" || back.Statements[1].Result != authres.Fail {
		t.Errorf("%+v, %v", back, err)
	}
}

var errSigner = errors.New("a token is gone")

type failingSigner struct{ *rsa.PrivateKey }

func (failingSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, fmt.Errorf("signer: %w", errSigner)
}
