package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/storeaccount"
	"github.com/mailstead/mailstead/store"
)

// fake is a Source made by hand.
type fake struct {
	boxes []*fakeBox
}

type fakeBox struct {
	migrate.Mailbox
	list []fakeMessage
}

type fakeMessage struct {
	migrate.Message
	body string
	err  error // Body.Err
	cut  error // behind the body
}

func (f *fake) Name() string { return "fake:" }
func (f *fake) MaxOpen() int { return 0 }
func (f *fake) Close() error { return nil }

func (f *fake) Mailboxes(context.Context) (out []migrate.Mailbox, _ error) {
	for _, b := range f.boxes {
		m := b.Mailbox
		m.Messages, m.Hint = int64(len(b.list)), b
		out = append(out, m)
	}
	return out, nil
}

func (f *fake) Open(_ context.Context, m *migrate.Mailbox) (migrate.Reader, error) {
	b, _ := m.Hint.(*fakeBox)
	return &fakeReader{f, b}, nil
}

type fakeReader struct {
	f *fake
	b *fakeBox
}

func (r *fakeReader) Close() error { return nil }

func (r *fakeReader) List(_ context.Context, prints bool) iter.Seq2[*migrate.Message, error] {
	return func(yield func(*migrate.Message, error) bool) {
		for i := range r.b.list {
			m := r.b.list[i].Message
			if prints {
				m.Print = migrate.MakePrint([]byte(r.b.list[i].body), int64(len(r.b.list[i].body)), m.Received)
			}
			if !yield(&m, nil) {
				return
			}
		}
	}
}

func (r *fakeReader) Fetch(_ context.Context, ms []*migrate.Message) iter.Seq2[*migrate.Body, error] {
	return func(yield func(*migrate.Body, error) bool) {
		for _, m := range ms {
			i := slices.IndexFunc(r.b.list, func(x fakeMessage) bool { return x.ID == m.ID })
			if i < 0 || errors.Is(r.b.list[i].err, errSilent) {
				continue
			}
			x := r.b.list[i]
			b := &migrate.Body{ID: m.ID, Reader: strings.NewReader(x.body), Err: x.err}
			if x.cut != nil {
				b.Reader = io.MultiReader(b.Reader, &failing{x.cut})
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

// errSilent: the source lists a message and does not give it.
var errSilent = errors.New("silent")

type failing struct{ err error }

func (f *failing) Read([]byte) (int, error) { return 0, f.err }

// box is a mailbox with messages n, n+1, ...
func box(path string, from, n int) *fakeBox {
	b := &fakeBox{Mailbox: migrate.Mailbox{Path: strings.Split(path, "/"), Validity: "1", Bytes: -1}}
	for i := range n {
		body := text(from+i, 100)
		b.list = append(b.list, fakeMessage{Message: migrate.Message{
			ID: migrate.UIDString(store.UID(i + 1)), Size: int64(len(body)), Received: time.Unix(1_600_000_000+int64(from+i), 0),
		}, body: body})
	}
	return b
}

// What cannot be migrated is named, the rest is copied, and the error says so at every
// run.
func TestSkips(t *testing.T) {
	b := box("INBOX", 0, 8)
	b.State = "state"
	b.list[1].err = fmt.Errorf("%w: NO", migrate.ErrBroken)
	b.list[2].Size = 1 << 30
	b.list[3].cut = fmt.Errorf("%w: checksum", migrate.ErrBroken)
	b.list[4].err = errSilent
	b.list[5].err = migrate.ErrPermission
	b.list[6].Keywords = []string{"fine", "not an atom", "\x00"}
	dst, _, _ := newAccount(t, storeaccount.Options{})
	for range 2 {
		var events int
		r, err := migrate.Run(t.Context(), &fake{boxes: []*fakeBox{b}}, dst, migrate.Options{
			MaxMessageBytes: 1 << 20, Progress: func(e migrate.Event) {
				if e.Kind == migrate.Skipped && e.Reason != migrate.Keyword {
					events++
				}
			},
		})
		if !errors.Is(err, migrate.ErrLoss) || r.Skipped != 5 || events != 5 {
			t.Fatalf("%v, %d skipped, %d events", err, r.Skipped, events)
		}
		var got []string
		for _, s := range r.Skips {
			got = append(got, fmt.Sprint(s.ID[9:], " ", s.Reason))
		}
		slices.Sort(got)
		want := "[2 broken message 3 too large 4 broken message 5 broken message 6 no permission]"
		if got := fmt.Sprint(slices.DeleteFunc(got, func(s string) bool { return strings.HasSuffix(s, "dropped") })); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if n := len(dump(t, dst)["INBOX"]); n != 3 {
		t.Errorf("%d messages", n)
	}
}

// A message that another error ends is tried again, and nothing of it is kept.
func TestRetry(t *testing.T) {
	b := box("INBOX", 0, 8)
	b.list[3].cut = io.ErrUnexpectedEOF
	dst, _, _ := newAccount(t, storeaccount.Options{})
	retries := 0
	r, err := migrate.Run(t.Context(), &fake{boxes: []*fakeBox{b}}, dst, migrate.Options{
		Attempts: 3, Backoff: time.Nanosecond, Progress: func(e migrate.Event) {
			if e.Kind == migrate.Retrying {
				if retries++; retries == 2 {
					b.list[3].cut = nil
				}
			}
		},
	})
	if err != nil || r.Copied != 8 || retries != 2 {
		t.Errorf("%v, %+v, %d retries", err, r.Totals, retries)
	}
	if n := len(dump(t, dst)["INBOX"]); n != 8 {
		t.Errorf("%d messages", n)
	}
}

// Names come as clean, different names, at every pass the same ones.
func TestNames(t *testing.T) {
	long := strings.Repeat("x", 2000)
	names := [][]string{
		{"INBOX"},
		{"inbox", "sub"},
		{"Inbox", "Sub"},
		{"..", "..", "x"},
		{"a\x00b"},
		{"a\nb"},
		{"a_b"},
		{"a/b"},
		{"a", "b"},
		{"", "", "y"},
		{""},
		{" z "},
		{"z"},
		{"\xff\xfe"},
		{"e\u0301"},
		{"\u00e9"},
		{long},
		{long + "y"},
		{long, long},
		{"."},
		{"-"},
	}
	f := &fake{}
	for i, path := range names {
		b := box("x", i*10, 1)
		b.Path, b.Key = path, fmt.Sprint("key", i)
		f.boxes = append(f.boxes, b)
	}
	dst, _, _ := newAccount(t, storeaccount.Options{})
	r := mustRun(t, f, dst, migrate.Options{})
	seen := make(map[string]bool)
	for _, b := range r.Boxes {
		if clean, err := store.CleanName(b.Target); err != nil || clean != b.Target || seen[b.Target] || strings.Contains(b.Target, "..") {
			t.Errorf("%.40q becomes %.40q", b.Source, b.Target)
		}
		seen[b.Target] = true
	}
	if r.Copied != int64(len(names)) {
		t.Errorf("%+v", r.Totals)
	}
	// Another mailbox comes, which would take the name of one.
	b := box("x", 500, 1)
	b.Path, b.Key = []string{"a_b"}, "a0"
	f.boxes = append([]*fakeBox{b}, f.boxes...)
	if r := mustRun(t, f, dst, migrate.Options{}); r.Copied != 1 {
		t.Errorf("%+v", r.Totals)
	}
}

// All Mail and the like give only what no other mailbox has.
func TestViews(t *testing.T) {
	all := box("[Gmail]/All Mail", 0, 20)
	all.Role = `\All`
	starred := box("[Gmail]/Starred", 3, 4)
	starred.Role = `\Flagged`
	f := &fake{boxes: []*fakeBox{all, starred, box("INBOX", 0, 8), box("Label", 5, 5)}}
	for _, dry := range []bool{true, false} {
		dst, _, _ := newAccount(t, storeaccount.Options{})
		r := mustRun(t, f, dst, migrate.Options{DryRun: dry})
		if r.Copied != 8+5+10 || r.Doubles != 10+4 {
			t.Errorf("dry %v: %+v", dry, r.Totals)
		}
		if dry {
			if n := len(dump(t, dst)); n != 1 {
				t.Errorf("a dry run has made %d mailboxes", n)
			}
			continue
		}
		if n := len(dump(t, dst)["[Gmail]/All Mail"]); n != 10 {
			t.Errorf("%d messages in All Mail", n)
		}
		if r := mustRun(t, f, dst, migrate.Options{Verify: migrate.VerifyBodies}); r.Copied != 0 {
			t.Errorf("second pass: %+v", r.Totals)
		}
	}
	dst, _, _ := newAccount(t, storeaccount.Options{})
	if r := mustRun(t, f, dst, migrate.Options{Views: true}); r.Copied != 37 {
		t.Errorf("as ordinary mailboxes: %+v", r.Totals)
	}
}

// When UIDs lose their meaning messages are recognised, also in an interrupted pass.
func TestValidityChanges(t *testing.T) {
	for seed := range 20 {
		rng := random(seed)
		f := &fake{boxes: []*fakeBox{box("INBOX", 0, 30)}}
		b := f.boxes[0]
		b.list = append(b.list, b.list[29])
		b.list[30].ID = migrate.UIDString(31) // the same message twice
		dst, _, s := newAccount(t, storeaccount.Options{})
		mustRun(t, f, dst, migrate.Options{})
		b.Validity = "2"
		b.list = append(b.list[5:], box("INBOX", 100, 3).list...)
		rng.Shuffle(len(b.list), func(i, k int) { b.list[i], b.list[k] = b.list[k], b.list[i] })
		for i := range b.list {
			b.list[i].ID = migrate.UIDString(store.UID(1000 + i))
			b.list[i].Flags = store.Flags(i) & store.AllFlags
		}
		for n := 1; ; n++ {
			ff := &faults{at: 1 + rng.IntN(20*n), all: true}
			o := migrate.Options{BatchMessages: 4, Attempts: -1, Remove: true}
			if _, err := migrate.Run(t.Context(), &faultySource{f, ff}, &faultyTarget{openAccount(t, s, storeaccount.Options{}), ff}, o); err == nil {
				break
			} else if n > 100 {
				t.Fatal(err)
			}
		}
		want := make([]string, 0, len(b.list))
		for _, m := range b.list {
			want = append(want, fmt.Sprintf("%x %s %d %s", m.Flags, []string(nil), m.Received.Unix(), strings.TrimRight(m.body, "\r\n")))
		}
		slices.Sort(want)
		same(t, dump(t, dst), map[string][]string{"INBOX": want})
		if r := mustRun(t, f, dst, migrate.Options{Verify: migrate.VerifyBodies}); r.Copied != 0 {
			t.Errorf("%+v", r.Totals)
		}
	}
}

// What the quota does not take is named; what fits is copied.
func TestQuota(t *testing.T) {
	for _, batch := range [...]int{0, 2, 3} { // several are on their way when one is refused
		f := &fake{boxes: []*fakeBox{box("INBOX", 0, 12)}}
		big := &f.boxes[0].list[3]
		big.body += strings.Repeat("x\r\n", 2000)
		big.Size = int64(len(big.body))
		dst, _, _ := newAccount(t, storeaccount.Options{Limits: store.Limits{Bytes: 4000}})
		o := migrate.Options{BatchMessages: batch}
		r, err := migrate.Run(t.Context(), f, dst, o)
		if !errors.Is(err, migrate.ErrLoss) || r.Copied != 11 || r.Skipped != 1 || r.Skips[0].Reason != migrate.Quota {
			t.Errorf("%d: %v, %+v, %+v", batch, err, r.Totals, r.Skips)
		}
		r, err = migrate.Run(t.Context(), f, dst, o)
		if !errors.Is(err, migrate.ErrLoss) || r.Copied != 0 || r.Present != 11 {
			t.Errorf("%d, again: %v, %+v, %+v", batch, err, r.Totals, r.Skips)
		}
	}
}

// MaxBytes ends a run in order; the next ones go on.
func TestMaxBytes(t *testing.T) {
	f := &fake{boxes: []*fakeBox{box("INBOX", 0, 30), box("x", 50, 30)}}
	dst, _, _ := newAccount(t, storeaccount.Options{})
	total := int64(0)
	for n := 1; ; n++ {
		r, err := migrate.Run(t.Context(), f, dst, migrate.Options{MaxBytes: 1000})
		if r.Bytes > 1000 {
			t.Fatalf("%d octets", r.Bytes)
		}
		total += r.Copied
		if err == nil {
			if n < 5 {
				t.Errorf("%d runs", n)
			}
			break
		}
		if !errors.Is(err, migrate.ErrLimit) {
			t.Fatal(err)
		}
	}
	if total != 60 {
		t.Errorf("%d messages", total)
	}
}

// A user who has changed or deleted what was migrated keeps it so.
func TestTargetKeepsItsOwn(t *testing.T) {
	f := &fake{boxes: []*fakeBox{box("INBOX", 0, 5)}}
	dst, a, _ := newAccount(t, storeaccount.Options{})
	mustRun(t, f, dst, migrate.Options{})
	m, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Apply(t.Context(), store.Change{Ops: []store.Op{
		store.SetFlags{Mailbox: m.ID, UIDs: store.UIDs(1), Flags: store.Seen},
		store.Expunge{Mailbox: m.ID, UIDs: store.UIDs(2)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	f.boxes[0].list[0].Flags = store.Flagged
	f.boxes[0].list[1].Flags = store.Flagged
	if r := mustRun(t, f, dst, migrate.Options{}); r.Copied != 0 {
		t.Errorf("%+v", r.Totals)
	}
	list := dump(t, dst)["INBOX"]
	if len(list) != 4 || !slices.ContainsFunc(list, func(s string) bool { return strings.HasPrefix(s, "5 ") }) {
		t.Errorf("%.60q", list)
	}
}

// Two runs of one migration at a time: one of them ends.
func TestBusy(t *testing.T) {
	f := &fake{boxes: []*fakeBox{box("INBOX", 0, 50)}}
	_, _, s := newAccount(t, storeaccount.Options{})
	first := openAccount(t, s, storeaccount.Options{})
	started := false
	_, err := migrate.Run(t.Context(), f, first, migrate.Options{BatchMessages: 10, Progress: func(e migrate.Event) {
		if e.Kind == migrate.Copied && !started {
			started = true
			mustRun(t, f, openAccount(t, s, storeaccount.Options{}), migrate.Options{})
		}
	}})
	if !errors.Is(err, migrate.ErrBusy) {
		t.Errorf("%v", err)
	}
	mustRun(t, f, openAccount(t, s, storeaccount.Options{}), migrate.Options{Verify: migrate.VerifyBodies})
	if n := len(dump(t, first)["INBOX"]); n != 50 {
		t.Errorf("%d messages", n)
	}
	k := &migrate.DirKeeper{Dir: t.TempDir()}
	release, err := k.Acquire(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&migrate.DirKeeper{Dir: k.Dir}).Acquire(t.Context(), "x"); !errors.Is(err, migrate.ErrBusy) {
		t.Errorf("%v", err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
}

// Roles come from the source, else from names, each once.
func TestRoles(t *testing.T) {
	f := &fake{}
	for _, name := range []string{"INBOX/Gesendet", "Sent Items", "Papierkorb", "Spam", "ENTWÜRFE", "Archive", "Gelöschte Elemente", "Other"} {
		f.boxes = append(f.boxes, box(name, 0, 0))
	}
	f.boxes[5].Role = `\junk`
	dst, a, _ := newAccount(t, storeaccount.Options{})
	mustRun(t, f, dst, migrate.Options{})
	boxes, _, err := a.Mailboxes(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range boxes {
		if m.Role != "" {
			got = append(got, m.Name+"="+m.Role)
		}
	}
	if want := `[Archive=\Junk ENTWÜRFE=\Drafts INBOX/Gesendet=\Sent Papierkorb=\Trash]`; fmt.Sprint(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
}
