package recipient

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/smtp"
)

func mustPath(t testing.TB, s string) smtp.Path {
	t.Helper()
	p, err := smtp.ParseMailbox(s, true)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTable(t *testing.T) {
	table, err := NewTable([]Row{
		{"ann@old.example", "anne@company.example"},
		{"bob@old.example", "@other.example"},
		{"eve+lists@old.example", "lists@company.example"},
		{"old.example", "company.example"},
		{".old.example", "dept@company.example"},
		{`/(.*)\.(.*)@isp\.example/`, "${2}@company.example"},
		{`/(.*)@isp\.example/`, "${1}@bücher.example"},
		{`/c\d+@.*/`, "counter@company.example"},
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	for from, want := range map[string]string{
		"Ann@OLD.example":          "anne@company.example",
		"ann+x@old.example":        "anne+x@company.example",
		"bob+y@old.example":        "bob+y@other.example",
		"eve+lists@old.example":    "lists@company.example",
		"Eve+Other@old.example":    "Eve+Other@company.example",
		"x@berlin.old.example":     "dept@company.example",
		"John.Doe@isp.example":     "doe@company.example",
		"john@isp.example":         "john@xn--bcher-kva.example",
		"c12@elsewhere.example":    "counter@company.example",
		"x@elsewhere.example":      "",
		"anne@company.example":     "",
		`"a b.c d"@isp.example`:    `"c d"@company.example`,
		"x@old.example.evil.test":  "",
		"ann@old.example@isp.test": "",
	} {
		p, err := smtp.ParseMailbox(from, true)
		if err != nil {
			continue
		}
		to, ok, err := table.Map(t.Context(), p)
		if err != nil || ok != (want != "") || ok && to.String() != want {
			t.Errorf("%s: %s, %v, %v", from, to, ok, err)
		}
	}
	_, err = NewTable([]Row{
		{"a@b.example", "c@d.example"},
		{"A@B.example", "x@y.example"},
		{"*", "a@b.example"},
		{"", "a@b.example"},
		{"a b", "x"},
		{"c@b.example", "a@"},
		{"/(/", "a@b.example"},
		{"/x/", "b.example"},
		{"/x/", "${1}@b.example"},
		{"/" + strings.Repeat("x", 1001) + "/", "a@b.example"},
	}, "")
	if err == nil || strings.Count(err.Error(), "\n") != 8 || strings.Contains(err.Error(), "row 1:") {
		t.Error(err)
	}
}

func TestStages(t *testing.T) {
	var s Stages
	if got := s.Place(mustPath(t, "a@company.example")); got != PlaceNew {
		t.Errorf("%q of no rows", got)
	}
	err := s.Set([]Stage{
		{"*", PlaceOld},
		{"company.example", PlaceNew},
		{"ann@company.example", PlaceBoth},
		{".company.example", PlaceNew},
		{"bob@company.example", PlaceOld},
	})
	if err != nil {
		t.Fatal(err)
	}
	lookup := s.Lookup("old", "twice")
	for address, want := range map[string]struct {
		place  Place
		target string
	}{
		"x@elsewhere.example":    {PlaceOld, "old"},
		"eve@company.example":    {PlaceNew, ""},
		"Ann+x@Company.example":  {PlaceBoth, "twice"},
		"bob@company.example":    {PlaceOld, "old"},
		"bob@hr.company.example": {PlaceNew, ""},
	} {
		target, err := lookup(t.Context(), address)
		if got := s.Place(mustPath(t, address)); got != want.place || target != want.target || err != nil {
			t.Errorf("%s: %q, %q, %v", address, got, target, err)
		}
	}
	if _, err := lookup(t.Context(), "x"); err == nil {
		t.Error("x is no address")
	}
	err = s.Set([]Stage{{"a b", PlaceNew}, {"", PlaceOld}, {"a@company.example", "there"}, {"b@company.example", PlaceOld}, {"B@company.example", PlaceNew}})
	if err == nil || strings.Count(err.Error(), "\n") != 3 || strings.Contains(err.Error(), "stage 4:") {
		t.Error(err)
	}
	if got := s.Place(mustPath(t, "bob@company.example")); got != PlaceOld {
		t.Errorf("%q: faulty rows have taken effect", got)
	}
}

// server takes mail and remembers it.
type server struct {
	got    []string
	bodies []string
	fail   map[string]error
	passed smtp.Wishes
	down   error
	once   string
}

func (s *server) receiver() smtp.Receiver {
	return smtp.EachRcpt(func(_ context.Context, env *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
		data, err := io.ReadAll(b)
		if err != nil || s.down != nil {
			return nil, errors.Join(err, s.down)
		}
		s.bodies, s.once = append(s.bodies, string(data)), env.Mail.Once
		out := smtp.Accepted(len(env.Recipients))
		for i, r := range env.Recipients {
			out[i].Err, out[i].Passed = s.fail[r.ForwardPath.Local], s.passed
			s.got = append(s.got, r.ForwardPath.Local)
		}
		return out, nil
	})
}

func TestStaged(t *testing.T) {
	full, gone := errors.New("full"), errors.New("gone")
	for _, test := range []struct {
		name        string
		now, then   server
		nows, thens string
		want        []error // of new, old, both
		passed      smtp.Wishes
	}{
		{"all", server{}, server{}, "new both", "old both", []error{nil, nil, nil}, 0},
		{"wishes", server{passed: smtp.WishDSN}, server{passed: smtp.WishDSN | smtp.WishDeliverBy}, "new both", "old both", []error{nil, nil, nil}, smtp.WishDSN},
		{"new refuses", server{fail: map[string]error{"both": full}}, server{}, "new both", "old", []error{nil, nil, full}, 0},
		{"old refuses", server{}, server{fail: map[string]error{"both": full}}, "new both", "old both", []error{nil, nil, full}, 0},
		{"new is down", server{down: gone}, server{}, "", "old", []error{gone, nil, gone}, 0},
		{"old is down", server{}, server{down: gone}, "new both", "", []error{nil, gone, gone}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stages Stages
			if err := stages.Set([]Stage{{"old@company.example", PlaceOld}, {"both@company.example", PlaceBoth}}); err != nil {
				t.Fatal(err)
			}
			r := &Staged{Stages: &stages, New: test.now.receiver(), Old: test.then.receiver()}
			tx, err := r.Begin(t.Context(), &smtp.Mail{ID: "1", PerRecipient: true, Once: "k"})
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Abort()
			var rcpts []*smtp.Recipient
			for _, name := range []string{"new", "old", "both"} {
				rcpts = append(rcpts, &smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: smtp.Path{Local: name, Domain: "company.example"}}})
			}
			if errs := tx.Rcpt(t.Context(), rcpts); errors.Join(errs...) != nil {
				t.Fatal(errs)
			}
			got, err := tx.Data(t.Context(), smtp.NewBody(strings.NewReader("a\r\n"), 3))
			if err != nil || len(got) != len(test.want) {
				t.Fatal(got, err)
			}
			for i, want := range test.want {
				if !errors.Is(got[i].Err, want) || want == nil && got[i].Err != nil {
					t.Errorf("%d: %v, want %v", i, got[i].Err, want)
				}
			}
			if got[2].Err == nil && got[2].Passed != test.passed {
				t.Errorf("passed %v", got[2].Passed)
			}
			if strings.Join(test.now.got, " ") != test.nows || strings.Join(test.then.got, " ") != test.thens {
				t.Errorf("new has %q, old has %q", test.now.got, test.then.got)
			}
			if test.now.once != "" && test.now.once != "k" || test.then.once == "k" {
				t.Errorf("keys %q and %q: one queue in front of both would drop one", test.now.once, test.then.once)
			}
			for _, b := range slices.Concat(test.now.bodies, test.then.bodies) {
				if b != "a\r\n" {
					t.Errorf("body %q", b)
				}
			}
		})
	}
}

// TestStagedBroken: a message that cannot be read is nobody's.
func TestStagedBroken(t *testing.T) {
	var now server
	r := &Staged{Stages: new(Stages), New: now.receiver(), Old: now.receiver()}
	tx, err := r.Begin(t.Context(), &smtp.Mail{ID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	tx.Rcpt(t.Context(), []*smtp.Recipient{{ForwardPath: smtp.ForwardPath{Path: mustPath(t, "a@company.example")}}})
	body := smtp.NewBody(io.MultiReader(strings.NewReader("half"), broken{}), -1)
	if got, err := tx.Data(t.Context(), body); !errors.Is(err, io.ErrUnexpectedEOF) || now.got != nil {
		t.Error(got, err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
