package arc_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/arc"
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

// attack is a message and what is to come of it.
type attack struct {
	message string
	want    authres.Result
	reason  arc.Reason
}

func attacks(t testing.TB, s *arc.Sealer, z dnsx.Resolver) map[string]attack {
	lines := strings.Repeat("X-Spam-Line: some text\r\n", 100_000)
	names := make([]string, 4000)
	var fields strings.Builder
	for i := range names {
		names[i] = fmt.Sprintf("X-Field-Number-%d", i)
		fmt.Fprintf(&fields, "%s: value of the field\r\n", names[i])
	}
	folded := "X: " + strings.Repeat("folded\r\n ", 380_000) + "x\r\n"
	big := &arc.Sealer{Key: s.Key, Fields: []string{"X"}}
	many := &arc.Sealer{Key: s.Key, Fields: names}
	one := sealed(t, s, z, plain)
	header, body, _ := strings.Cut(one, "\r\n\r\n")
	header += "\r\n"
	body = "\r\n" + body
	long := folded + plain
	for range 10 {
		long = sealed(t, big, z, long)
	}
	comment := strings.Repeat("(", 1_700_000) + strings.Repeat(")", 1_700_000)
	payload := strings.Replace(one, "dmarc=pass", "dmarc=pass reason=\""+strings.Repeat("word ", 600_000)+"\"", 1)
	return map[string]attack{
		"folded":             {sealed(t, big, z, folded+plain), authres.Pass, ""},
		"lines":              {sealed(t, s, z, lines+plain), authres.Pass, ""},
		"names":              {sealed(t, many, z, fields.String()+plain), authres.Pass, ""},
		"10 sets over 3 MB":  {long, authres.Pass, ""},
		"without end":        {header + folded, authres.Fail, arc.BodyHash},
		"beyond the limit":   {header + strings.Repeat("X: y\r\n", 1_000_000), authres.Fail, arc.HeaderTooLarge},
		"no chain, too long": {strings.Repeat("X: y\r\n", 1_000_000) + plain, authres.Fail, arc.HeaderTooLarge},
		"seals":              {strings.Repeat("ARC-Seal: i=1; a=rsa-sha256; cv=none\r\n", 100_000) + plain, authres.Fail, arc.Syntax},
		"seals of no set":    {strings.Repeat("ARC-Seal: x\r\n", 100_000) + plain, authres.Fail, arc.BadInstance},
		"51 sets":            {header + strings.Replace(header, "i=1;", "i=51;", 3) + body, authres.Fail, arc.ManySets},
		"comments":           {header + "ARC-Authentication-Results: " + comment + " i " + "(c)=2(c); x\r\n" + body, authres.Fail, arc.Missing},
		"open comments":      {header + "ARC-Authentication-Results: " + comment[:1_700_000] + "\r\n" + body, authres.Fail, arc.BadInstance},
		"results of 3 MB":    {payload, authres.Fail, arc.Mismatch},
		"tags":               {header + "ARC-Seal: i=2;" + strings.Repeat("a=1;", 800_000) + "\r\n" + body, authres.Fail, arc.BadInstance},
		"names of 3 MB":      {strings.Replace(one, "h=from", "h="+strings.Repeat("x:", 1_500_000)+"from", 1), authres.Fail, arc.Syntax},
	}
}

// TestHugeHeaders: a verdict, at most 4 times the memory, in linear time. The
// time is reported by BenchmarkHugeHeaders.
func TestHugeHeaders(t *testing.T) {
	_, e, z := testKeys(t)
	v := &arc.Verifier{Resolver: z}
	for name, a := range attacks(t, &arc.Sealer{Key: e}, z) {
		var r *arc.Result
		start := time.Now()
		n := allocated(func() { r, _ = v.Verify(t.Context(), strings.NewReader(a.message)) })
		t.Logf("%s: %d octets, %d allocated, %v", name, len(a.message), n, time.Since(start))
		if n > max(64<<10, 4*uint64(len(a.message))) {
			t.Errorf("%s: %d octets allocated for %d", name, n, len(a.message))
		}
		if r.Result != a.want || r.Reason != a.reason {
			t.Errorf("%s: %s %s, want %s %s", name, r.Result, r.Reason, a.want, a.reason)
		}
	}
}

// TestManyKeys: a chain of 50 sealers costs at most 64 questions, and none if its
// newest signature is for another message.
func TestManyKeys(t *testing.T) {
	_, e, z := testKeys(t)
	all := endless{z["e._domainkey.two.example"]}
	message := plain
	for i := range 50 {
		k := e
		k.Domain = fmt.Sprintf("d%d.example", i)
		message = sealed(t, &arc.Sealer{Key: k}, all, message)
	}
	c := &counting{Resolver: all}
	r, _ := (&arc.Verifier{Resolver: c}).Verify(t.Context(), strings.NewReader(message))
	if r.Result != authres.Pass || c.n.Load() != 50 || r.Questions != 50 || r.OldestPass != 0 {
		t.Errorf("%d questions, %+v", c.n.Load(), r)
	}
	c = &counting{Resolver: all}
	r, _ = (&arc.Verifier{Resolver: c, MaxKeys: 20}).Verify(t.Context(), strings.NewReader(message))
	if r.Result != authres.Fail || r.Reason != arc.ManyKeys || r.Temporary || c.n.Load() != 20 {
		t.Errorf("%d questions, %+v", c.n.Load(), r)
	}
	for name, change := range map[string][2]string{"another body": {"text", "other"}, "another header": {"To: b@", "To: c@"}} {
		c = &counting{Resolver: all}
		r, _ = (&arc.Verifier{Resolver: c}).Verify(t.Context(), strings.NewReader(strings.Replace(message, change[0], change[1], 1)))
		if r.Result != authres.Fail || c.n.Load() > 1 {
			t.Errorf("%s: %d questions, %+v", name, c.n.Load(), r)
		}
	}
}

// TestOnePass: with DKIM, and signatures that want other bodies hashed, there are
// two hashes in all, and they are for what decides.
func TestOnePass(t *testing.T) {
	r, e, z := testKeys(t)
	sign := &dkim.Signer{Keys: []dkim.Key{r}, Body: dkim.Simple}
	fields, err := sign.Sign(strings.NewReader(strings.TrimPrefix(plain, "DKIM-Signature: v=1\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	message := string(fields) + strings.TrimPrefix(plain, "DKIM-Signature: v=1\r\n")
	for i := range 10 {
		message = strings.Replace(string(fields), "v=1;", fmt.Sprintf("v=1; l=%d;", i), 1) + message
	}
	message = sealed(t, &arc.Sealer{Key: e, Header: dkim.Simple}, z, message)
	shared := dkim.NewMessage(0)
	d := (&dkim.Verifier{Resolver: z}).Join(shared)
	a := (&arc.Verifier{Resolver: z}).Join(shared)
	for c := range strings.SplitSeq(message, "") {
		shared.Write([]byte(c))
	}
	var report *dkim.Report
	done := make(chan struct{})
	go func() { defer close(done); report = d.Finish(t.Context()) }()
	chain := a.Finish(t.Context())
	<-done
	if chain.Result != authres.Pass {
		t.Errorf("%+v", chain)
	}
	passed, surplus := 0, 0
	for _, s := range report.Results {
		switch s.Reason {
		case "":
			passed++
		case dkim.Surplus:
			surplus++
		}
	}
	if passed != 1 || surplus != 10 {
		t.Errorf("%d passed, %d with bodies beyond the limit: %+v", passed, surplus, report)
	}
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
	_, e, z := testKeys(t)
	message := sealed(t, &arc.Sealer{Key: e}, z, plain)
	sealedAt := time.Now()
	for _, test := range []struct{ timeout, want time.Duration }{{0, 20 * time.Second}, {time.Second, time.Second}, {-1, time.Hour}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			began := time.Now()
			v := &arc.Verifier{Resolver: silent{}, Timeout: test.timeout, Now: func() time.Time { return sealedAt }}
			r, err := v.Verify(ctx, strings.NewReader(message))
			if err != nil || r.Result != authres.Fail || !r.Temporary || time.Since(began) != test.want {
				t.Errorf("%v: %v, %v, %+v", test.timeout, time.Since(began), err, r)
			}
		})
	}
}

func TestConstantMemory(t *testing.T) {
	_, e, z := testKeys(t)
	v := &arc.Verifier{Resolver: z}
	for _, size := range []int{4 << 10, 1 << 20, 10 << 20} {
		raw := []byte(sealed(t, &arc.Sealer{Key: e}, z, plain+strings.Repeat("a line of text\r\n", size/16)))
		var r *arc.Result
		n := allocated(func() {
			m := v.Start()
			m.Write(raw)
			r = m.Finish(t.Context())
		})
		if n > 64<<10 || r.Result != authres.Pass {
			t.Errorf("%d octets allocated for a message of %d: %+v", n, len(raw), r)
		}
	}
}

func BenchmarkHugeHeaders(b *testing.B) {
	_, e, z := testKeys(b)
	v := &arc.Verifier{Resolver: z}
	for name, a := range attacks(b, &arc.Sealer{Key: e}, z) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v.Verify(b.Context(), strings.NewReader(a.message))
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	r, e, z := testKeys(b)
	v := &arc.Verifier{Resolver: z}
	for _, sets := range []int{1, 3} {
		message := plain
		for i := range sets {
			message = sealed(b, &arc.Sealer{Key: []dkim.Key{r, e}[i%2]}, z, message)
		}
		b.Run(fmt.Sprint(sets), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				v.Verify(b.Context(), strings.NewReader(message))
			}
		})
	}
}
