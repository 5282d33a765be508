package itest

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/spf"
)

// An spfScenario is one document of the suite of openspf.org.
type spfScenario struct {
	Description string
	Tests       map[string]struct {
		Helo, Host, MailFrom string
		Result               yaml.Node // a word, or a list of those that are right
		Explanation          *string
	}
	Zone map[string][]yaml.Node `yaml:"zonedata"`
}

// spfSuite reads the suite of Debian's python3-spf.
func spfSuite(t *testing.T) (list []spfScenario) {
	t.Helper()
	const name = "usr/share/doc/python3-spf/rfc7208-tests.yml.gz"
	path := "/" + name
	if _, err := os.Stat(path); err != nil {
		path = filepath.Join(unpacked(t, "MAILSTEAD_PYSPF", "the unpacked package python3-spf"), name)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	d := yaml.NewDecoder(z)
	for {
		var s spfScenario
		err := d.Decode(&s)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
}

// spfZone is the zone of a scenario as a resolver.
type spfZone struct {
	records  map[string]map[string][]yaml.Node // name → type → values
	timeouts map[string]bool                   // for types that the name does not have
}

func newSPFZone(t *testing.T, zone map[string][]yaml.Node) *spfZone {
	t.Helper()
	z := &spfZone{map[string]map[string][]yaml.Node{}, map[string]bool{}}
	for name, list := range zone {
		types := map[string][]yaml.Node{}
		name = strings.ToLower(name)
		z.records[name] = types
		for _, node := range list {
			if node.Kind == yaml.ScalarNode { // TIMEOUT
				z.timeouts[name] = true
				continue
			}
			types[node.Content[0].Value] = append(types[node.Content[0].Value], *node.Content[1])
		}
		// The suite is that of RFC 4408, which had a type SPF: where there are
		// no TXT records, those are meant.
		if types["TXT"] == nil {
			types["TXT"] = types["SPF"]
		}
		types["TXT"] = slices.DeleteFunc(types["TXT"], func(n yaml.Node) bool { return n.Value == "NONE" })
	}
	return z
}

func (z *spfZone) Lookup(_ context.Context, name string, typ dnsx.Type) (*dnsx.Answer, error) {
	fail := func(kind error) (*dnsx.Answer, error) {
		return nil, &dnsx.Error{Name: name, Type: typ, Kind: kind}
	}
	at := strings.ToLower(strings.TrimSuffix(name, "."))
	for label := range strings.SplitSeq(at, ".") {
		if label == "" || len(label) > 63 {
			return fail(dnsx.ErrName)
		}
	}
	for range 8 {
		types := z.records[at]
		values := types[typ.String()]
		switch {
		case len(values) > 0:
			return spfAnswer(typ, values)
		case len(types["CNAME"]) > 0:
			at = strings.ToLower(strings.TrimSuffix(types["CNAME"][0].Value, "."))
			continue
		case z.timeouts[at]:
			return fail(dnsx.ErrTimeout)
		case types == nil:
			return fail(dnsx.ErrNXDomain)
		}
		return fail(dnsx.ErrNoData)
	}
	return fail(dnsx.ErrServFail)
}

func spfAnswer(typ dnsx.Type, values []yaml.Node) (*dnsx.Answer, error) {
	a := &dnsx.Answer{}
	for _, v := range values {
		switch typ {
		case dnsx.TXT:
			text := v.Value
			for _, part := range v.Content {
				text += part.Value
			}
			a.Texts = append(a.Texts, text)
		case dnsx.MX:
			a.MX = append(a.MX, dnsx.Exchange{Host: v.Content[1].Value})
		case dnsx.PTR:
			a.Names = append(a.Names, strings.TrimSuffix(v.Value, "."))
		default:
			addr, err := netip.ParseAddr(v.Value)
			if err != nil {
				return nil, err
			}
			a.Addrs = append(a.Addrs, addr)
		}
	}
	return a, nil
}

// TestSPFSuite runs the suite of openspf.org for RFC 7208, with explanations.
func TestSPFSuite(t *testing.T) {
	n := 0
	for _, s := range spfSuite(t) {
		checker := spf.Checker{Resolver: newSPFZone(t, s.Zone)}
		for name, test := range s.Tests {
			n++
			t.Run(fmt.Sprintf("%s/%s", s.Description, name), func(t *testing.T) {
				want := []string{test.Result.Value}
				for _, r := range test.Result.Content {
					want = append(want, r.Value)
				}
				v := checker.Check(t.Context(), spf.Query{IP: netip.MustParseAddr(test.Host), Sender: test.MailFrom, Helo: test.Helo})
				if !slices.Contains(want, string(v.Result)) {
					t.Errorf("%s by %q (%v), want %q", v.Result, v.Mechanism, v.Err, want)
				}
				if e := test.Explanation; e != nil && v.Explanation != strings.TrimPrefix(*e, "DEFAULT") {
					t.Errorf("explanation %q, want %q", v.Explanation, *e)
				}
			})
		}
	}
	if n != 203 {
		t.Errorf("%d tests, want 203", n)
	}
}

// failing fails the k-th question, and notes what it was.
type failing struct {
	zone *spfZone
	k, n int
	name string
	typ  dnsx.Type
	ptr  map[string]bool // names that PTR records gave
}

func (f *failing) Lookup(ctx context.Context, name string, typ dnsx.Type) (*dnsx.Answer, error) {
	if f.n++; f.n == f.k {
		f.name, f.typ = name, typ
		return nil, &dnsx.Error{Name: name, Type: typ, Kind: dnsx.ErrTimeout}
	}
	answer, err := f.zone.Lookup(ctx, name, typ)
	if err == nil && typ == dnsx.PTR {
		for _, n := range answer.Names {
			f.ptr[strings.ToLower(n)] = true
		}
	}
	return answer, err
}

// TestSPFFailures fails each answer of the DNS in turn, in each case of the suite:
// none makes the result better. Failures of ptr and %{p} are no match (RFC 7208
// §5.5), which is better than a match of "-ptr".
func TestSPFFailures(t *testing.T) {
	rank := map[spf.Result]int{spf.Pass: 0, spf.Neutral: 1, spf.None: 1, spf.SoftFail: 2, spf.Fail: 3, spf.PermError: 3, spf.TempError: 3}
	judged, exempt := 0, 0
	for _, s := range spfSuite(t) {
		zone := newSPFZone(t, s.Zone)
		for name, test := range s.Tests {
			q := spf.Query{IP: netip.MustParseAddr(test.Host), Sender: test.MailFrom, Helo: test.Helo}
			whole := (&spf.Checker{Resolver: zone}).Check(t.Context(), q)
			for k := 1; k <= whole.Queries; k++ {
				f := &failing{zone: zone, k: k, ptr: map[string]bool{}}
				v := (&spf.Checker{Resolver: f}).Check(t.Context(), q)
				judged++
				switch {
				case f.typ == dnsx.PTR || f.ptr[strings.ToLower(strings.TrimSuffix(f.name, "."))]:
					exempt++
				case rank[v.Result] < rank[whole.Result]:
					t.Errorf("%s/%s: %v of %s fails: %s, without: %s", s.Description, name, f.typ, f.name, v.Result, whole.Result)
				}
			}
		}
	}
	if t.Logf("%d failures, %d of them of ptr", judged, exempt); judged < 400 {
		t.Errorf("%d failures only", judged)
	}
}
