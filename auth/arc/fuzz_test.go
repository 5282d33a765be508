package arc

import (
	"context"
	"crypto/ed25519"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/internal/mailsig"
)

// naiveInstance is RFC 8617 §4.1.1; 0 = there is none.
func naiveInstance(v string) (int, string) {
	for { // comments are removed from the inside out
		at := regexp.MustCompile(`(?s)^((?:[^()\\;]|\([^()]*\))*?)\([^()\\]*\)`).FindStringSubmatchIndex(v)
		if at == nil || strings.ContainsAny(v[:at[1]], `\;`) && strings.Contains(v[:at[2]+at[3]], ";") {
			break
		}
		v = v[:at[3]] + " " + v[at[1]:]
	}
	m := regexp.MustCompile(`(?s)^[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*([0-9]{1,2})[ \t\r\n]*;(.*)$`).FindStringSubmatch(v)
	if m == nil {
		return 0, ""
	}
	n, _ := strconv.Atoi(m[1])
	return n, m[2]
}

func FuzzInstance(f *testing.F) {
	for _, v := range []string{" i=1; x; none", "(a(b)c) i (d) = (e) 50 (f);", "i=1", "i=100;", "I=1;", "(i=1;", "i=1(\\);x", "i=1());", "x; i=1;", "i=;", "", "i=1 2;"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		n, rest := cutInstance([]byte(v))
		if n < 0 || n > 99 || n == 0 && len(rest) > 0 && !regexp.MustCompile(`0`).MatchString(v) || !strings.HasSuffix(v, string(rest)) {
			t.Fatalf("%q: %d, %q", v, n, rest)
		}
		front, _, _ := strings.Cut(v, ";")
		if strings.ContainsAny(front, `\()`) {
			return // the simple form is for those without comments
		}
		if want, wantRest := naiveInstance(v); n != want || string(rest) != wantRest {
			t.Fatalf("%q: %d %q, not %d %q", v, n, rest, want, wantRest)
		}
	})
}

// fuzzZone has one key for every name.
type fuzzZone struct{ text string }

func (z fuzzZone) Lookup(context.Context, string, dnsx.Type) (*dnsx.Answer, error) {
	return &dnsx.Answer{Texts: []string{z.text}}, nil
}

// FuzzChain: every message has a verdict, in pieces as in whole; a set that is put
// in front of it says what it is (R6), and a chain that passes is whole.
func FuzzChain(f *testing.F) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	record, err := dkim.Record(key.Public())
	if err != nil {
		f.Fatal(err)
	}
	sealer := &Sealer{Key: dkim.Key{Domain: "a.example", Selector: "s", Signer: key}, Now: func() time.Time { return time.Unix(1000, 0) }}
	verifier := &Verifier{Resolver: fuzzZone{record}, Now: sealer.Now}
	message := "From: a@a.example\r\nTo: b\r\n\r\ntext\r\n"
	f.Add(message, 3)
	f.Add(" continues\r\n"+message, 3)
	for range 3 {
		r, _ := verifier.Verify(context.Background(), strings.NewReader(message))
		set, err := sealer.Seal(strings.NewReader(message), r, authres.Field{ID: "x"})
		if err != nil {
			f.Fatal(err)
		}
		message = string(set) + message
		f.Add(message, 7)
		f.Add(strings.Replace(message, "cv=none", "cv=fail", 1), 100)
		f.Add(strings.Replace(message, "i=1", "i=50", 1), 100)
		f.Add(strings.Replace(message, "text", "other", 1), 100)
	}
	f.Fuzz(func(t *testing.T, message string, step int) {
		m := verifier.Start()
		for rest := []byte(message); len(rest) > 0; {
			n := min(max(step, 1), len(rest))
			m.Write(rest[:n])
			rest = rest[n:]
		}
		r := m.Finish(t.Context())
		whole, _ := verifier.Verify(t.Context(), strings.NewReader(message))
		if r.Result != whole.Result || r.Reason != whole.Reason || r.Temporary {
			t.Fatalf("%q: %+v, in pieces %+v", message, whole, r)
		}
		s := r.Statement()
		field := authres.Field{ID: "x", Statements: []authres.Statement{s}}
		if _, err := authres.Parse(strings.TrimPrefix(field.String(), "Authentication-Results:")); err != nil {
			t.Fatalf("%q: %v", field.String(), err)
		}
		r.Comment()
		r.Evidence(func(string) bool { return true }).Passed("a.example")
		if r.Result == authres.Pass && (len(r.Sets) == 0 || !r.Sets[len(r.Sets)-1].Matches) {
			t.Fatalf("%q: %+v", message, r)
		}
		set, err := sealer.Seal(strings.NewReader(message), r, field)
		switch {
		case errors.Is(err, ErrFailed) && r.failed, errors.Is(err, ErrFull) && r.highest >= mostSets:
			return
		case errors.Is(err, ErrHeader) && strings.ContainsAny(message[:1], " \t"):
			return
		case err != nil:
			t.Fatalf("%q: %v", message, err)
		}
		again, _ := verifier.Verify(t.Context(), strings.NewReader(string(set)+message))
		if r.Result == authres.Fail && again.Result == authres.Fail && again.failed || r.Result != authres.Fail && again.Result == authres.Pass && len(again.Sets) == len(r.Sets)+1 {
			return
		}
		t.Fatalf("%q: %+v, sealed\n%s: %+v", message, r, set, again)
	})
}

// FuzzFields reads tag-lists in the places of both signatures.
func FuzzFields(f *testing.F) {
	f.Add("i=1; a=rsa-sha256; c=simple; d=a.example; s=b; t=1; h=from; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=QUJD; cv=pass")
	f.Add("cv=FAIL;i=50;;")
	f.Fuzz(func(t *testing.T, value string) {
		value = strings.ReplaceAll(value, "\n", "\n ")
		for _, k := range []kind{signatureField, sealField, resultsField} {
			b := mailsig.Cut([]byte(kindNames[k] + ":" + value + "\r\n"))
			p := &parser{block: &b, now: time.Unix(1000, 0)}
			var s set
			n, reason := p.parse(&s, b.Fields[0], k)
			if n < 0 || n > 99 || n == 0 && k != resultsField && reason == "" {
				t.Fatalf("%q: %d, %s", value, n, reason)
			}
			if k == sealField && reason == "" && !slices.Contains([]authres.Result{authres.None, authres.Pass, authres.Fail}, s.seal.status) {
				t.Fatalf("%q: %s", value, s.seal.status)
			}
		}
	})
}
