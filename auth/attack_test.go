package auth

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/arc"
	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/smtp"
)

// allocated is how many octets a function allocates, in how many pieces.
func allocated(f func()) (octets, pieces uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs
}

// discard accepts everything.
var discard = smtp.ReceiveFunc(func(_ context.Context, _ *smtp.Envelope, r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
})

// quiet is an Inspector that accepts everything and says nothing.
func quiet(r dnsx.Resolver, observe func(*Result)) *Inspector {
	return &Inspector{
		Verifier: &Verifier{Resolver: r}, ID: "mx.example.net", Logger: slog.New(slog.DiscardHandler),
		Policy:  Policy{Local: func(*Result, Decision) Decision { return Decision{} }},
		Skip:    func(*smtp.Mail) bool { return false },
		Observe: func(_ *smtp.Mail, r *Result, _ Decision) { observe(r) },
	}
}

// inspect sends a message through an Inspector.
func inspect(t testing.TB, in *Inspector, message string) {
	tx, err := smtp.Chain(discard, in.Middleware()).Begin(t.Context(), mailFrom(client, "joe@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	tx.Rcpt(t.Context(), []*smtp.Recipient{{}})
	if _, err := tx.Data(t.Context(), smtp.NewBody(pieces{strings.NewReader(message)}, -1)); err != nil {
		t.Fatal(err)
	}
}

// pieces writes itself in pieces, as the body of a server does.
type pieces struct{ *strings.Reader }

func (p pieces) WriteTo(w io.Writer) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{p.Reader}, make([]byte, 16<<10))
}

// attacks are messages that cost as much as can be.
func attacks(t testing.TB, w *world) map[string]string {
	t.Helper()
	header, _, _ := strings.Cut(plain, "\r\n\r\n")
	header += "\r\n"
	folded := "X: " + strings.Repeat("folded\r\n ", 380_000) + "x\r\n"
	big := plain + strings.Repeat("a line of text\r\n", 1<<16)
	one := strings.TrimSuffix(sign(t, big, w.keys[1]), big)
	sealed := w.relisted(t, plain, session)
	set := sealed[:strings.Index(sealed, "From:")]
	names := make([]string, 4000)
	var fields strings.Builder
	for i := range names {
		names[i] = fmt.Sprintf("X-Field-Number-%d", i)
		fmt.Fprintf(&fields, "%s: value of the field\r\n", names[i])
	}
	many := fields.String() + plain
	manySigned, err := (&dkim.Signer{Keys: w.keys[:1], Fields: names}).Sign(strings.NewReader(many))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"folded field":               folded + plain,
		"100,000 lines":              strings.Repeat("X-Spam-Line: some text\r\n", 100_000) + plain,
		"100,000 short lines":        strings.Repeat("X:\r\n", 100_000) + plain,
		"100,000 From":               strings.Repeat("From: a@example.com\r\n", 100_000) + plain,
		"header without end":         header + folded,
		"line without end":           header + "X: " + strings.Repeat("x", 3_400_000),
		"results without end":        header + "Authentication-Results: " + strings.Repeat("(mx.example.net", 220_000),
		"50,000 results":             strings.Repeat("Authentication-Results: mx.example.org; spf=pass\r\n", 50_000) + plain,
		"names of 4,000 × 4,000":     string(manySigned) + many,
		"500 signatures, 1 MB":       strings.Repeat(one, 500) + big,
		"500 sets":                   strings.Repeat(set, 500) + plain,
		"50 sets that are numbered":  numbered(set, 50) + plain,
		"From of 3 MB":               strings.Replace(plain, "Joe ", strings.Repeat("(x", 1_500_000), 1),
		"From of 200,000 addresses":  strings.Replace(plain, "<joe@example.org>", strings.Repeat("<joe@example.org>, ", 200_000), 1),
		"beyond the limit of 4 MiB":  header + strings.Repeat("X: y\r\n", 1_000_000),
		"bare CRs":                   header + "X: " + strings.Repeat("\rFrom: b@example.org", 170_000),
		"a header of octets 0":       strings.Repeat("\x00", 3_400_000),
		"100,000 signatures of junk": strings.Repeat("DKIM-Signature: v=1; a=x\r\n", 100_000) + plain,
	}
}

// numbered repeats an ARC set with the instances 1 to n.
func numbered(set string, n int) string {
	all := ""
	for i := n; i > 0; i-- {
		all += strings.ReplaceAll(set, "i=1", fmt.Sprint("i=", i))
	}
	return all
}

// TestAttacks: a verdict, in memory and work that are bounded: 4 times the message
// and 16 octets a line, most of which is gone before the end.
func TestAttacks(t *testing.T) {
	w := newWorld(t)
	for name, message := range attacks(t, w) {
		var r *Result
		in := quiet(w, func(got *Result) { r = got })
		inspect(t, in, plain) // what is made once
		start := time.Now()
		octets, _ := allocated(func() { inspect(t, in, message) })
		t.Logf("%-28s %8d octets, %8d allocated, %v, %d questions, %s", name, len(message), octets, time.Since(start), r.Questions, words(r))
		if octets > uint64(4*len(message)+16*strings.Count(message, "\n")+256<<10) {
			t.Errorf("%s: %d octets allocated for %d", name, octets, len(message))
		}
		if r.Questions > 120 || len(r.DKIM.Results) > 20 {
			t.Errorf("%s: %d questions, %d results", name, r.Questions, len(r.DKIM.Results))
		}
	}
}

// TestConstantMemory: V3.
func TestConstantMemory(t *testing.T) {
	w := newWorld(t)
	in := quiet(w, func(r *Result) {
		if r.DMARC.Result != dmarc.Pass || r.DKIM.Results[0].Result != authres.Pass {
			t.Error(words(r))
		}
	})
	for _, size := range []int{4 << 10, 1 << 20, 20 << 20} {
		message := sign(t, plain+strings.Repeat("a line of text\r\n", size/16), w.keys[0])
		inspect(t, in, message)
		octets, n := allocated(func() { inspect(t, in, message) })
		t.Logf("%d octets: %d allocated in %d pieces", len(message), octets, n)
		if octets > 160<<10 || n > 400 {
			t.Errorf("%d octets allocated in %d pieces for a message of %d", octets, n, len(message))
		}
	}
}

// endless has something for every question: what makes SPF ask for more.
type endless struct{ author *zone }

func (e endless) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	if strings.HasPrefix(name, "_dmarc.") || strings.Contains(name, "._domainkey.") {
		return e.author.answer(name, t)
	}
	a := &dnsx.Answer{}
	switch t {
	case dnsx.TXT:
		policy := "v=spf1 "
		for i := range 9 {
			policy += fmt.Sprintf("mx:m%d.%s ", i, name)
		}
		a.Texts = []string{policy + "include:i." + name + " -all"}
	case dnsx.MX:
		for i := range 10 {
			a.MX = append(a.MX, dnsx.Exchange{Host: fmt.Sprintf("h%d.%s", i, name)})
		}
	case dnsx.A:
		a.Addrs = append(a.Addrs, stranger.Next())
	}
	return a, nil
}

// TestSharesOfTheBudget: a sender whose policy asks for much leaves nobody less to
// ask about the author.
func TestSharesOfTheBudget(t *testing.T) {
	w := newWorld(t)
	message := sign(t, plain, w.keys...)
	for _, most := range []int{0, 1, 64, 1000} {
		r, _ := (&Verifier{Resolver: endless{&w.zone}, MaxQuestions: most}).Verify(t.Context(), Session{IP: stranger, Helo: "evil.example", MailFrom: "x@evil.example"}, strings.NewReader(message))
		limit := max(most, 64)
		if most == 0 {
			limit = defaultQuestions
		}
		if r.DMARC.Result != dmarc.Pass || r.Questions > limit || r.SPF.Result == authres.Pass {
			t.Errorf("%d: %d questions, %s", most, r.Questions, words(r))
		}
		t.Logf("%d: %d questions, %s", most, r.Questions, words(r))
	}
}

// TestJunkDoesNotHide: junk above what counts, of every method.
func TestJunkDoesNotHide(t *testing.T) {
	w := newWorld(t)
	message := sign(t, plain, w.keys[0])
	junk := w.keys[1]
	junk.Domain = "junk.example"
	w.publish(t, junk, "")
	field := strings.TrimSuffix(sign(t, plain, junk), plain)
	r := judge(t, &Verifier{Resolver: w}, fromList, strings.Repeat(field, 10)+message)
	if r.DMARC.Result != dmarc.Pass {
		t.Error(words(r))
	}
	relisted := w.relisted(t, message, session)
	d := (&Policy{Sealers: arc.TrustDomains("list.example")}).Decide(judge(t, &Verifier{Resolver: w}, fromList, strings.Repeat(field, 10)+relisted))
	if d.Action != Accept || d.Override != TrustedForwarder {
		t.Errorf("%+v", d)
	}
}
