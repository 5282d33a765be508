package journal_test

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/journal"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

const original = "From: alice@example.org\r\nTo: Bob <bob@example.org>, sales@EXAMPLE.org\r\nCc: (c) \"C\" <c@partner.example>\r\n" +
	"Subject: An\r\n offer\r\nMessage-ID: <1@example.org>\r\n\r\nHello\r\n--=_journal_\r\n.\r\nno end of line"

// parts reads a report with the standard library: its header, its text, and
// what it encloses.
func parts(t *testing.T, report string) (h mail.Header, text, enclosed, encType string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(report))
	if err != nil {
		t.Fatal(err)
	}
	typ, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || typ != "multipart/mixed" {
		t.Fatalf("%s, %v", typ, err)
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	p, err := r.NextPart() // decodes quoted-printable
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(p)
	if err != nil {
		t.Fatal(err)
	}
	text = string(b)
	if p, err = r.NextRawPart(); err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(p); err != nil {
		t.Fatal(err)
	}
	if _, err := r.NextPart(); err != io.EOF {
		t.Errorf("behind the message: %v", err)
	}
	return m.Header, text, string(b), p.Header.Get("Content-Type")
}

func all() []journal.Rule { return []journal.Rule{{To: path("keep@archive.example")}} }

func TestReport(t *testing.T) {
	inWorld(t, all(), func(w *world) {
		w.mustSubmit("alice@example.org", "alice@example.org", original,
			"bob@example.org", "sales@example.org", "c@partner.example", "blind@partner.example")
		settle()
		got := w.to("keep@archive.example")
		if len(got) != 1 {
			t.Fatalf("%d reports", len(got))
		}
		h, text, enclosed, typ := parts(t, got[0].text)
		want := "Sender: alice@example.org\r\nSubject: An offer\r\nMessage-Id: <1@example.org>\r\n" +
			"To: bob@example.org\r\n" +
			"To: bob@example.org, Expanded: sales@example.org\r\nTo: x@partner.example, Expanded: sales@example.org\r\nTo: alice@example.org, Expanded: sales@example.org\r\n" +
			"Cc: c@partner.example\r\nBcc: blind@partner.example\r\n"
		if text != want {
			t.Errorf("text\n%swant\n%s", text, want)
		}
		if enclosed != "Received: by mail.example.org\r\n"+original || typ != "message/rfc822" {
			t.Errorf("%s\n%q", typ, enclosed)
		}
		if _, ok := h["X-Ms-Journal-Report"]; !ok || h.Get("Subject") != "An offer" || h.Get("To") != "keep@archive.example" || h.Get("Auto-Submitted") == "" {
			t.Errorf("header %v", h)
		}
		if m := got[0].mail; !m.ReversePath.IsNull() {
			t.Errorf("reverse-path %v", m.ReversePath)
		}
		if n := len(w.jobs()); n != 0 {
			t.Errorf("%d jobs left", n)
		}
	})
}

// One blob serves the message and its report, and one Put both.
func TestOneStep(t *testing.T) {
	w := newWorld(t, all()...)
	w.mustSubmit("alice@example.org", "alice@example.org", original, "bob@example.org")
	jobs := w.jobs()
	if len(jobs) != 2 || jobs[0].Blob != jobs[1].Blob || jobs[0].Message != jobs[1].Message {
		t.Fatalf("%d jobs: %+v", len(jobs), jobs)
	}
	blobs := 0
	for range w.blobs.List(t.Context(), "") {
		blobs++
	}
	if blobs != 1 {
		t.Errorf("%d blobs", blobs)
	}
}

// failing refuses what has a job of a journal.
type failing struct{ queue.Storage }

func (f failing) Put(context.Context, ...queue.Job) error { return errors.New("disk full") }

// No 250 without the report, and no report without the 250.
func TestNeitherWithoutTheOther(t *testing.T) {
	w := newWorld(t, all()...)
	w.in.Queue.Storage = failing{w.storage}
	if err := w.submit("alice@example.org", "alice@example.org", original, "bob@example.org"); err == nil || smtp.IsPermanent(err) {
		t.Errorf("a failed Put: %v", err)
	}
	w.in.Queue.Storage = w.storage
	err := w.submit("alice@example.org", "alice@example.org", original, "bob@example.org", "broken@example.org")
	if smtp.ReplyOf(err).Code != 451 || strings.Contains(smtp.ReplyOf(err).String(), "database") {
		t.Errorf("a directory that fails: %v", err)
	}
	if jobs := w.jobs(); len(jobs) != 0 {
		t.Errorf("%d jobs", len(jobs))
	}
}

func TestRules(t *testing.T) {
	to := path("keep@archive.example")
	tests := []struct {
		name string
		rule journal.Rule
		from string // identity and reverse-path; "x@…" is a stranger
		to   []string
		want bool
	}{
		{"all", journal.Rule{}, "alice@example.org", []string{"bob@example.org"}, true},
		{"internal", journal.Rule{Ways: journal.Internal}, "alice@example.org", []string{"bob@example.org"}, true},
		{"internal, one of many", journal.Rule{Ways: journal.Internal}, "alice@example.org", []string{"x@partner.example", "bob@example.org"}, true},
		{"internal, goes out", journal.Rule{Ways: journal.Internal}, "alice@example.org", []string{"x@partner.example"}, false},
		{"internal, alias that goes out", journal.Rule{Ways: journal.Outbound}, "alice@example.org", []string{"sales@example.org"}, true},
		{"external", journal.Rule{Ways: journal.External}, "alice@example.org", []string{"bob@example.org"}, false},
		{"inbound", journal.Rule{Ways: journal.Inbound}, "x@partner.example", []string{"bob@example.org"}, true},
		{"inbound, null sender", journal.Rule{Ways: journal.Inbound}, "", []string{"bob@example.org"}, true},
		{"outbound", journal.Rule{Ways: journal.Outbound}, "x@partner.example", []string{"bob@example.org"}, false},
		{"relayed", journal.Rule{Ways: journal.Relayed}, "x@partner.example", []string{"y@partner.example"}, true},
		{"user as sender", journal.Rule{Only: []string{"ALICE@example.org"}}, "alice@example.org", []string{"bob@example.org"}, true},
		{"user as recipient", journal.Rule{Only: []string{"bob@example.org"}}, "x@partner.example", []string{"bob@example.org"}, true},
		{"user behind an alias", journal.Rule{Only: []string{"bob@example.org"}}, "x@partner.example", []string{"sales@example.org"}, true},
		{"another user", journal.Rule{Only: []string{"carol@example.org"}}, "x@partner.example", []string{"bob@example.org"}, false},
		{"domain", journal.Rule{Only: []string{"Partner.example."}}, "x@partner.example", []string{"bob@example.org"}, true},
		{"domain with @", journal.Rule{Only: []string{"@partner.example"}}, "alice@example.org", []string{"x@partner.example"}, true},
		{"other domain", journal.Rule{Only: []string{"partner.example"}}, "alice@example.org", []string{"bob@example.org"}, false},
		{"user and way in different recipients", journal.Rule{Only: []string{"bob@example.org"}, Ways: journal.Outbound}, "alice@example.org", []string{"bob@example.org", "x@partner.example"}, false},
		{"the journal alone", journal.Rule{}, "alice@example.org", []string{"keep@archive.example"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rule := test.rule
			rule.To = to
			w := newWorld(t, rule, rule) // each address has one report
			identity := test.from
			if !strings.HasSuffix(identity, "@example.org") {
				identity = ""
			}
			w.mustSubmit(identity, test.from, original, test.to...)
			n := 0
			for _, j := range w.jobs() {
				if strings.HasPrefix(j.Destination, "journal/") {
					n++
				}
			}
			if got := n == 1; got != test.want || n > 1 {
				t.Errorf("%d reports, want %v", n, test.want)
			}
		})
	}
}

// A stranger's recipients that the header does not name are no blind copies of
// ours.
func TestStranger(t *testing.T) {
	inWorld(t, all(), func(w *world) {
		w.mustSubmit("", "x@partner.example", "To: list@partner.example\r\nSubject: =?utf-8?q?=C3=A4?= \r\nX: \xff\r\n\r\nhi\r\n", "alice@example.org")
		w.mustSubmit("", "", "no header at all", "bob@example.org")
		settle()
		got := w.to("keep@archive.example")
		if len(got) != 2 {
			t.Fatalf("%d reports", len(got))
		}
		slices.SortFunc(got, func(a, b taken) int { return strings.Compare(b.text, a.text) })
		var texts []string
		for _, m := range got {
			_, text, _, _ := parts(t, m.text)
			texts = append(texts, text)
		}
		all := strings.Join(texts, "")
		for _, want := range []string{
			"Sender: x@partner.example\r\nSubject: =?utf-8?q?=C3=A4?=\r\nMessage-Id: \r\nRecipient: alice@example.org\r\n",
			"Sender: <>\r\nSubject: \r\nMessage-Id: \r\nRecipient: bob@example.org\r\n",
		} {
			if !strings.Contains(all, want) {
				t.Errorf("%q lacks %q", all, want)
			}
		}
	})
}

// A report that comes back through a forward is not journaled, and its mark does
// not serve another message.
func TestLoop(t *testing.T) {
	inWorld(t, all(), func(w *world) {
		w.mustSubmit("alice@example.org", "alice@example.org", original, "bob@example.org")
		settle()
		report := w.to("keep@archive.example")[0].text
		reports := func() int { settle(); return len(w.to("keep@archive.example")) }
		w.mustSubmit("", "", "Received: by archive.example\r\n"+report, "alice@example.org")
		if n := reports(); n != 1 {
			t.Errorf("%d reports after one came back", n)
		}
		forged := strings.Replace(report, "Message-Id: <", "Message-Id: <x", 1)
		if forged == report {
			t.Fatal("no Message-Id")
		}
		w.mustSubmit("", "", forged, "alice@example.org")
		if n := reports(); n != 2 {
			t.Errorf("%d reports after a forged one", n)
		}
	})
}

func refused(code int) error {
	return smtp.Errorf(code, smtp.EnhancedCode{Class: uint16(code / 100), Subject: 2}, "no")
}

func TestAlternate(t *testing.T) {
	rules := []journal.Rule{{To: path("keep@archive.example"), Alternate: path("records@example.org"), Patience: time.Hour}}
	t.Run("refused for good", func(t *testing.T) {
		inWorld(t, rules, func(w *world) {
			w.refuses("keep@archive.example", refused(550))
			w.mustSubmit("alice@example.org", "alice@example.org", original, "x@partner.example")
			settle()
			if got := w.to("journal@example.org"); len(got) != 1 { // through the alias records@
				t.Fatalf("%d reports at the alternate address", len(got))
			} else if _, _, enclosed, _ := parts(t, got[0].text); !strings.HasSuffix(enclosed, original) {
				t.Errorf("encloses %q", enclosed)
			}
		})
	})
	t.Run("deferred", func(t *testing.T) {
		inWorld(t, rules, func(w *world) {
			w.refuses("keep@archive.example", refused(451))
			w.mustSubmit("alice@example.org", "alice@example.org", original, "x@partner.example")
			time.Sleep(50 * time.Minute)
			if got := w.to("journal@example.org"); len(got) != 0 {
				t.Error("patience has no effect")
			}
			time.Sleep(time.Hour)
			if got := w.to("journal@example.org"); len(got) != 1 {
				t.Errorf("%d reports at the alternate address", len(got))
			}
		})
	})
}

// What nobody takes is held, not dropped and not bounced; what is deferred
// outlives the schedule.
func TestHeld(t *testing.T) {
	rules := []journal.Rule{{To: path("keep@archive.example"), Alternate: path("journal@example.org")}}
	for name, err := range map[string]error{"refused": refused(550), "deferred": refused(450)} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, rules, func(w *world) {
				w.refuses("keep@archive.example", err)
				w.refuses("journal@example.org", err)
				w.mustSubmit("alice@example.org", "alice@example.org", original, "x@partner.example")
				time.Sleep(2 * time.Hour)
				jobs := w.jobs()
				if len(jobs) != 1 || (jobs[0].Hold != "") != (name == "refused") {
					t.Fatalf("left: %+v", jobs)
				}
				w.refuses("keep@archive.example", nil)
				release := ""
				if _, err := w.storage.Edit(t.Context(), queue.Filter{}, queue.Edit{Hold: &release}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour)
				if n := len(w.to("keep@archive.example")); n != 1 || len(w.jobs()) != 0 {
					t.Errorf("%d reports after the release", n)
				}
			})
		})
	}
}

// A report that an operator has sent to other hosts is whole there, and is held
// where they refuse it.
func TestRerouted(t *testing.T) {
	inWorld(t, all(), func(w *world) {
		w.refuses("keep@archive.example", refused(450))
		w.mustSubmit("alice@example.org", "alice@example.org", original, "x@partner.example")
		settle()
		via, now := deliver.Via+"backup.example", time.Now()
		if n, err := w.storage.Edit(t.Context(), queue.Filter{}, queue.Edit{Destination: &via}); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		retry := func() {
			release := ""
			for _, e := range []queue.Edit{{Hold: &release}, {Due: &now}} {
				if _, err := w.storage.Edit(t.Context(), queue.Filter{}, e); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Hour)
		}
		w.refuses("keep@archive.example", refused(550))
		retry()
		if jobs := w.jobs(); len(jobs) != 1 || jobs[0].Hold == "" {
			t.Fatalf("left: %+v", jobs)
		}
		w.refuses("keep@archive.example", nil)
		retry()
		got := w.to("keep@archive.example")
		if len(got) != 1 || len(w.jobs()) != 0 {
			t.Fatalf("%d reports", len(got))
		}
		if !strings.HasSuffix(got[0].text, "--\r\n") {
			t.Errorf("the report has no end:\n%s", got[0].text)
		}
		if _, _, enclosed, _ := parts(t, got[0].text); enclosed == "" {
			t.Errorf("nothing is enclosed")
		}
	})
}

// A journal address that is a list is held: it has no one end.
func TestListAddress(t *testing.T) {
	inWorld(t, []journal.Rule{{To: path("sales@example.org")}}, func(w *world) {
		w.mustSubmit("alice@example.org", "alice@example.org", original, "x@partner.example")
		settle()
		if jobs := w.jobs(); len(jobs) != 1 || !strings.Contains(jobs[0].Hold, "list") {
			t.Errorf("left: %+v", jobs)
		}
	})
}

// 8-bit and international messages are declared as what they are.
func TestDeclared(t *testing.T) {
	for _, test := range []struct {
		params   smtp.MailParams
		encoding string
	}{
		{smtp.MailParams{}, "7bit"},
		{smtp.MailParams{Body: smtp.Body8BitMIME, UTF8: true, RequireTLS: true}, "8bit"},
		{smtp.MailParams{Body: smtp.BodyBinaryMIME}, "binary"},
	} {
		inWorld(t, all(), func(w *world) {
			text := "Subject: \xc3\xa4\r\n\r\nhi\r\n"
			m := &smtp.Mail{ID: smtp.NewID(), Params: test.params}
			if err := w.hand(m, text, "bob@example.org"); err != nil {
				t.Fatal(err)
			}
			settle()
			got := w.to("keep@archive.example")[0]
			h, body, _, typ := parts(t, got.text)
			if h.Get("Content-Transfer-Encoding") != test.encoding && test.encoding != "7bit" {
				t.Errorf("the report itself is declared %q", h.Get("Content-Transfer-Encoding"))
			}
			if typ != "message/global" || !strings.Contains(got.text, "Content-Transfer-Encoding: "+test.encoding+"\r\n") || !strings.Contains(body, "Subject: ä\r\n") {
				t.Errorf("%s\n%s", typ, got.text)
			}
			if p := got.mail.Params; p.Body != test.params.Body || p.UTF8 != test.params.UTF8 || p.RequireTLS != test.params.RequireTLS {
				t.Errorf("parameters %+v", p)
			}
		})
	}
}

func TestArchive(t *testing.T) {
	var order []string
	box := func(name string, err error) smtp.Receiver {
		return smtp.ReceiveFunc(func(_ context.Context, env *smtp.Envelope, r io.Reader) error {
			b, readErr := io.ReadAll(r)
			order = append(order, name+" "+env.Recipients[0].ForwardPath.String()+" "+string(b))
			return errors.Join(err, readErr)
		})
	}
	send := func(first error, rcpts ...*smtp.Recipient) error {
		order = nil
		a := &journal.Archive{To: box("archive", first), Recipients: rcpts, Spool: smtp.SpoolOptions{Dir: t.TempDir(), Memory: -1}}
		r := smtp.Chain(box("next", nil), a.Middleware())
		return smtp.Hand(t.Context(), r, &smtp.Mail{ID: "1"}, []*smtp.Recipient{{ForwardPath: path("bob@example.org")}}, smtp.NewBody(strings.NewReader("text"), -1))
	}
	if err := send(nil); err != nil || !slices.Equal(order, []string{"archive bob@example.org text", "next bob@example.org text"}) {
		t.Errorf("%q, %v", order, err)
	}
	if err := send(nil, &smtp.Recipient{ForwardPath: path("keep@example.org")}); err != nil || !strings.HasPrefix(order[0], "archive keep@example.org") {
		t.Errorf("%q, %v", order, err)
	}
	if err := send(refused(550)); smtp.ReplyOf(err).Code != 451 || len(order) != 1 {
		t.Errorf("refused by the archive: %q, %v", order, err)
	}
}
