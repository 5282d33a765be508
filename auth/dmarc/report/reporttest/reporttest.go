// Package reporttest judges implementations of report.Storage.
//
//	func TestStorage(t *testing.T) {
//		reporttest.Run(t, func(t *testing.T) report.Storage { return &myStorage{} })
//	}
package reporttest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/auth/dmarc/report"
)

// Run judges the storages that open returns, each empty.
func Run(t *testing.T, open func(t *testing.T) report.Storage) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, report.Storage)
	}{
		{"what is alike is counted together", counts},
		{"a report has all of a record", whole},
		{"the policy is the last one", policy},
		{"days that have not ended are not due", due},
		{"pages go through all", pages},
		{"what is deleted is gone", deleted},
		{"nothing is lost between goroutines", concurrent},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// Counted is n messages from an address, about a domain on a day.
func Counted(domain string, day report.Day, ip string, n int64) report.Counted {
	return report.Counted{
		Key: report.Key{Domain: domain, Day: day}, Policy: report.Policy{Domain: domain, Policy: "none"},
		Record: report.Record{SourceIP: netip.MustParseAddr(ip), Count: n, Disposition: "none", DKIM: "pass", SPF: "fail", HeaderFrom: domain},
	}
}

func add(t *testing.T, s report.Storage, list ...report.Counted) {
	t.Helper()
	if dropped, err := s.Add(t.Context(), list); dropped != 0 || err != nil {
		t.Fatalf("Add: %d dropped, %v", dropped, err)
	}
}

func load(t *testing.T, s report.Storage, domain string, day report.Day) *report.Report {
	t.Helper()
	rep, err := s.Load(t.Context(), report.Key{Domain: domain, Day: day})
	if err != nil {
		t.Fatal(err)
	}
	if rep != nil {
		slices.SortFunc(rep.Records, func(a, b report.Record) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	}
	return rep
}

func counts(t *testing.T, s report.Storage) {
	add(t, s, Counted("a.example", 7, "192.0.2.1", 2), Counted("a.example", 7, "192.0.2.1", 3), Counted("a.example", 7, "192.0.2.2", 1))
	add(t, s, Counted("a.example", 7, "192.0.2.1", 4), Counted("a.example", 8, "192.0.2.1", 1), Counted("b.example", 7, "192.0.2.1", 1))
	rep := load(t, s, "a.example", 7)
	if rep == nil || len(rep.Records) != 2 || rep.Records[0].Count != 9 || rep.Records[1].Count != 1 {
		t.Fatalf("%+v", rep)
	}
	if rep := load(t, s, "a.example", 9); rep != nil {
		t.Errorf("a report of nothing: %+v", rep)
	}
}

// full has something in each field.
func full() report.Counted {
	result := []report.Result{{Domain: "d", Result: "pass", Selector: "s", Scope: "mfrom", Text: "\u00fc"}, {Domain: "e"}}
	return report.Counted{
		Key:    report.Key{Domain: "a.example", Day: 7},
		Policy: report.Policy{Domain: "a.example", DKIM: "r", SPF: "s", Policy: "reject", Subdomain: "none", NonExistent: "quarantine", Percent: "50", FailureOptions: "1:d", Testing: "y", Discovery: "psl"},
		Record: report.Record{
			SourceIP: netip.MustParseAddr("2001:db8::1"), Count: 5, Disposition: "quarantine", DKIM: "pass", SPF: "fail", Reasons: []report.Reason{{Type: "other", Comment: "x"}},
			HeaderFrom: "h", EnvelopeFrom: "f", EnvelopeTo: "t", DKIMResults: result, SPFResults: result[:1],
		},
	}
}

func whole(t *testing.T, s report.Storage) {
	c := full()
	add(t, s, c)
	rep := load(t, s, "a.example", 7)
	if rep == nil || len(rep.Records) != 1 || fmt.Sprint(rep.Records[0]) != fmt.Sprint(c.Record) || rep.Policy != c.Policy {
		t.Errorf("%+v\nwant %+v", rep, c)
	}
	for _, change := range []func(*report.Record){
		func(r *report.Record) { r.Disposition = "none" }, func(r *report.Record) { r.DKIM = "fail" }, func(r *report.Record) { r.SPF = "pass" },
		func(r *report.Record) { r.HeaderFrom = "x" }, func(r *report.Record) { r.EnvelopeFrom = "x" }, func(r *report.Record) { r.EnvelopeTo = "x" },
		func(r *report.Record) { r.Reasons = nil }, func(r *report.Record) { r.DKIMResults = r.DKIMResults[:1] }, func(r *report.Record) { r.SPFResults = nil },
		func(r *report.Record) { r.EnvelopeFrom, r.EnvelopeTo = "ft", "" },
	} {
		c := full()
		change(&c.Record)
		add(t, s, c)
	}
	if rep := load(t, s, "a.example", 7); len(rep.Records) != 11 {
		t.Errorf("%d records, want 11", len(rep.Records))
	}
}

func policy(t *testing.T, s report.Storage) {
	c := Counted("a.example", 7, "192.0.2.1", 1)
	add(t, s, c)
	c.Policy.Policy = "reject"
	add(t, s, c)
	if rep := load(t, s, "a.example", 7); rep.Policy.Policy != "reject" || rep.Records[0].Count != 2 {
		t.Errorf("%+v", rep)
	}
}

func due(t *testing.T, s report.Storage) {
	add(t, s, Counted("b.example", 7, "192.0.2.1", 1), Counted("a.example", 7, "192.0.2.1", 1), Counted("c.example", 6, "192.0.2.1", 1), Counted("a.example", 8, "192.0.2.1", 1))
	keys, err := s.Due(t.Context(), 8, report.Key{}, 10)
	if want := "[{c.example 6} {a.example 7} {b.example 7}]"; err != nil || fmt.Sprint(keys) != want {
		t.Errorf("%v, %v; want %s", keys, err, want)
	}
}

func pages(t *testing.T, s report.Storage) {
	for i := range 25 {
		add(t, s, Counted(fmt.Sprintf("%c.example", 'a'+i%5), report.Day(1+i/5), "192.0.2.1", 1))
	}
	var all []report.Key
	var after report.Key
	for {
		keys, err := s.Due(t.Context(), 100, after, 3)
		if err != nil || len(keys) > 3 {
			t.Fatal(keys, err)
		}
		if len(keys) == 0 {
			break
		}
		all = append(all, keys...)
		after = keys[len(keys)-1]
	}
	if len(all) != 25 || len(slices.Compact(all)) != 25 {
		t.Errorf("%d keys: %v", len(all), all)
	}
}

func deleted(t *testing.T, s report.Storage) {
	add(t, s, Counted("a.example", 7, "192.0.2.1", 1), Counted("a.example", 6, "192.0.2.1", 1))
	for range 2 {
		if err := s.Delete(t.Context(), report.Key{Domain: "a.example", Day: 7}); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := load(t, s, "a.example", 7), load(t, s, "a.example", 6); a != nil || b == nil {
		t.Errorf("%+v, %+v", a, b)
	}
	add(t, s, Counted("a.example", 7, "192.0.2.1", 3))
	if rep := load(t, s, "a.example", 7); rep == nil || len(rep.Records) != 1 || rep.Records[0].Count != 3 {
		t.Errorf("%+v", rep)
	}
}

func concurrent(t *testing.T, s report.Storage) {
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for j := range 10 {
				list := []report.Counted{Counted("a.example", 7, "192.0.2.1", 1), Counted("b.example", 7, fmt.Sprintf("192.0.2.%d", i*10+j), 1)}
				if i%2 == 0 {
					slices.Reverse(list)
				}
				if _, err := s.Add(t.Context(), list); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if a, b := load(t, s, "a.example", 7), load(t, s, "b.example", 7); a.Records[0].Count != 40 || len(b.Records) != 40 {
		t.Errorf("%+v, %d records", a, len(b.Records))
	}
}
