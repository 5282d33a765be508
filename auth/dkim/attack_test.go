package dkim_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dnsx"
)

// counting counts the questions.
type counting struct {
	dnsx.Resolver
	n atomic.Int64
}

func (c *counting) Lookup(ctx context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	c.n.Add(1)
	return c.Resolver.Lookup(ctx, name, t)
}

// endless has a key for every selector.
type endless struct{ text string }

func (e endless) Lookup(context.Context, string, dnsx.Type) (*dnsx.Answer, error) {
	return &dnsx.Answer{Texts: []string{e.text}}, nil
}

// allocated is how many octets a function allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func signed(t testing.TB, key dkim.Key, message string, s dkim.Signer) string {
	t.Helper()
	s.Keys = []dkim.Key{key}
	fields, err := s.Sign(strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	return string(fields) + message
}

// TestHugeHeaders: a verdict, at most 4 times the memory, in linear time. The
// time is reported by BenchmarkHugeHeaders.
func TestHugeHeaders(t *testing.T) {
	if testing.Short() {
		t.Skip("measures messages of megabytes; not run with -short")
	}
	keys, z := testKeys(t)
	for name, message := range hugeHeaders(t, keys[0]) {
		v := &dkim.Verifier{Resolver: z}
		var r *dkim.Report
		start := time.Now()
		n := allocated(func() { r, _ = v.Verify(t.Context(), strings.NewReader(message)) })
		t.Logf("%s: %d octets, %d allocated, %v", name, len(message), n, time.Since(start))
		if n > 4*uint64(len(message)) {
			t.Errorf("%s: %d octets allocated for %d", name, n, len(message))
		}
		want := authres.Pass
		if name == "beyond the limit" {
			want = authres.PermError
		}
		if len(r.Results) != 1 || r.Results[0].Result != want {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func hugeHeaders(t testing.TB, key dkim.Key) map[string]string {
	lines := strings.Repeat("X-Spam-Line: some text\r\n", 100_000)
	names := make([]string, 4000)
	var fields strings.Builder
	for i := range names {
		names[i] = fmt.Sprintf("X-Field-Number-%d", i)
		fmt.Fprintf(&fields, "%s: value of the field\r\n", names[i])
	}
	folded := "X: " + strings.Repeat("folded\r\n ", 380_000) + "x\r\n"
	header, _, _ := strings.Cut(plain, "\r\n\r\n")
	header += "\r\n"
	return map[string]string{
		"folded":           signed(t, key, folded+plain, dkim.Signer{Fields: []string{"X"}}),
		"lines":            signed(t, key, lines+plain, dkim.Signer{}),
		"names":            signed(t, key, fields.String()+plain, dkim.Signer{Fields: names}),
		"without end":      signed(t, key, header+folded, dkim.Signer{}),
		"beyond the limit": signed(t, key, header, dkim.Signer{}) + strings.Repeat("X: y\r\n", 1_000_000),
	}
}

func TestManySignatures(t *testing.T) {
	keys, z := testKeys(t)
	message := plain + strings.Repeat("a line of text\r\n", 1<<16)
	one := signed(t, keys[0], message, dkim.Signer{})
	field := strings.TrimSuffix(one, message)
	t.Run("500 of one key", func(t *testing.T) {
		c := &counting{Resolver: z}
		r, _ := (&dkim.Verifier{Resolver: c}).Verify(t.Context(), strings.NewReader(strings.Repeat(field, 500)+message))
		if c.n.Load() != 1 || len(r.Results) != 10 || r.Skipped != 490 || r.Results[9].Result != authres.Pass {
			t.Errorf("%d questions, %d results, %d skipped", c.n.Load(), len(r.Results), r.Skipped)
		}
	})
	t.Run("500 of 500 keys", func(t *testing.T) {
		var all strings.Builder
		message := plain
		for i := range 500 {
			k := keys[1]
			k.Selector = fmt.Sprint("s", i)
			all.WriteString(strings.TrimSuffix(signed(t, k, message, dkim.Signer{Body: dkim.Canonicalization(i % 2)}), message))
		}
		c := &counting{Resolver: endless{z["ed._domainkey.example.org"][0]}}
		r, _ := (&dkim.Verifier{Resolver: c, MaxSignatures: 50}).Verify(t.Context(), strings.NewReader(all.String()+message))
		if c.n.Load() != 10 || len(r.Results) != 50 || r.Questions != 10 {
			t.Errorf("%d questions, %d results", c.n.Load(), len(r.Results))
		}
	})
	t.Run("junk above the one that matters", func(t *testing.T) {
		for name, junk := range map[string]string{
			"other domain":       strings.Replace(field, "d=example.org", "d=example.net", 1),
			"wrong body":         strings.Replace(field, "bh=", "bh=AAAA", 1),
			"wrong body, length": strings.Replace(strings.Replace(field, "v=1;", "v=1; l=3;", 1), "bh="+field[strings.Index(field, "bh=")+3:][:4], "bh=AAAA", 1),
			"no signature":       "DKIM-Signature: junk\r\n",
			"body hashes":        strings.Replace(field, "v=1;", "v=1; l=1;", 1) + strings.Replace(field, "v=1;", "v=1; l=2;", 1) + strings.Replace(field, "v=1;", "v=1; l=3;", 1),
			"from":               strings.Replace(field, "h=from:from", "h=to", 1),
		} {
			r := judge(t, &dkim.Verifier{Resolver: z}, strings.Repeat(junk, 10)+field+message)
			passed := false
			for _, x := range r.Results {
				passed = passed || x.Result == authres.Pass && x.Domain == "example.org"
			}
			if !passed {
				t.Errorf("%s hides it: %s", name, summary(r))
			}
		}
	})
}

// silent answers no question before its context ends.
type silent struct{}

func (silent) Lookup(ctx context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	<-ctx.Done()
	return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrTimeout, Err: ctx.Err()}
}

// Servers that do not answer hold a message for a bounded time, also where the
// caller's context has no end.
func TestFinishIsBounded(t *testing.T) {
	keys, _ := testKeys(t)
	message := signed(t, keys[0], plain, dkim.Signer{})
	signedAt := time.Now()
	for _, test := range []struct{ timeout, want time.Duration }{{0, 20 * time.Second}, {time.Second, time.Second}, {-1, time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			began := time.Now()
			r, err := (&dkim.Verifier{Resolver: silent{}, Timeout: test.timeout, Now: func() time.Time { return signedAt }}).Verify(ctx, strings.NewReader(message))
			if err != nil || len(r.Results) != 1 || r.Results[0].Result != authres.TempError || time.Since(began) != test.want {
				t.Errorf("%v: %v, %v, %+v", test.timeout, time.Since(began), err, r)
			}
		})
	}
}

func TestConstantMemory(t *testing.T) {
	keys, z := testKeys(t)
	v := &dkim.Verifier{Resolver: z}
	for _, size := range []int{4 << 10, 1 << 20, 10 << 20} {
		message := signed(t, keys[0], plain+strings.Repeat("a line of text\r\n", size/16), dkim.Signer{})
		raw := []byte(message)
		n := allocated(func() {
			m := v.Start()
			m.Write(raw)
			m.Finish(t.Context())
		})
		if n > 64<<10 {
			t.Errorf("%d octets allocated for a message of %d", n, len(message))
		}
	}
}

func BenchmarkHugeHeaders(b *testing.B) {
	keys, z := testKeys(b)
	v := &dkim.Verifier{Resolver: z}
	for name, message := range hugeHeaders(b, keys[0]) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v.Verify(b.Context(), strings.NewReader(message))
			}
		})
	}
}
