package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/storeaccount"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/memstore"
)

const user = "ann@a.example"

// newAccount is an empty account of a store in memory.
func newAccount(t testing.TB, o storeaccount.Options) (*storeaccount.Account, store.Account, store.Store) {
	t.Helper()
	s := memstore.New(memblob.New())
	o.Create = true
	return openAccount(t, s, o), mustOpen(t, s), s
}

func openAccount(t testing.TB, s store.Store, o storeaccount.Options) *storeaccount.Account {
	t.Helper()
	x, err := storeaccount.New(t.Context(), s, user, o)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func mustOpen(t testing.TB, s store.Store) store.Account {
	t.Helper()
	a, err := s.Open(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// text is message n, with a body of about size octets.
func text(n, size int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Message-ID: <%d@a.example>\r\nDate: Mon, 1 Jan 2024 00:00:%02d +0000\r\nFrom: a@a.example\r\nSubject: %d\r\n\r\n", n, n%60, n)
	for b.Len() < size {
		fmt.Fprintf(&b, "line %d of message %d\r\n", b.Len(), n)
	}
	return b.String()
}

// put appends a message to a mailbox, which is made where it is missing.
func put(t testing.TB, s store.Store, box, msg string, flags store.Flags, keywords ...string) {
	t.Helper()
	a := mustOpen(t, s)
	m, err := store.MailboxByName(t.Context(), a, box)
	if errors.Is(err, store.ErrNoMailbox) {
		m.ID = store.NewMailboxID()
		_, err = a.Apply(t.Context(), store.Change{Ops: []store.Op{store.PutMailbox{ID: m.ID, Create: true, Name: box}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.AppendMessage(t.Context(), s, a, "", store.NewMessage{
		Mailbox: m.ID, Flags: flags, Keywords: keywords, Received: time.Unix(1_600_000_000+int64(len(msg)), 0),
		Body: strings.NewReader(msg), BodySize: int64(len(msg)),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// dump lists what a source has: for each mailbox its messages as "flags keywords
// date digest", sorted.
func dump(t testing.TB, src migrate.Source) map[string][]string {
	t.Helper()
	boxes, err := src.Mailboxes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string][]string)
	for i := range boxes {
		if boxes[i].NoSelect {
			continue
		}
		r, err := src.Open(t.Context(), &boxes[i])
		if err != nil {
			t.Fatal(err)
		}
		out[boxes[i].Name()] = dumpReader(t, r)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func dumpReader(t testing.TB, r migrate.Reader) []string {
	t.Helper()
	list := []string{}
	var ms []*migrate.Message
	for m, err := range r.List(t.Context(), false) {
		if err != nil {
			t.Fatal(err)
		}
		ms = append(ms, m)
	}
	n := 0
	for b, err := range r.Fetch(t.Context(), ms) {
		if err != nil {
			t.Fatal(err)
		}
		for ms[n].ID != b.ID {
			n++
		}
		if b.Err != nil {
			t.Fatal(b.Err)
		}
		all, err := io.ReadAll(b)
		if err != nil {
			t.Fatal(err)
		}
		m := ms[n]
		kw := slices.Clone(m.Keywords)
		slices.Sort(kw)
		list = append(list, fmt.Sprintf("%x %s %d %s", m.Flags, kw, m.Received.Unix(), strings.TrimRight(string(all), "\r\n")))
	}
	slices.Sort(list)
	return list
}

// same compares two dumps.
func same(t testing.TB, got, want map[string][]string) {
	t.Helper()
	for box, list := range want {
		if len(list) == 0 && len(got[box]) == 0 {
			continue
		}
		if !slices.Equal(got[box], list) {
			t.Fatalf("mailbox %q: %d messages, want %d\n%s", box, len(got[box]), len(list), firstDifference(got[box], list))
		}
	}
	for box, list := range got {
		if len(list) > 0 && len(want[box]) == 0 {
			t.Fatalf("mailbox %q has %d messages too many", box, len(list))
		}
	}
}

func firstDifference(a, b []string) string {
	for i := range max(len(a), len(b)) {
		var x, y string
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return fmt.Sprintf("got  %.150q\nwant %.150q", x, y)
		}
	}
	return ""
}

// errCut is a connection that is lost.
var errCut = errors.New("connection lost")

// faults fails the k-th operation that it is asked about.
type faults struct {
	mu   sync.Mutex
	n    int
	at   int // 0 = never
	hits int
	all  bool // all from there on
}

func (f *faults) ask() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	if f.at > 0 && (f.n == f.at || f.all && f.n > f.at) {
		f.hits++
		return errCut
	}
	return nil
}

// faultySource is a Source whose operations fail.
type faultySource struct {
	migrate.Source
	f *faults
}

func (s *faultySource) Mailboxes(ctx context.Context) ([]migrate.Mailbox, error) {
	if err := s.f.ask(); err != nil {
		return nil, err
	}
	return s.Source.Mailboxes(ctx)
}

func (s *faultySource) Open(ctx context.Context, m *migrate.Mailbox) (migrate.Reader, error) {
	if err := s.f.ask(); err != nil {
		return nil, err
	}
	r, err := s.Source.Open(ctx, m)
	return &faultyReader{r, s.f}, err
}

type faultyReader struct {
	migrate.Reader
	f *faults
}

func (r *faultyReader) List(ctx context.Context, prints bool) iter.Seq2[*migrate.Message, error] {
	return func(yield func(*migrate.Message, error) bool) {
		for m, err := range r.Reader.List(ctx, prints) {
			if ferr := r.f.ask(); ferr != nil {
				yield(nil, ferr)
				return
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

func (r *faultyReader) Fetch(ctx context.Context, ms []*migrate.Message) iter.Seq2[*migrate.Body, error] {
	return func(yield func(*migrate.Body, error) bool) {
		for b, err := range r.Reader.Fetch(ctx, ms) {
			if ferr := r.f.ask(); ferr != nil {
				yield(nil, ferr)
				return
			}
			if b != nil && b.Reader != nil {
				b.Reader = &faultyBody{b.Reader, r.f}
			}
			if !yield(b, err) {
				return
			}
		}
	}
}

type faultyBody struct {
	r io.Reader
	f *faults
}

func (b *faultyBody) Read(p []byte) (int, error) {
	if err := b.f.ask(); err != nil {
		n, _ := b.r.Read(p[:len(p)/2]) // a part of it came
		return n, err
	}
	return b.r.Read(p)
}

// faultyTarget is a Target whose operations fail, before or after they were done.
type faultyTarget struct {
	migrate.Target
	f *faults
}

func (d *faultyTarget) do(work func() error) error {
	if err := d.f.ask(); err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	return d.f.ask()
}

func (d *faultyTarget) Mailboxes(ctx context.Context) (list []migrate.Mailbox, err error) {
	err = d.do(func() error { list, err = d.Target.Mailboxes(ctx); return err })
	return list, err
}

func (d *faultyTarget) Put(ctx context.Context, m migrate.Mailbox) (out migrate.Mailbox, err error) {
	err = d.do(func() error { out, err = d.Target.Put(ctx, m); return err })
	return out, err
}

func (d *faultyTarget) Open(ctx context.Context, m *migrate.Mailbox) (migrate.Reader, error) {
	if err := d.f.ask(); err != nil {
		return nil, err
	}
	return d.Target.Open(ctx, m)
}

func (d *faultyTarget) Write(ctx context.Context, m *migrate.Mailbox) (migrate.Writer, error) {
	if err := d.f.ask(); err != nil {
		return nil, err
	}
	w, err := d.Target.Write(ctx, m)
	return &faultyWriter{w, d}, err
}

func (d *faultyTarget) Keeper() migrate.Keeper {
	k := d.Target.Keeper()
	if k == nil {
		return nil
	}
	return &faultyKeeper{k, d}
}

type faultyKeeper struct {
	migrate.Keeper
	d *faultyTarget
}

func (k *faultyKeeper) Save(ctx context.Context, notes []migrate.Note) error {
	return k.d.do(func() error { return k.Keeper.Save(ctx, notes) })
}

type faultyWriter struct {
	migrate.Writer
	d *faultyTarget
}

func (w *faultyWriter) Add(ctx context.Context, m *migrate.Message, body io.Reader) (ref string, err error) {
	if err := w.d.f.ask(); err != nil {
		return "", err
	}
	return w.Writer.Add(ctx, m, body)
}

func (w *faultyWriter) Commit(ctx context.Context, notes []migrate.Note) (p []migrate.Placed, err error) {
	err = w.d.do(func() error { p, err = w.Writer.Commit(ctx, notes); return err })
	return p, err
}

func (w *faultyWriter) Alter(ctx context.Context, c []migrate.Alteration, notes []migrate.Note) error {
	return w.d.do(func() error { return w.Writer.Alter(ctx, c, notes) })
}

func (w *faultyWriter) Resolve(ctx context.Context, refs []string) (out []string, err error) {
	err = w.d.do(func() error { out, err = w.Writer.Resolve(ctx, refs); return err })
	return out, err
}

// random is a generator that a seed names.
func random(seed int) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), 1)) }

// seeds is how many of n are tried: fewer in a short run.
func seeds(n int) int {
	if testing.Short() {
		return n / 5
	}
	return n
}
