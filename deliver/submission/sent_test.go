package submission_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/submission"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/store"
)

const own = "From: alice@example.org\r\nDate: x\r\nMessage-ID: <1@example.org>\r\n"

// The copy is as the message left, with the Bcc in front, and is \Seen; the body
// is written once.
func TestSent(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r, runner := w.parts()
		if err := submit(t, r, "Bcc: x@example.net,\r\n y@example.net\r\n"+own+body); err != nil {
			t.Fatal(err)
		}
		blobs := 0
		for range w.blobs.List(t.Context(), "") {
			blobs++
		}
		run(t, runner, time.Second)
		want := "Received: by mail.example.org\r\n" + own + body
		if got := w.left(); len(got) != 1 || got[0] != want {
			t.Errorf("left %q", got)
		}
		texts, flags := w.box("alice@example.org", "Sent")
		if len(texts) != 1 || texts[0] != "Bcc: x@example.net,\r\n y@example.net\r\n"+want || flags != store.Seen || blobs != 1 {
			t.Errorf("copy %q, flags %v, %d blobs", texts, flags, blobs)
		}
		acct, err := w.stored.Open(t.Context(), "alice@example.org")
		if err != nil {
			t.Fatal(err)
		}
		if box, err := store.MailboxByName(t.Context(), acct, "Sent"); err != nil || box.Role != `\Sent` || !box.Subscribed {
			t.Errorf("%+v, %v", box, err)
		}
	})
}

// A copy that an operator reroutes with the mail around it does not leave: its
// Bcc field is for its sender alone.
func TestSentRerouted(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r, runner := w.parts()
		if err := submit(t, r, "Bcc: x@example.net\r\n"+own+body); err != nil {
			t.Fatal(err)
		}
		to, err := deliver.Reroute("other.example")
		if err != nil {
			t.Fatal(err)
		}
		if n, err := runner.Queue.Storage.Edit(t.Context(), queue.Filter{}, queue.Edit{Destination: &to}); err != nil || n != 2 {
			t.Fatal(n, err)
		}
		run(t, runner, time.Second)
		if got := w.left(); len(got) != 1 || strings.Contains(got[0], "Bcc: x@") {
			t.Errorf("left: %q", got)
		}
		if texts, _ := w.box("alice@example.org", "Sent"); len(texts) != 1 || !strings.HasPrefix(texts[0], "Bcc: x@example.net") {
			t.Errorf("kept: %q", texts)
		}
	})
}

// The special use wins over the name; without either a mailbox is made, or no
// copy.
func TestSentMailbox(t *testing.T) {
	role := `\Sent`
	make := func(name string, role *string) store.Op {
		return store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: name, Role: role}
	}
	for _, test := range []struct {
		name   string
		ops    []store.Op
		change func(*submission.Sent)
		want   string
	}{
		{"special use", []store.Op{make("Sent", nil), make("Gesendet", &role)}, nil, "Gesendet"},
		{"name", []store.Op{make("Sent", nil)}, nil, "Sent"},
		{"own name", nil, func(s *submission.Sent) { s.Mailbox = "Out/Sent mail" }, "Out/Sent mail"},
		{"none, and none made", nil, func(s *submission.Sent) { s.NoCreate = true }, ""},
		{"not wanted", nil, func(s *submission.Sent) { s.Want = func(*smtp.Mail) bool { return false } }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				if test.ops != nil {
					w.apply(test.ops...)
				}
				if test.change != nil {
					test.change(w.sent)
				}
				r, runner := w.parts()
				if err := submit(t, r, own+body); err != nil {
					t.Fatal(err)
				}
				run(t, runner, time.Second)
				if len(w.left()) != 1 || len(w.jobs()) != 0 {
					t.Errorf("%d left, %d jobs", len(w.left()), len(w.jobs()))
				}
				for _, name := range []string{"Sent", "Gesendet", "Out/Sent mail"} {
					if texts, _ := w.box("alice@example.org", name); (len(texts) == 1) != (name == test.want) {
						t.Errorf("%d in %s", len(texts), name)
					}
				}
			})
		})
	}
}

// Strangers, and users without mailboxes here, have no copies.
func TestSentOfNobody(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		r, runner := w.parts()
		for _, identity := range []string{"", "carol@example.org"} {
			if err := submit(t, r, own+body, func(m *smtp.Mail) { m.Peer.Identity = identity }); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(w.jobs()); n != 2 {
			t.Errorf("%d jobs", n)
		}
		run(t, runner, time.Second)
	})
}

// A client that keeps its own copy has one, whoever is first.
func TestSentWindow(t *testing.T) {
	for name, test := range map[string]struct {
		wait time.Duration // of the client, before or after it submits
		id   string
		want int
	}{
		"before":          {-time.Second, "<1@example.org>", 1},
		"long before":     {-time.Hour, "<1@example.org>", 2},
		"after":           {10 * time.Second, "<1@example.org>", 1},
		"another message": {10 * time.Second, "<2@example.org>", 2},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.sent.Window, w.sent.Delay = time.Minute, 30*time.Second
				box := store.NewMailboxID()
				w.apply(store.PutMailbox{ID: box, Create: true, Name: "Sent"})
				keep := func() {
					text := "Subject: s\r\nMessage-Id:\r\n " + test.id + "\r\n\r\nown copy"
					op, err := store.PrepareAppend(t.Context(), w.stored, store.NewMessage{Mailbox: box, Body: strings.NewReader(text), BodySize: int64(len(text))})
					if err != nil {
						t.Fatal(err)
					}
					w.apply(op)
				}
				r, runner := w.parts()
				if test.wait < 0 {
					keep()
					time.Sleep(-test.wait)
				}
				if err := submit(t, r, own+body); err != nil {
					t.Fatal(err)
				}
				run(t, runner, max(test.wait, 0))
				if test.wait > 0 {
					keep()
				}
				_, runner = w.parts()
				run(t, runner, time.Minute)
				if texts, _ := w.box("alice@example.org", "Sent"); len(texts) != test.want || len(w.left()) != 1 {
					t.Errorf("%d messages in Sent, %d left", len(texts), len(w.left()))
				}
			})
		})
	}
}

// Over quota the message goes on and its copy waits, or it is refused.
func TestSentFull(t *testing.T) {
	limit := func(w *world, n int64) { w.apply(store.PutAccount{Limits: &store.Limits{Bytes: n}}) }
	inWorld(t, func(t *testing.T, w *world) {
		limit(w, 10)
		r, runner := w.parts()
		if err := submit(t, r, own+body); err != nil {
			t.Fatal(err)
		}
		run(t, runner, 5*time.Minute)
		if texts, _ := w.box("alice@example.org", "Sent"); len(texts) != 0 || len(w.left()) != 1 || len(w.jobs()) != 1 {
			t.Errorf("%d copies, %d left, %d jobs", len(texts), len(w.left()), len(w.jobs()))
		}
		limit(w, 10_000)
		_, runner = w.parts()
		run(t, runner, 5*time.Minute)
		if texts, _ := w.box("alice@example.org", "Sent"); len(texts) != 1 || len(w.jobs()) != 0 {
			t.Errorf("%d copies once there is room", len(texts))
		}
	})
	inWorld(t, func(t *testing.T, w *world) {
		limit(w, 10)
		w.sent.RefuseFull = true
		r, _ := w.parts()
		if err := submit(t, r, own+body); smtp.ReplyOf(err).Code != 452 || len(w.jobs()) != 0 {
			t.Errorf("%v, %d jobs", err, len(w.jobs()))
		}
	})
}

// What is beyond the rate waits; its report and its copy do not.
func TestHoldBeyond(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		users := &smtppolicy.Users{Messages: []smtppolicy.Rate{{N: 1, Per: time.Hour}}}
		w.steps = append(w.steps, submission.HoldBeyond(users.Take))
		r, runner := w.parts()
		for range 2 {
			if err := submit(t, r, own+body); err != nil {
				t.Fatal(err)
			}
		}
		run(t, runner, time.Second)
		jobs := w.jobs()
		if len(jobs) != 1 || !strings.Contains(jobs[0].Hold, "alice@example.org") || len(w.left()) != 1 {
			t.Errorf("%+v, %d left", jobs, len(w.left()))
		}
		if texts, _ := w.box("alice@example.org", "Sent"); len(texts) != 2 {
			t.Errorf("%d copies", len(texts))
		}
	})
}

// 8-bit octets that nobody declared are declared to the next hop.
func TestDeclare(t *testing.T) {
	for _, test := range []struct {
		text     string
		declared smtp.BodyType
		want     smtp.BodyType
	}{
		{own + body, smtp.BodyDefault, smtp.BodyDefault},
		{own + body, smtp.Body7Bit, smtp.Body7Bit},
		{own + "\r\n" + strings.Repeat("x", 100) + "\xe4\r\n", smtp.BodyDefault, smtp.Body8BitMIME},
		{own + "\r\n\xe4", smtp.Body7Bit, smtp.Body8BitMIME},
		{own + "\r\n\xe4", smtp.BodyBinaryMIME, smtp.BodyBinaryMIME},
	} {
		inWorld(t, func(t *testing.T, w *world) {
			w.journal = true
			r, _ := w.parts()
			if err := submit(t, r, test.text, func(m *smtp.Mail) { m.Params.Body = test.declared }); err != nil {
				t.Fatal(err)
			}
			for _, j := range w.jobs() {
				if j.Params.Body != test.want {
					t.Errorf("%q: job for %s has %v, want %v", test.text, j.Destination, j.Params.Body, test.want)
				}
			}
		})
	}
}
