package recipient

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/smtp"
)

func TestFaults(t *testing.T) {
	ours := []string{"company.example"}
	for _, test := range []struct {
		c    Config
		want []string // a fault a line
	}{
		{Config{}, []string{"Accept is empty"}},
		{Config{Steps: []Step{StepDefault}}, nil},
		{Config{Steps: []Step{StepRules, StepDefault}}, nil},
		{Config{Accept: []string{"*"}}, []string{`Accept 1: "*" takes addresses of everybody`}},
		{Config{Accept: []string{"company.example", "a b", ""}}, []string{"Accept 2:", "Accept 3:"}},
		{Config{Accept: ours, Own: []string{"@"}}, []string{"Own 1:"}},
		{Config{Accept: ours, Steps: []Step{"adress", StepRules, StepRules}}, []string{"Steps 1:", "Steps 3:"}},
		{Config{Accept: ours, Steps: []Step{StepFixed}}, []string{"Steps 1:"}},
		{Config{Accept: ours, Field: Field{Name: "X To"}, Envelope: []Field{{Name: ""}}, Address: []string{"To:"}}, []string{"Field 1:", "Envelope 1:", "Address 1:"}},
		{Config{Accept: ours, Trust: Trust{Hosts: []string{"mx.isp.example", ".", "*.isp.example"}}}, []string{"Trust.Hosts 2:", "Trust.Hosts 3:"}},
		{Config{Accept: ours, Default: []string{"boss"}}, []string{`Default 1: "boss"`}},
		{Config{Accept: ours, MaxHeader: -1}, []string{"negative"}},
		{Config{To: []string{"a@b.example"}}, nil},
		{Config{To: []string{}}, []string{"To is empty"}},
		{Config{To: []string{"a"}, Steps: []Step{StepRules}}, []string{"To is a personal mailbox", `To 1: "a"`}},
		{Config{Accept: ours, Rules: []Rule{
			{Field: "To"},
			{Field: "Subject", Match: "x"},
			{Field: "To", Regexp: "x"},
			{Field: "a b", Match: "x"},
			{Field: "To", Regexp: "(", To: []string{"a@b.example"}},
			{Field: "To", Match: "x", To: []string{"${1}@b.example"}},
			{Field: "To", Regexp: "x", To: []string{"${1}@b.example"}},
			{Field: "To", Regexp: "(x)", To: []string{"$1@b.example"}},
			{Field: "To", Regexp: "(x)", To: []string{"${y}@b.example"}},
			{Field: "To", Regexp: "(x)", To: []string{"${1}@b b"}},
			{Field: "To", Match: strings.Repeat("x", 1001), To: []string{"a@b.example"}},
		}}, []string{
			"rule 1: neither", "rule 2: no To", "rule 3: no To", "rule 4: not a field name", "rule 5: error parsing regexp", "rule 6: To",
			`rule 7: To "${1}@b.example": the expression has no capture "1"`, "rule 8: To \"$1@b.example\": captures are written",
			`no capture "y"`, "rule 10:", "rule 11: a pattern",
		}},
	} {
		_, err := New(test.c)
		if (err == nil) != (test.want == nil) {
			t.Errorf("%+v: %v", test.c, err)
			continue
		}
		if err == nil {
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		for i, want := range test.want {
			if len(lines) != len(test.want) || !strings.Contains(lines[i], want) || !strings.HasPrefix(lines[i], "recipient: ") {
				t.Errorf("%q, want %q", lines, test.want)
				break
			}
		}
	}
}

// TestConfigIsKept: what the caller changes afterwards, and what New makes of
// names, touch nobody else.
func TestConfigIsKept(t *testing.T) {
	c := Config{Accept: []string{"company.example"}, Envelope: []Field{{Name: "X-To"}}, Strip: []string{"a-", "aaa-"}}
	r, err := New(c)
	if err != nil || c.Envelope[0].Name != "X-To" || c.Strip[0] != "a-" {
		t.Fatalf("%+v, %v", c, err)
	}
	c.Envelope[0].Name, c.Accept[0] = "X-Other", "other.example"
	got, err := r.Find(t.Context(), []byte("X-To: a@company.example\r\nReceived: x\r\n\r\nbody: a@company.example"))
	if err != nil || answer(&got) != "a@company.example by envelope x-to" {
		t.Errorf("%+v, %v", got, err)
	}
}

type failing struct{ err error }

func (f failing) Lookup(_ context.Context, ps []smtp.ForwardPath) ([]deliver.Entry, error) {
	if f.err == nil {
		return make([]deliver.Entry, len(ps)+1), nil
	}
	return nil, f.err
}

func (f failing) Map(context.Context, smtp.Path) (smtp.Path, bool, error) {
	return smtp.Path{}, false, f.err
}

type entryFails struct{ err error }

func (f entryFails) Lookup(_ context.Context, ps []smtp.ForwardPath) ([]deliver.Entry, error) {
	out := make([]deliver.Entry, len(ps))
	out[0].Err = f.err
	return out, nil
}

// TestNothingIsKnown: who cannot ask does not decide.
func TestNothingIsKnown(t *testing.T) {
	down := errors.New("down")
	header := []byte("Received: by x for a@company.example\r\nTo: b@company.example\r\n")
	for _, c := range []Config{
		{Directory: failing{down}}, {Directory: entryFails{down}}, {Map: failing{down}}, {Directory: failing{}},
	} {
		c.Accept, c.Default = []string{"company.example"}, []string{"boss@company.example"}
		r, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Resolve(t.Context(), &fetch.Message{Header: header})
		if err == nil || c.Directory != (failing{}) && !errors.Is(err, down) || len(got.Recipients) != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestLive(t *testing.T) {
	var l Live
	m := &fetch.Message{Header: []byte("To: x@company.example\r\n")}
	if d, err := l.Resolve(t.Context(), m); err == nil {
		t.Errorf("%+v of nothing", d)
	}
	for _, to := range []string{"a@company.example", "b@company.example"} {
		r, err := New(Config{To: []string{to}})
		if err != nil {
			t.Fatal(err)
		}
		l.Set(r)
		d, err := l.Resolve(t.Context(), m)
		if err != nil || len(d.Recipients) != 1 || d.Recipients[0].String() != to || d.Step != "fixed" || d.Guessed {
			t.Errorf("%+v, %v", d, err)
		}
	}
}

func TestResolve(t *testing.T) {
	r, err := New(Config{Accept: []string{"company.example"}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := r.Resolve(t.Context(), &fetch.Message{Header: []byte("To: a@company.example\r\n")})
	if err != nil || d.Step != "to" || !d.Guessed || len(d.Recipients) != 1 || d.Quarantine != "" {
		t.Errorf("%+v, %v", d, err)
	}
	d, err = r.Resolve(t.Context(), &fetch.Message{})
	if err != nil || d.Quarantine == "" || d.Recipients != nil {
		t.Errorf("%+v, %v", d, err)
	}
}
