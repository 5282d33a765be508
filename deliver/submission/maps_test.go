package submission_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver/submission"
	"github.com/mailstead/mailstead/smtp"
)

func TestTable(t *testing.T) {
	table, err := submission.ParseTable(strings.NewReader(`
# canonical names
alice@example.org       Alice.Smith@example.org
alice+special@example.org  special@example.org
root                    admin@example.org
	bob@EXAMPLE.org  @example.net
@old.example            @new.example
@xn--bcher-kva.example  books@example.org
`))
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"alice@example.org":         "Alice.Smith@example.org",
		"ALICE@Example.Org":         "Alice.Smith@example.org",
		"alice+x+y@example.org":     "Alice.Smith+x+y@example.org",
		"alice+special@example.org": "special@example.org",
		"root@anywhere.example":     "admin@example.org",
		"root+x@anywhere.example":   "admin+x@example.org",
		"bob@example.org":           "bob@example.net",
		"carol@old.example":         "carol@new.example",
		"carol+x@OLD.example":       "carol+x@new.example",
		"c@bücher.example":          "books@example.org",
		"alice@example.net":         "",
		"carol@sub.old.example":     "",
		"+x@example.org":            "",
	} {
		to, ok, err := table.Map(t.Context(), rpath(in).Path)
		if err != nil || ok != (want != "") || ok && to.String() != want {
			t.Errorf("%s: %s %v %v, want %q", in, to, ok, err, want)
		}
	}
	for _, bad := range []string{"a@b", "a@b c d", "x not-an-address", "@ a@b.example", "a@ a@b.example", "a@b.example @"} {
		if _, err := submission.ParseTable(strings.NewReader("\n" + bad)); err == nil || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, ok, err := new(submission.Table).Map(t.Context(), rpath("a@b.example").Path); ok || err != nil {
		t.Errorf("the zero table: %v %v", ok, err)
	}
}

func TestMasquerade(t *testing.T) {
	m := &submission.Masquerade{Domains: []string{"!lab.example.org", "Example.org.", "example.net"}, Except: []string{"Root"}}
	for in, want := range map[string]string{
		"a@host.example.org":     "a@Example.org",
		"a@x.y.example.net":      "a@example.net",
		"a@example.net":          "",
		"a@badexample.net":       "",
		"a@lab.example.org":      "",
		"a@x.lab.example.org":    "",
		"root@host.example.org":  "",
		"a@[192.0.2.1]":          "",
		"a@host.example.org.com": "",
	} {
		to, ok, err := m.Map(t.Context(), rpath(in).Path)
		if err != nil || ok != (want != "") || ok && to.String() != want {
			t.Errorf("%s: %s %v %v, want %q", in, to, ok, err, want)
		}
	}
}

type broken struct{}

func (broken) Map(context.Context, smtp.Path) (smtp.Path, bool, error) {
	return smtp.Path{}, false, errors.New("no database")
}

func TestRewriteSender(t *testing.T) {
	table := new(submission.Table)
	if err := table.Set("alice", "@new.example"); err != nil {
		t.Fatal(err)
	}
	maps := submission.Maps{table, &submission.Masquerade{Domains: []string{"example"}}}
	for in, want := range map[string]string{"alice@old.example": "alice@example", "bob@example.org": "bob@example.org", "": ""} {
		var got smtp.ReversePath
		r := submission.RewriteSender(maps)(smtp.EachRcpt(func(_ context.Context, env *smtp.Envelope, _ *smtp.Body) ([]smtp.RcptStatus, error) {
			got = env.Mail.ReversePath
			return smtp.Accepted(1), nil
		}))
		m := &smtp.Mail{ID: "1", ReversePath: rpath(in)}
		if err := smtp.Hand(t.Context(), r, m, []*smtp.Recipient{{}}, smtp.NewBody(strings.NewReader(""), 0)); err != nil || got.String() != want || m.ReversePath.String() != in {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	if _, err := submission.RewriteSender(broken{})(nil).Begin(t.Context(), &smtp.Mail{ReversePath: rpath("a@b.example")}); smtp.ReplyOf(err).Code != 451 {
		t.Errorf("a map that fails: %v", err)
	}
	f := submission.Fixes{Hostname: "mail.example.org", Map: broken{}}
	if _, err := pass(t, f.Middleware(), mailOf(""), from+"\r\n"); smtp.ReplyOf(err).Code != 451 {
		t.Errorf("a map that fails: %v", err)
	}
}
