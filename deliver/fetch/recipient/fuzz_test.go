package recipient

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/mailstead/mailstead/internal/mailaddr"
	"github.com/mailstead/mailstead/smtp"
)

// fuzzed are configurations in which nothing but Accept says who may be a
// recipient: no default, and no address that is spelled out.
func fuzzed(t testing.TB) []*Resolver {
	rule := Rule{Name: "x", Field: "Subject", Regexp: `(\S+)`, To: []string{"${1}"}, All: true}
	var all []*Resolver
	for _, c := range []Config{
		{},
		{Trust: Trust{Received: -1}, Field: Field{Name: "X-Real-To", Index: -1, Anywhere: true}, Strip: []string{"mbox-"}},
		{Trust: Trust{Hosts: []string{".isp.example"}, Received: 3}, Rules: []Rule{rule}, MaxRecipients: 5},
		{Steps: []Step{StepRules}, Rules: []Rule{rule, {Field: "To", Match: "*b*@*", All: true, Continue: true}}, MaxHeader: 512},
	} {
		c.Accept = []string{"company.example", ".bücher.example", "firm@isp.example"}
		c.Own = []string{"catchall@company.example"}
		r, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// FuzzFind: whatever the header is, recipients are ours and can stand in an
// envelope, nobody twice and never more than there may be, who decided is said,
// and the second answer is the first. What the sender writes below the provider's
// text changes nothing that the envelope decided.
func FuzzFind(f *testing.F) {
	for _, s := range loadSituations(f) {
		if len(s.header) < 4096 {
			f.Add([]byte(s.header))
		}
	}
	f.Add([]byte("Received: by x.isp.example; date\r\nSubject: x@evil.example y@company.example\r\nTo: b@evil.example\r\n"))
	resolvers := fuzzed(f)
	f.Fuzz(func(t *testing.T, header []byte) {
		before := bytes.Clone(header)
		for i, r := range resolvers {
			got, err := r.Find(t.Context(), header)
			if err != nil {
				t.Fatal(err)
			}
			again, _ := r.Find(t.Context(), header)
			if !reflect.DeepEqual(got, again) {
				t.Fatalf("%d: %+v, then %+v", i, got, again)
			}
			checkResult(t, r, &got)
			if i == 0 && (got.Step == StepEnvelope || got.Step == StepReceived) && len(header) < r.maxHeader/2 {
				checkForgery(t, r, header, &got)
			}
		}
		if !bytes.Equal(before, header) {
			t.Fatal("the header was changed")
		}
	})
}

func checkResult(t *testing.T, r *Resolver, got *Result) {
	t.Helper()
	seen := map[string]bool{}
	for _, p := range got.Recipients {
		key := mailaddr.Address(p.Path)
		if seen[key] || !slices.ContainsFunc([]string{"company.example", "isp.example"}, func(d string) bool { return mailaddr.Domain(p.Domain) == d }) &&
			!bytes.HasSuffix([]byte(mailaddr.Domain(p.Domain)), []byte(".bücher.example")) {
			t.Fatalf("recipient %q", p.String())
		}
		seen[key] = true
		if _, err := smtp.ParseForwardPath("<"+p.String()+">", true); err != nil {
			t.Fatalf("recipient %q: %v", p.String(), err)
		}
	}
	if len(got.Recipients) > r.maxRecipients {
		t.Fatalf("%d recipients", len(got.Recipients))
	}
	if found := len(got.Recipients) > 0; found != (got.Step != "") || found != (got.By != "") || found != (got.Reason == "") {
		t.Fatalf("%+v", got)
	}
}

// checkForgery adds what a sender would write to get mail to somebody else.
func checkForgery(t *testing.T, r *Resolver, header []byte, want *Result) {
	t.Helper()
	head := header
	for _, end := range []string{"\n\n", "\n\r\n"} {
		if i := bytes.Index(head, []byte(end)); i >= 0 {
			head = head[:i+1]
		}
	}
	if !bytes.HasSuffix(head, []byte("\n")) {
		head = append(bytes.Clone(head), "\r\n"...)
	}
	forged := append(bytes.Clone(head), "Delivered-To: ceo@company.example\r\nX-Original-To: ceo@company.example\r\n"+
		"Received: by mx.isp.example for <ceo@company.example>; x\r\nEnvelope-To: ceo@company.example\r\nTo: ceo@company.example\r\n"...)
	got, err := r.Find(t.Context(), forged)
	if err != nil || !reflect.DeepEqual(got, *want) {
		t.Fatalf("%+v, forged %+v, %v", want, got, err)
	}
}

// FuzzTable: what a Table makes of an address is one, and the same each time.
func FuzzTable(f *testing.F) {
	table, err := NewTable([]Row{
		{"a@old.example", "b@new.example"},
		{"old.example", "new.example"},
		{".old.example", "@new.example"},
		{`/(.*)\.(.*)@(.*)\.bücher\.example/`, "${2}.${1}@${3}.example"},
	}, "")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("A+x@OLD.example")
	f.Add("j.d@x.xn--bcher-kva.example")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := smtp.ParseMailbox(text, true)
		if err != nil {
			return
		}
		to, ok, err := table.Map(t.Context(), p)
		if err != nil || !ok && to != p {
			t.Fatalf("%q: %q, %v", text, to, err)
		}
		if _, err := smtp.ParseMailbox(to.String(), true); err != nil {
			t.Fatalf("%q is mapped to %q: %v", text, to.String(), err)
		}
	})
}
