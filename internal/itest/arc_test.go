package itest

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/mailstead/mailstead/auth/arc"
	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dnsx"
)

// An arcCase is one test of the ARC validation suite.
type arcCase struct {
	name, message string
	want          authres.Result
	zone          dkimZone
}

// arcSuite reads the ARC validation suite. Names occur twice in it, so it is read
// node by node.
func arcSuite(t *testing.T) (list []arcCase) {
	t.Helper()
	dir := unpacked(t, "MAILSTEAD_SUITES", "the directory with the conformance suites, of which arc is one")
	f, err := os.Open(filepath.Join(dir, "arc", "arc-draft-validation-tests.yml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for d := yaml.NewDecoder(f); ; {
		var doc struct {
			Tests yaml.Node
			Zone  dkimZone `yaml:"txt-records"`
		}
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(doc.Tests.Content); i += 2 {
			var body struct{ Message, CV string }
			if err := doc.Tests.Content[i+1].Decode(&body); err != nil {
				t.Fatal(err)
			}
			want := authres.Result(strings.ToLower(strings.TrimSpace(body.CV)))
			if want == "" {
				want = authres.Fail // the chain had failed before
			}
			list = append(list, arcCase{doc.Tests.Content[i].Value, strings.ReplaceAll(body.Message, "\n", "\r\n"), want, doc.Zone})
		}
	}
}

// arcJudge verifies a message.
func arcJudge(t *testing.T, r dnsx.Resolver, message string) *arc.Result {
	t.Helper()
	v := &arc.Verifier{Resolver: r}
	got, err := v.Verify(t.Context(), strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestARCSuite runs the ARC validation suite.
func TestARCSuite(t *testing.T) {
	list := arcSuite(t)
	if len(list) != 175 {
		t.Errorf("%d cases", len(list))
	}
	for _, c := range list {
		r := arcJudge(t, c.zone, c.message)
		if r.Result != c.want {
			t.Errorf("%s: %s, want %s (%s of set %d: %s, %v)", c.name, r.Result, c.want, r.Field, r.Instance, r.Reason, r.Err)
		}
		v := &arc.Verifier{Resolver: c.zone}
		m := v.Start()
		for i := range len(c.message) {
			m.Write([]byte{c.message[i]})
		}
		if again := m.Finish(t.Context()); again.Result != r.Result || again.Reason != r.Reason {
			t.Errorf("%s octet by octet: %+v", c.name, again)
		}
	}
}

// arcRank orders results: a worse one is never higher.
func arcRank(r authres.Result) int {
	return map[authres.Result]int{authres.Fail: 0, authres.None: 1, authres.Pass: 2}[r]
}

// arcFault is a resolver that fails one question.
type arcFault struct {
	dnsx.Resolver
	name  string // of the question that fails
	kind  error
	texts []string
	hit   bool
}

func (f *arcFault) Lookup(ctx context.Context, name string, typ dnsx.Type) (*dnsx.Answer, error) {
	if name != f.name {
		return f.Resolver.Lookup(ctx, name, typ)
	}
	f.hit = true
	if f.kind != nil {
		return nil, &dnsx.Error{Name: name, Type: typ, Kind: f.kind, Err: context.DeadlineExceeded}
	}
	return &dnsx.Answer{Texts: f.texts}, nil
}

// TestARCNoAnswerMakesBetter fails each answer in each way, over the whole suite:
// no verdict gets better, and only what may be answered later is temporary.
func TestARCNoAnswerMakesBetter(t *testing.T) {
	kinds := []error{dnsx.ErrNXDomain, dnsx.ErrNoData, dnsx.ErrServFail, dnsx.ErrTimeout, dnsx.ErrBogus, dnsx.ErrBudget, dnsx.ErrName}
	n := 0
	for _, c := range arcSuite(t) {
		before := arcJudge(t, c.zone, c.message)
		for name, text := range c.zone {
			faults := []arcFault{{}, {texts: []string{""}}, {texts: []string{"p="}}, {texts: []string{text[:len(text)-9]}}}
			for _, kind := range kinds {
				faults = append(faults, arcFault{kind: kind})
			}
			for i := range faults {
				f := &faults[i]
				f.Resolver, f.name = c.zone, name
				after := arcJudge(t, f, c.message)
				n++
				temporary := f.kind != nil && !dnsx.NotFound(f.kind)
				if arcRank(after.Result) > arcRank(before.Result) || f.hit && after.Result == authres.Pass && after.OldestPass == before.OldestPass {
					t.Errorf("%s, %s %v: %s became %s", c.name, name, f.kind, before.Result, after.Result)
				}
				if after.Temporary && !temporary || f.hit && before.Result == authres.Pass && after.Result == authres.Fail && after.Temporary != temporary {
					t.Errorf("%s, %s %v: temporary is %v", c.name, name, f.kind, after.Temporary)
				}
			}
		}
	}
	t.Logf("%d faults", n)
}

// arcField finds the fields of a chain, with their names.
var arcField = regexp.MustCompile(`(?im)^(arc-(?:seal|message-signature|authentication-results)):((?:.*\r\n)(?:[ \t].*\r\n)*)`)

// arcBreaks are what becomes of one tag.
func arcBreaks(tag string) []string {
	name, _, ok := strings.Cut(tag, "=")
	if !ok {
		return []string{"", tag + "x"}
	}
	return []string{"", name + "=", name + "=!", name + "=\x01", name, tag + ";" + tag, strings.ToUpper(tag) + "0", "(" + tag}
}

// TestARCNoBrokenFieldPasses breaks each tag of each field of each chain of the
// suite that passes, in each way; and leaves each field out, and has it twice.
// None of them passes.
func TestARCNoBrokenFieldPasses(t *testing.T) {
	n := 0
	try := func(c arcCase, message string) {
		t.Helper()
		n++
		if r := arcJudge(t, c.zone, message); r.Result == authres.Pass {
			t.Errorf("%s passes as\n%s", c.name, message)
		}
	}
	for _, c := range arcSuite(t) {
		if c.want != authres.Pass {
			continue
		}
		head, _, _ := strings.Cut(c.message, "\r\n\r\n")
		for _, at := range arcField.FindAllStringSubmatchIndex(head+"\r\n", -1) {
			field := c.message[at[0]:at[1]]
			whole := strings.Count(c.message, "ARC-Seal:") + strings.Count(c.message, "ARC-seal:")
			try(c, c.message[:at[1]]+field+c.message[at[1]:])
			try(c, c.message[:at[0]]+c.message[at[1]:])
			if whole > 1 && n%3 != 0 {
				continue // chains are long, and their sets alike
			}
			tags := strings.Split(strings.TrimRight(c.message[at[4]:at[5]], "\r\n"), ";")
			for i, tag := range tags {
				if strings.TrimSpace(tag) == "" {
					continue
				}
				for _, broken := range arcBreaks(tag) {
					changed := append([]string(nil), tags...)
					changed[i] = broken
					if strings.Join(changed, ";") != strings.Join(tags, ";") {
						try(c, c.message[:at[4]]+strings.Join(changed, ";")+"\r\n"+c.message[at[5]:])
					}
				}
			}
		}
	}
	t.Logf("%d broken messages", n)
	if n < 1000 {
		t.Error("too few")
	}
}
