package dsn_test

import (
	"bufio"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver/dsn"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

var now = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

func path(s string) smtp.Path {
	i := strings.LastIndexByte(s, '@')
	return smtp.Path{Local: s[:i], Domain: s[i+1:]}
}

// newJob has a stored body and the given recipients.
func newJob(t *testing.T, blobs blob.Blobs, body string, rcpts ...string) *queue.Job {
	t.Helper()
	w, err := blobs.Create(t.Context(), -1)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, body)
	ref, err := w.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	j := &queue.Job{
		ID: "job", Message: "msg", ReversePath: smtp.ReversePath{Path: path("sender@example.net")},
		Blob: ref, Size: int64(len(body)), Prefix: []byte("Received: by us\r\n"), Created: now.Add(-time.Hour),
		Peer: queue.PeerInfo{Addr: "192.0.2.9"},
	}
	for _, r := range rcpts {
		j.Recipients = append(j.Recipients, queue.Recipient{Recipient: smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: path(r)}}})
	}
	return j
}

func report(t *testing.T, blobs blob.Blobs, j *queue.Job, results ...queue.Result) []queue.Report {
	t.Helper()
	r := &dsn.Reporter{Hostname: "mx.example.org", Blobs: blobs, Now: func() time.Time { return now }}
	reps, err := r.Report(t.Context(), j, results)
	if err != nil {
		t.Fatal(err)
	}
	return reps
}

type parsed struct {
	header   mail.Header
	types    []string
	contents []string
}

// parse reads a DSN with the standard library's own parsers.
func parse(t *testing.T, r io.Reader) parsed {
	t.Helper()
	m, err := mail.ReadMessage(r)
	if err != nil {
		t.Fatal(err)
	}
	typ, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || typ != "multipart/report" || params["report-type"] != "delivery-status" {
		t.Fatalf("Content-Type %q %v, %v", typ, params, err)
	}
	p := parsed{header: m.Header}
	for mr := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := mr.NextPart()
		if err == io.EOF {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		typ, _, _ := strings.Cut(part.Header.Get("Content-Type"), ";")
		p.types, p.contents = append(p.types, typ), append(p.contents, string(b))
	}
}

// groups reads the blocks of fields of a delivery-status part.
func groups(t *testing.T, s string) []textproto.MIMEHeader {
	t.Helper()
	var out []textproto.MIMEHeader
	r := textproto.NewReader(bufio.NewReader(strings.NewReader(s + "\r\n")))
	for {
		h, err := r.ReadMIMEHeader()
		if len(h) > 0 {
			out = append(out, h)
		}
		if err != nil {
			return out
		}
	}
}

func TestFailure(t *testing.T) {
	blobs := memblob.New()
	j := newJob(t, blobs, "Subject: hi\r\nX: é\r\n\r\nsecret body\r\n", "a@example.com", "b@example.com", "c@example.com")
	j.Params.EnvelopeID = "env 1"
	j.Recipients[0].Params.Original = smtp.OriginalRecipient{Type: "rfc822", Address: "orig@example.com"}
	refused := queue.Result{
		State: queue.Failed, NextHop: "mx.example.com", Err: io.ErrClosedPipe,
		Reply: smtp.Reply{Code: 550, Enhanced: smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, Lines: []string{"no\r\nsuch", "user é"}},
	}
	expired := queue.Result{State: queue.Failed, Reply: smtp.NewReply(451, smtp.EnhancedCode{Class: 4, Subject: 4, Detail: 1}, "busy")}
	reps := report(t, blobs, j, refused, queue.Result{State: queue.Delivered}, expired)
	if len(reps) != 1 || reps[0].To.String() != "sender@example.net" || reps[0].UTF8 {
		t.Fatalf("%+v", reps)
	}
	raw, _ := io.ReadAll(reps[0].Body)
	if i := strings.IndexByte(strings.ReplaceAll(string(raw), "\r\n", ""), '\n'); i >= 0 {
		t.Errorf("a line ends in a bare LF")
	}
	p := parse(t, strings.NewReader(string(raw)))
	if a := p.header.Get("Auto-Submitted"); a != "auto-replied" {
		t.Errorf("Auto-Submitted: %q", a)
	}
	if want := "text/plain message/delivery-status text/rfc822-headers"; strings.Join(p.types, " ") != want {
		t.Fatalf("parts %q", p.types)
	}
	if strings.Contains(string(raw), "closed pipe") || strings.Contains(string(raw), "secret body") {
		t.Error("the DSN shows an inner error, or the body")
	}
	if want := "Received: by us\r\nSubject: hi\r\nX: é\r\n"; p.contents[2] != want {
		t.Errorf("returned %q, want %q", p.contents[2], want)
	}
	g := groups(t, p.contents[1])
	if len(g) != 3 {
		t.Fatalf("%d groups: %q", len(g), p.contents[1])
	}
	check := func(i int, field, want string) {
		if got := g[i].Get(field); got != want {
			t.Errorf("group %d: %s: %q, want %q", i, field, got, want)
		}
	}
	check(0, "Reporting-MTA", "dns; mx.example.org")
	check(0, "Original-Envelope-Id", "env 1")
	check(1, "Original-Recipient", "rfc822; orig@example.com")
	check(1, "Final-Recipient", "rfc822; a@example.com")
	check(1, "Action", "failed")
	check(1, "Status", "5.1.1")
	check(1, "Remote-MTA", "dns; mx.example.com")
	check(1, "Diagnostic-Code", "smtp; 550 5.1.1 no??such user ??")
	check(2, "Final-Recipient", "rfc822; c@example.com")
	check(2, "Status", "5.0.0")
}

func TestWhenDue(t *testing.T) {
	failed, delivered := queue.Result{State: queue.Failed}, queue.Result{State: queue.Delivered, NextHop: "local"}
	deferred, late := queue.Result{}, queue.Result{Delay: true}
	tests := []struct {
		name   string
		notify smtp.Notify
		res    queue.Result
		action string
	}{
		{"failed by default", 0, failed, "failed"},
		{"failed, wanted", smtp.NotifyFailure, failed, "failed"},
		{"failed, only success wanted", smtp.NotifySuccess, failed, ""},
		{"failed, never", smtp.NotifyNever, failed, ""},
		{"delivered by default", 0, delivered, ""},
		{"delivered, wanted", smtp.NotifySuccess | smtp.NotifyFailure, delivered, "delivered"},
		{"relayed, wanted", smtp.NotifySuccess, queue.Result{State: queue.Delivered, NextHop: "mx"}, "relayed"},
		{"relayed, wanted, the next hop reports", smtp.NotifySuccess, queue.Result{State: queue.Delivered, NextHop: "mx", Passed: smtp.WishDSN}, ""},
		{"an alias of one, wanted", smtp.NotifySuccess, queue.Result{State: queue.Delivered, NextHop: "local", Expanded: 1}, ""},
		{"an alias of two, wanted", smtp.NotifySuccess, queue.Result{State: queue.Delivered, NextHop: "local", Expanded: 2}, "expanded"},
		{"an alias of two", smtp.NotifyFailure, queue.Result{State: queue.Delivered, NextHop: "local", Expanded: 2}, ""},
		{"deferred", 0, deferred, ""},
		{"late", 0, late, "delayed"},
		{"late, not wanted", smtp.NotifyFailure, late, ""},
		{"late, wanted", smtp.NotifyDelay, late, "delayed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			blobs := memblob.New()
			j := newJob(t, blobs, "A: 1\r\n\r\n", "a@example.com")
			j.Recipients[0].Params.Notify = test.notify
			reps := report(t, blobs, j, test.res)
			if test.action == "" {
				if len(reps) != 0 {
					t.Error("a DSN that nobody wants")
				}
				return
			}
			if len(reps) != 1 {
				t.Fatal("no DSN")
			}
			if g := groups(t, parse(t, reps[0].Body).contents[1]); g[1].Get("Action") != test.action {
				t.Errorf("Action: %q, want %q", g[1].Get("Action"), test.action)
			}
			j.ReversePath = smtp.ReversePath{}
			if reps := report(t, blobs, j, test.res); len(reps) != 0 {
				t.Error("a DSN to the null sender")
			}
		})
	}
}

// Who asked for a trace hears of a next hop that does not keep to BY=
// (RFC 2852), unless no report at all is wanted.
func TestDeliverByTrace(t *testing.T) {
	blobs := memblob.New()
	for _, test := range []struct {
		notify smtp.Notify
		trace  bool
		res    queue.Result
		want   string
	}{
		{0, true, queue.Result{State: queue.Delivered, NextHop: "mx", Passed: smtp.WishDSN}, "relayed"},
		{smtp.NotifyFailure, true, queue.Result{State: queue.Delivered, NextHop: "mx"}, "relayed"},
		{0, true, queue.Result{State: queue.Delivered, NextHop: "mx", Passed: smtp.WishDeliverBy}, ""},
		{0, false, queue.Result{State: queue.Delivered, NextHop: "mx"}, ""},
		{smtp.NotifyNever, true, queue.Result{State: queue.Delivered, NextHop: "mx"}, ""},
		{0, true, queue.Result{State: queue.Delivered, NextHop: "local"}, ""},
	} {
		j := newJob(t, blobs, "A: 1\r\n\r\n", "a@example.com")
		j.Params.DeliverBy = smtp.DeliverBy{Seconds: 60, Mode: smtp.ByNotify, Trace: test.trace}
		j.Recipients[0].Params.Notify = test.notify
		got := ""
		if reps := report(t, blobs, j, test.res); len(reps) > 0 {
			got = groups(t, parse(t, reps[0].Body).contents[1])[1].Get("Action")
		}
		if got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

// What required TLS is not returned whole (RFC 8689 §5).
func TestRequireTLSReturnsHeaders(t *testing.T) {
	blobs := memblob.New()
	j := newJob(t, blobs, "A: 1\r\n\r\nsecret\r\n", "a@example.com")
	j.Params.Return, j.Params.RequireTLS = smtp.ReturnFull, true
	p := parse(t, report(t, blobs, j, queue.Result{State: queue.Failed})[0].Body)
	if p.types[2] != "text/rfc822-headers" || strings.Contains(p.contents[2], "secret") {
		t.Errorf("%s %q", p.types[2], p.contents[2])
	}
}

func TestReturnFull(t *testing.T) {
	blobs := memblob.New()
	j := newJob(t, blobs, "A: 1\r\n\r\nall of it\r\n", "a@example.com")
	j.Params.Return = smtp.ReturnFull
	p := parse(t, report(t, blobs, j, queue.Result{State: queue.Failed})[0].Body)
	if p.types[2] != "message/rfc822" || p.contents[2] != "Received: by us\r\nA: 1\r\n\r\nall of it\r\n" {
		t.Errorf("%s %q", p.types[2], p.contents[2])
	}
}

func TestInternational(t *testing.T) {
	blobs := memblob.New()
	j := newJob(t, blobs, "A: 1\r\n\r\n", "jörg@example.com")
	j.Params.UTF8 = true
	reps := report(t, blobs, j, queue.Result{State: queue.Failed})
	p := parse(t, reps[0].Body)
	if !reps[0].UTF8 || p.types[1] != "message/global-delivery-status" || p.types[2] != "message/global-headers" {
		t.Errorf("UTF8=%v, parts %q", reps[0].UTF8, p.types)
	}
	if g := groups(t, p.contents[1]); g[1].Get("Final-Recipient") != "utf-8; jörg@example.com" {
		t.Errorf("Final-Recipient: %q", g[1].Get("Final-Recipient"))
	}
}

// The next hop is named as a domain or an address literal (RFC 3464 §2.3.5).
func TestRemoteMTA(t *testing.T) {
	blobs := memblob.New()
	for hop, want := range map[string]string{"mx.example.com": "dns; mx.example.com", "192.0.2.1": "dns; [192.0.2.1]", "2001:db8::1": "dns; [IPv6:2001:db8::1]", "local": ""} {
		j := newJob(t, blobs, "Subject: x\r\n\r\n", "a@example.com")
		reps := report(t, blobs, j, queue.Result{State: queue.Failed, NextHop: hop, Reply: smtp.NewReply(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "no")})
		fields := groups(t, parse(t, reps[0].Body).contents[1])
		if got := fields[1].Get("Remote-MTA"); got != want {
			t.Errorf("%s: Remote-MTA %q, want %q", hop, got, want)
		}
	}
}
