package report_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dmarc/report"
	"github.com/mailstead/mailstead/auth/dmarc/report/reporttest"
)

var noon = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)

// verdict is that of a message from a subdomain of example.org.
func verdict(t *testing.T, record string, result dmarc.Result, aligned ...dmarc.Identifier) *dmarc.Verdict {
	t.Helper()
	r, err := dmarc.Parse(record)
	if err != nil {
		t.Fatal(err)
	}
	return &dmarc.Verdict{Result: result, Domain: "sub.example.org", PolicyDomain: "example.org", Record: r, Policy: r.Subdomain, Aligned: aligned}
}

const wanted = "v=DMARC1; p=reject; sp=quarantine; aspf=s; fo=1:d; rua=mailto:a@example.org"

func message(t *testing.T) *report.Message {
	return &report.Message{
		Time: noon, SourceIP: netip.MustParseAddr("::ffff:192.0.2.1"), EnvelopeFrom: "example.org",
		Verdict: verdict(t, wanted, dmarc.Pass, dmarc.Identifier{Method: dmarc.DKIM, Domain: "example.org", Result: dmarc.Pass}),
		DKIM: []report.Result{
			{Domain: "other.example", Selector: "1", Result: "fail"},
			{Domain: "other.example", Selector: "2", Result: "pass"},
			{Domain: "example.org", Selector: "3", Result: "pass"},
			{Domain: "sub.example.org", Selector: "4", Result: "pass"},
		},
		SPF: []report.Result{{Domain: "example.org", Result: "pass", Scope: "mfrom"}},
	}
}

var april1 = report.Key{Domain: "example.org", Day: report.DayOf(noon)}

// one counts a message and returns how.
func one(t *testing.T, m *report.Message) *report.Report {
	t.Helper()
	var c report.Collector
	c.Count(m)
	rep, err := c.Load(t.Context(), april1)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func TestCount(t *testing.T) {
	rep := one(t, message(t))
	const want = "{Domain:example.org DKIM:r SPF:s Policy:reject Subdomain:quarantine NonExistent:quarantine Percent:100 FailureOptions:0 Testing:n Discovery:treewalk} " +
		"{SourceIP:192.0.2.1 Count:1 Disposition:pass DKIM:pass SPF:fail Reasons:[] HeaderFrom:sub.example.org EnvelopeFrom:example.org EnvelopeTo: " +
		"DKIMResults:[{Domain:sub.example.org Result:pass Selector:4 Scope: Text:} {Domain:example.org Result:pass Selector:3 Scope: Text:} {Domain:other.example Result:pass Selector:2 Scope: Text:} {Domain:other.example Result:fail Selector:1 Scope: Text:}] " +
		"SPFResults:[{Domain:example.org Result:pass Selector: Scope:mfrom Text:}]}"
	if got := fmt.Sprintf("%+v %+v", rep.Policy, rep.Records[0]); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestCountDisposition(t *testing.T) {
	for name, c := range map[string]struct {
		record                   string
		result                   dmarc.Result
		asked, done              dmarc.Policy
		override                 dmarc.Override
		reasons                  []report.Reason
		disposition, wantReasons string
	}{
		"passes":                {record: wanted, result: dmarc.Pass, disposition: "pass", wantReasons: "[]"},
		"passes, no policy":     {record: "v=DMARC1; rua=mailto:a@example.org", result: dmarc.Pass, disposition: "none", wantReasons: "[]"},
		"fails":                 {record: wanted, result: dmarc.Fail, asked: dmarc.Quarantine, done: dmarc.Quarantine, disposition: "quarantine", wantReasons: "[]"},
		"fails, test mode":      {record: wanted, result: dmarc.Fail, override: dmarc.TestMode, disposition: "none", wantReasons: "[{policy_test_mode }]"},
		"fails, taken":          {record: wanted, result: dmarc.Fail, asked: dmarc.Reject, done: dmarc.Quarantine, disposition: "quarantine", wantReasons: "[{local_policy }]"},
		"fails, a mailing list": {record: wanted, result: dmarc.Fail, asked: dmarc.Reject, reasons: []report.Reason{{Type: "mailing_list", Comment: "x"}}, disposition: "none", wantReasons: "[{mailing_list x}]"},
	} {
		m := message(t)
		m.Verdict = verdict(t, c.record, c.result)
		m.Verdict.Disposition, m.Verdict.Override, m.Disposition, m.Reasons = c.asked, c.override, c.done, c.reasons
		r := one(t, m).Records[0]
		if r.Disposition != c.disposition || fmt.Sprint(r.Reasons) != c.wantReasons {
			t.Errorf("%s: %s %v", name, r.Disposition, r.Reasons)
		}
	}
}

// Nobody is told of what nobody asked for, and no report is about reports (R5).
func TestNotCounted(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*report.Message)
		want   bool
	}{
		"as it is":                     {func(*report.Message) {}, true},
		"no rua":                       {func(m *report.Message) { m.Verdict = verdict(t, "v=DMARC1; p=reject", dmarc.Fail) }, false},
		"no record":                    {func(m *report.Message) { m.Verdict.Record = nil }, false},
		"no verdict":                   {func(m *report.Message) { m.Verdict = nil }, false},
		"no address":                   {func(m *report.Message) { m.SourceIP = netip.Addr{} }, false},
		"temperror":                    {func(m *report.Message) { m.Verdict.Result = dmarc.TempError }, false},
		"a report":                     {func(m *report.Message) { m.IsReport = true }, false},
		"null reverse-path":            {func(m *report.Message) { m.EnvelopeFrom = "" }, false},
		"says that it is a report":     {func(m *report.Message) { m.IsReport, m.Verdict.Result = true, dmarc.Fail }, true},
		"null reverse-path, a forgery": {func(m *report.Message) { m.EnvelopeFrom, m.Verdict.Result = "", dmarc.Fail }, true},
	} {
		m := message(t)
		c.change(m)
		if got := one(t, m) != nil; got != c.want {
			t.Errorf("%s: counted is %v", name, got)
		}
	}
}

func TestDay(t *testing.T) {
	for text, want := range map[string]report.Day{"1970-01-01T00:00:00Z": 0, "1970-01-01T23:59:59Z": 0, "1969-12-31T23:59:59Z": -1, "2026-04-01T23:59:59+02:00": 20544, "2026-04-01T00:00:00+02:00": 20543} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := report.DayOf(at); got != want || at.Before(got.Start()) || at.After(got.End()) {
			t.Errorf("%s: %d, %v to %v", text, got, got.Start(), got.End())
		}
	}
}

func TestCollectorStorage(t *testing.T) {
	reporttest.Run(t, func(*testing.T) report.Storage { return &report.Collector{} })
}

// Whatever strangers send, memory is bounded, and each message is counted or
// dropped (R4).
func TestCollectorBounds(t *testing.T) {
	c := &report.Collector{MaxReports: 2, MaxRecords: 3}
	m := message(t)
	total := int64(0)
	for i := range 5 {
		m.Verdict.PolicyDomain = fmt.Sprintf("%d.example", i)
		for j := range 5 {
			m.EnvelopeFrom = fmt.Sprint(j, strings.Repeat("\xffx", 10_000))
			c.Count(m)
			total++
		}
	}
	keys, err := c.Due(t.Context(), 1<<40, report.Key{}, 100)
	if err != nil || len(keys) != 2 {
		t.Fatal(keys, err)
	}
	n := int64(0)
	for _, key := range keys {
		rep, _ := c.Load(t.Context(), key)
		for _, r := range rep.Records {
			n += r.Count
			if len(r.EnvelopeFrom) > 300 {
				t.Errorf("%d octets", len(r.EnvelopeFrom))
			}
		}
	}
	if n != 6 || n+c.Dropped() != total {
		t.Errorf("%d counted, %d dropped of %d", n, c.Dropped(), total)
	}
	small := &report.Collector{MaxBytes: 10_000}
	for i := range 1000 {
		m.EnvelopeFrom = fmt.Sprint(i)
		small.Count(m)
	}
	if small.Dropped() < 900 || small.Dropped() == 1000 {
		t.Errorf("%d dropped", small.Dropped())
	}
	for _, key := range []report.Key{{Domain: m.Verdict.PolicyDomain, Day: april1.Day}} {
		if err := small.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	before := small.Dropped()
	if small.Count(m); small.Dropped() != before {
		t.Error("there is no room after all was deleted")
	}
}

// fallible is a Storage whose Add may fail.
type fallible struct {
	report.Collector
	mu   sync.Mutex
	err  error
	adds int
}

func (f *fallible) Add(ctx context.Context, list []report.Counted) (int64, error) {
	f.mu.Lock()
	f.adds++
	err := f.err
	f.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return f.Collector.Add(ctx, list)
}

// What a Storage does not take is handed over later, once.
func TestFlush(t *testing.T) {
	var c report.Collector
	s := &fallible{err: errors.New("down")}
	m := message(t)
	for i := range 2500 {
		m.EnvelopeFrom = fmt.Sprint(i % 2400)
		c.Count(m)
	}
	if err := c.Flush(t.Context(), s); !errors.Is(err, s.err) || s.adds != 1 {
		t.Error(err, s.adds)
	}
	s.err = nil
	for range 2 {
		if err := c.Flush(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	rep, _ := s.Load(t.Context(), april1)
	n := int64(0)
	for _, r := range rep.Records {
		n += r.Count
	}
	if left, _ := c.Load(t.Context(), april1); n != 2500 || len(rep.Records) != 2400 || left != nil || c.Dropped() != 0 {
		t.Errorf("%d messages, %d records, %v left, %d dropped", n, len(rep.Records), left, c.Dropped())
	}
}

// Run flushes each minute, and at its end.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c report.Collector
		s := &fallible{}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { c.Run(ctx, s, 0); close(done) }()
		m := message(t)
		c.Count(m)
		time.Sleep(61 * time.Second)
		if rep, _ := s.Load(ctx, april1); rep == nil || rep.Records[0].Count != 1 {
			t.Error("nothing after a minute")
		}
		c.Count(m)
		cancel()
		<-done
		if rep, _ := s.Load(t.Context(), april1); rep.Records[0].Count != 2 {
			t.Error("the end was not flushed")
		}
	})
}

func BenchmarkCount(b *testing.B) {
	var c report.Collector
	r, _ := dmarc.Parse(wanted)
	m := &report.Message{
		Time: noon, SourceIP: netip.MustParseAddr("192.0.2.1"), EnvelopeFrom: "example.org", SPF: []report.Result{{Domain: "example.org", Result: "pass", Scope: "mfrom"}},
		Verdict: &dmarc.Verdict{Result: dmarc.Pass, Domain: "example.org", PolicyDomain: "example.org", Record: r, Policy: dmarc.Reject},
		DKIM:    []report.Result{{Domain: "example.org", Selector: "s", Result: "pass"}},
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Count(m)
	}
}
