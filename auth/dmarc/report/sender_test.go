package report_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dmarc/report"
	"github.com/mailstead/mailstead/auth/dmarc/report/reporttest"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/smtp"
)

// zone is a resolver: a name → its TXT record; "fail" is a failure.
type zone map[string]string

func (z zone) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	text, ok := z[name]
	switch {
	case text == "fail":
		return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrServFail}
	case !ok || t != dnsx.TXT:
		return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrNXDomain}
	}
	return &dnsx.Answer{Texts: []string{text}}, nil
}

// sentMail is a message that the outbox took.
type sentMail struct {
	mail *smtp.Mail
	to   string
	text []byte
}

// outbox is a Receiver that refuses some recipients, or all.
type outbox struct {
	mu     sync.Mutex
	sent   []sentMail
	rcpt   map[string]error
	refuse error
	taken  func() // called when a message is; nil = nothing is
}

func (o *outbox) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	return &outboxTransaction{o: o, m: sentMail{mail: m}}, nil
}

type outboxTransaction struct {
	o *outbox
	m sentMail
	n int
}

func (t *outboxTransaction) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	errs := make([]error, len(rs))
	for i, r := range rs {
		if errs[i] = t.o.rcpt[r.ForwardPath.String()]; errs[i] == nil {
			t.n++
			t.m.to += " " + r.ForwardPath.String()
		}
	}
	return errs
}

func (t *outboxTransaction) Data(_ context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	var err error
	if t.m.text, err = io.ReadAll(b); err != nil {
		return nil, err
	}
	t.o.mu.Lock()
	defer t.o.mu.Unlock()
	if t.o.refuse != nil {
		return nil, t.o.refuse
	}
	if t.o.taken != nil {
		t.o.taken()
	}
	t.o.sent = append(t.o.sent, t.m)
	return smtp.Accepted(t.n), nil
}

func (*outboxTransaction) Abort() {}

// fail makes the outbox refuse messages, or not.
func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refuse = err
}

// bench is a Sender with what is around it.
type bench struct {
	zone    zone
	counted report.Collector
	out     outbox
	sender  report.Sender
}

func newBench(record string) *bench {
	b := &bench{zone: zone{"_dmarc.example.org": record}}
	b.sender = report.Sender{
		Checker: &dmarc.Checker{Resolver: b.zone}, Storage: &b.counted, Receiver: &b.out,
		Organization: "R\u00fcckmeldung & Co", Email: "dmarc@reports.mx.example", Submitter: "MX.example", Contact: "https://mx.example/",
	}
	return b
}

// due sends what is due on the day behind, and fails where that fails.
func (b *bench) due(t *testing.T) int {
	t.Helper()
	n, err := b.sender.SendDue(t.Context(), noon.Add(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// left is how many reports are still there.
func (b *bench) left(t *testing.T) int {
	t.Helper()
	keys, err := b.counted.Due(t.Context(), 1<<40, report.Key{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	return len(keys)
}

// What is sent is what was counted, in a message as RFC 9990 §3.5.2 wants it, in
// both schemas.
func TestSend(t *testing.T) {
	for _, mode := range []dmarc.Mode{dmarc.RFC9989, dmarc.RFC7489} {
		b := newBench("v=DMARC1; p=reject; rua=mailto:a@example.org,mailto:b@example.org")
		b.sender.Checker.Mode = mode
		m := message(t)
		b.counted.Count(m)
		b.counted.Count(m)
		m.EnvelopeFrom, m.Verdict.Result, m.Verdict.Aligned, m.Disposition = "<&\x01>", dmarc.Fail, nil, dmarc.Quarantine
		b.counted.Count(m)
		if n, err := b.sender.SendDue(t.Context(), noon.Add(11*time.Hour)); n != 0 || err != nil {
			t.Errorf("the day is not over: %d, %v", n, err)
		}
		want, _ := b.counted.Load(t.Context(), april1)
		if n := b.due(t); n != 1 || b.left(t) != 0 || len(b.out.sent) != 1 {
			t.Fatalf("%d sent, %d left", n, b.left(t))
		}
		sent := b.out.sent[0]
		if sent.to != " a@example.org b@example.org" || !sent.mail.ReversePath.IsNull() || sent.mail.Once == "" {
			t.Errorf("%+v", sent)
		}
		header, _, _ := strings.Cut(string(sent.text), "\r\n\r\n")
		header = strings.ReplaceAll(header, "\r\n ", " ")
		id := strings.TrimPrefix(sent.mail.Once, "report:")
		subject := "Subject: Report Domain: example.org Submitter: mx.example Report-ID: <" + id + ">\r\n"
		if mode == dmarc.RFC7489 {
			subject = "Subject: Report Domain: example.org Submitter: mx.example Report-ID: <" + id + "@mx.example>\r\n"
		}
		for _, field := range []string{"From: <dmarc@reports.mx.example>\r\n", "To: <a@example.org>, <b@example.org>\r\n", subject, "Message-Id: <" + id + "@mx.example>\r\n", "Auto-Submitted: auto-generated\r\n"} {
			if !strings.Contains(header+"\r\n", field) {
				t.Errorf("no %q in\n%s", field, header)
			}
		}
		file := fmt.Sprintf("mx.example!example.org!1775001600!1775087999!%s.xml.gz", id)
		if !strings.Contains(strings.ReplaceAll(string(sent.text), "\r\n ", " "), file) {
			t.Errorf("no %s in\n%s", file, sent.text)
		}
		got, err := report.ParseMail(bytes.NewReader(sent.text), report.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		b.compare(t, got, want, mode)
		if got.ID != id {
			t.Errorf("ID %s, want %s", got.ID, id)
		}
	}
}

// compare asserts that a report that was read is the one that was written.
func (b *bench) compare(t *testing.T, got, want *report.Report, mode dmarc.Mode) {
	t.Helper()
	meta := fmt.Sprint(got.Version, got.OrgName, got.Email, got.Contact, got.Begin.Unix(), got.End.Unix(), got.Skipped)
	if meta != "1.0"+b.sender.Organization+b.sender.Email+b.sender.Contact+"1775001600 1775087999 0" {
		t.Error(meta)
	}
	policy := want.Policy
	if mode == dmarc.RFC7489 {
		policy.NonExistent, policy.Testing, policy.Discovery = "", "", ""
		for i, r := range want.Records {
			if r.Disposition == "pass" {
				want.Records[i].Disposition = "none"
			}
		}
	} else {
		policy.Percent = ""
	}
	if got.Policy != policy {
		t.Errorf("%+v\nwant %+v", got.Policy, policy)
	}
	if len(got.Records) == 2 && want.Records[0].Count < want.Records[1].Count {
		want.Records[0], want.Records[1] = want.Records[1], want.Records[0]
	}
	if fmt.Sprintf("%+v", got.Records) != fmt.Sprintf("%+v", want.Records) {
		t.Errorf("%+v\nwant %+v", got.Records, want.Records)
	}
}

type signer struct{}

func (signer) Sign(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(r)
	return fmt.Appendf(nil, "DKIM-Signature: of %d octets\r\n", len(text)), err
}

func TestSigned(t *testing.T) {
	b := newBench(wanted)
	b.sender.Signer = signer{}
	b.counted.Count(message(t))
	b.due(t)
	field, rest, _ := strings.Cut(string(b.out.sent[0].text), "\r\n")
	if field != fmt.Sprintf("DKIM-Signature: of %d octets", len(rest)) {
		t.Error(field, len(rest))
	}
}

// Who may be told of what, and what becomes of a report that cannot be sent.
func TestWhoIsTold(t *testing.T) {
	refused := &smtp.Error{Reply: smtp.Reply{Code: 550}}
	for name, c := range map[string]struct {
		record  string
		more    zone
		rcpt    map[string]error
		refuse  error
		want    string // recipients
		left    int
		failed  bool
		given   string // after the time to give up
		bounded int64
	}{
		"one":                    {record: "rua=mailto:a@example.org", want: " a@example.org"},
		"no record any more":     {record: "x"},
		"none of them":           {record: "rua=mailto:a@victim.example"},
		"consent":                {record: "rua=mailto:a@other.example", more: zone{"example.org._report._dmarc.other.example": "v=DMARC1"}, want: " a@other.example"},
		"too large for one":      {record: "rua=mailto:a@example.org!1,mailto:b@example.org!10m", want: " b@example.org"},
		"too large for all":      {record: "rua=mailto:a@example.org!1"},
		"DNS fails":              {record: "fail", left: 1, failed: true},
		"DNS fails for one":      {record: "rua=mailto:a@other.example,mailto:b@example.org", more: zone{"example.org._report._dmarc.other.example": "fail"}, left: 1, failed: true, given: " b@example.org"},
		"refused for good":       {record: "rua=mailto:a@example.org,mailto:b@example.org", rcpt: map[string]error{"a@example.org": refused}, want: " b@example.org"},
		"refused all":            {record: "rua=mailto:a@example.org", rcpt: map[string]error{"a@example.org": refused}},
		"refused for now":        {record: "rua=mailto:a@example.org,mailto:b@example.org", rcpt: map[string]error{"a@example.org": errors.New("busy")}, left: 1, failed: true},
		"message refused":        {record: "rua=mailto:a@example.org", refuse: errors.New("full"), left: 1, failed: true},
		"no mailbox of SMTP":     {record: "rua=mailto:a..b@example.org,mailto:b@example.org", want: " b@example.org"},
		"too large for anything": {record: "rua=mailto:a@example.org", bounded: 100, left: 1, failed: true},
	} {
		record := "v=DMARC1; p=reject; " + c.record
		if c.record == "fail" || c.record == "x" {
			record = c.record
		}
		b := newBench(record)
		for name, text := range c.more {
			b.zone[name] = text
		}
		b.out.rcpt, b.out.refuse, b.sender.MaxBytes = c.rcpt, c.refuse, c.bounded
		b.counted.Count(message(t))
		got := func() (to string) {
			for _, s := range b.out.sent {
				to += s.to
			}
			return to
		}
		_, err := b.sender.SendDue(t.Context(), noon.Add(24*time.Hour))
		if got() != c.want || b.left(t) != c.left || (err != nil) != c.failed {
			t.Errorf("%s: sent to %q, %d left, %v", name, got(), b.left(t), err)
		}
		if c.left == 0 {
			continue
		}
		if _, err := b.sender.SendDue(t.Context(), noon.Add(4*24*time.Hour)); err != nil || b.left(t) != 0 || got() != c.given {
			t.Errorf("%s, given up: sent to %q, %d left, %v", name, got(), b.left(t), err)
		}
	}
}

// A report that is sent again, as a crash came before it was forgotten, is the
// same, octet for octet (R6).
func TestSentTwice(t *testing.T) {
	b := newBench(wanted)
	first := ""
	for range 5 {
		for i := range 50 {
			c := reporttest.Counted("example.org", april1.Day, fmt.Sprintf("192.0.2.%d", i%5), 1)
			c.Record.EnvelopeFrom = fmt.Sprint(i)
			_, _ = b.counted.Add(t.Context(), []report.Counted{c})
		}
		b.due(t)
		s := b.out.sent[len(b.out.sent)-1]
		rep, err := report.ParseMail(bytes.NewReader(s.text), report.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		again := fmt.Sprintf("%s %+v", s.mail.Once, rep)
		if first == "" {
			first = again
		}
		if again != first {
			t.Errorf("%s\nwas %s", again, first)
		}
	}
}

// strict is a Storage that does nothing for a context that has ended.
type strict struct{ report.Storage }

func (s strict) Delete(ctx context.Context, key report.Key, loaded *report.Report) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.Storage.Delete(ctx, key, loaded)
}

// A report that was taken as the program was told to end is forgotten: it is not
// sent again at the next start.
func TestTakenAtTheEnd(t *testing.T) {
	b := newBench(wanted)
	b.sender.Storage = strict{&b.counted}
	_, _ = b.counted.Add(t.Context(), []report.Counted{reporttest.Counted("example.org", april1.Day, "192.0.2.1", 1)})
	ctx, cancel := context.WithCancel(t.Context())
	b.out.taken = cancel
	n, err := b.sender.SendDue(ctx, noon.Add(24*time.Hour))
	if n != 1 || !errors.Is(err, context.Canceled) || len(b.out.sent) != 1 || b.left(t) != 0 {
		t.Errorf("%d sent, %d taken, %d left, %v", n, len(b.out.sent), b.left(t), err)
	}
}

// Of a report that would be too large, what counts least is left out, and the
// report says so.
func TestTooLarge(t *testing.T) {
	b := newBench(wanted)
	b.sender.MaxBytes = 20_000
	for i := range 3000 {
		c := reporttest.Counted("example.org", april1.Day, fmt.Sprintf("2001:db8::%x:%x", i*7919%65536, i), int64(1+i%2))
		_, _ = b.counted.Add(t.Context(), []report.Counted{c})
	}
	b.due(t)
	text := b.out.sent[0].text
	rep, err := report.ParseMail(bytes.NewReader(text), report.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for _, r := range rep.Records {
		n += r.Count
	}
	want := fmt.Sprintf("[%d messages are not in this report, which would have been too large]", 4500-n)
	if len(text) > 22_000 || len(rep.Records) < 300 || rep.Records[0].Count != 2 || fmt.Sprint(rep.Errors) != want {
		t.Errorf("%d octets, %d records, %v, want %s", len(text), len(rep.Records), rep.Errors, want)
	}
}

func TestValidate(t *testing.T) {
	if err := (&report.Sender{}).Validate(); err == nil || strings.Count(err.Error(), "\n") != 5 {
		t.Error(err)
	}
	if _, err := (&report.Sender{}).SendDue(t.Context(), noon); err == nil {
		t.Error("sends without a Receiver")
	}
}

// Run sends once a day, and again an hour after what failed.
func TestSenderRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(wanted)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { b.sender.Run(ctx); close(done) }()
		synctest.Wait()
		m := message(t)
		m.Time = time.Now()
		b.counted.Count(m)
		b.out.fail(errors.New("full"))
		day := report.DayOf(time.Now())
		time.Sleep(time.Until((day + 1).Start()) + 4*time.Hour)
		synctest.Wait()
		if len(b.out.sent) != 0 || b.left(t) != 1 {
			t.Error("sent in spite of the failure")
		}
		b.out.fail(nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(b.out.sent) != 1 || b.left(t) != 0 {
			t.Error("not sent an hour later")
		}
		cancel()
		<-done
	})
}

// What is written is read again as it was, whatever is in it.
func FuzzWrite(f *testing.F) {
	f.Add("example.org", "a & <b>", "pass", uint16(3), true)
	f.Fuzz(func(t *testing.T, domain, words, result string, n uint16, old bool) {
		rep := &report.Report{OrgName: words, Email: words, ID: words, Begin: noon, End: noon, Errors: []string{words}, Policy: report.Policy{Domain: domain, Policy: result, FailureOptions: words}}
		c := reporttest.Counted(domain, 1, "192.0.2.1", int64(n)+1)
		c.Record.EnvelopeFrom, c.Record.Disposition, c.Record.Reasons = words, result, []report.Reason{{Type: result, Comment: words}}
		c.Record.DKIMResults = []report.Result{{Domain: words, Selector: words, Result: result, Text: words}}
		rep.Records = []report.Record{c.Record, c.Record}
		mode := dmarc.RFC9989
		if old {
			mode = dmarc.RFC7489
		}
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if err := rep.Write(z, mode); err != nil {
			t.Fatal(err)
		}
		_ = z.Close()
		got, err := report.Parse(&b, report.Limits{})
		if err != nil {
			if errors.Is(err, report.ErrFormat) && strings.TrimSpace(domain) == "" {
				return
			}
			t.Fatal(err)
		}
		if len(got.Records) != 2 || got.Records[0].Count != c.Record.Count || len(got.Records[0].DKIMResults) != 1 || len(got.Errors) != 1 {
			t.Fatalf("%+v", got)
		}
	})
}
