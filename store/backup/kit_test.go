package backup_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup"
	"github.com/mailstead/mailstead/store/memstore"
)

func newStore(t testing.TB) *memstore.Store {
	t.Helper()
	s := memstore.New(nil)
	t.Cleanup(func() { s.Close() })
	return s
}

func newArchive(t testing.TB) *backup.Archive {
	t.Helper()
	return &backup.Archive{Target: backup.NewDir(t.TempDir())}
}

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// user changes an account at random.
type user struct {
	t     testing.TB
	s     store.Store
	a     store.Account
	id    store.AccountID
	inbox store.MailboxID
	rng   *rand.Rand
}

func newUser(t testing.TB, s store.Store, id store.AccountID, seed uint64) *user {
	t.Helper()
	ctx := context.Background()
	if err := s.Create(ctx, id, store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	u := &user{t: t, s: s, id: id, rng: rand.New(rand.NewPCG(seed, 1))}
	u.a = must(s.Open(ctx, id))(t)
	u.inbox = must(store.MailboxByName(ctx, u.a, store.Inbox))(t).ID
	return u
}

func (u *user) apply(ops ...store.Op) store.Result {
	u.t.Helper()
	return must(u.a.Apply(context.Background(), store.Change{Ops: ops}))(u.t)
}

// put appends a message with a body of its own.
func (u *user) put(box store.MailboxID, body string) store.UID {
	u.t.Helper()
	r := must(store.AppendMessage(context.Background(), u.s, u.a, "", store.NewMessage{
		Mailbox: box, Body: strings.NewReader(body), BodySize: int64(len(body)),
		Flags: store.Flags(u.rng.IntN(32)), Keywords: []string{"$k" + fmt.Sprint(u.rng.IntN(4))},
		Received: time.Unix(1e9+u.rng.Int64N(1e8), 0).In(time.FixedZone("", 3600*u.rng.IntN(12))),
		Prefix:   fmt.Appendf(nil, "Return-Path: <%d@example.org>\r\n", u.rng.IntN(100)),
	}))(u.t)
	return r.Ops[0].Dest.Min()
}

func (u *user) text() string {
	n := u.rng.IntN(2000)
	return fmt.Sprintf("Message-ID: <%d@x>\r\nSubject: number %d\r\n\r\n%s", u.rng.Uint64(), u.rng.IntN(5), strings.Repeat("words and words ", n))
}

func (u *user) boxes() (out []store.Mailbox) {
	list, _, err := u.a.Mailboxes(context.Background(), 0)
	if err != nil {
		u.t.Fatal(err)
	}
	return slices.DeleteFunc(list, func(m store.Mailbox) bool { return m.NoSelect })
}

// step makes one random change; what the store refuses is no matter.
func (u *user) step() {
	u.t.Helper()
	boxes := u.boxes()
	pick := func() store.Mailbox { return boxes[u.rng.IntN(len(boxes))] }
	box := pick()
	some := store.UIDs(store.UID(1+u.rng.IntN(int(box.UIDNext))), store.UID(1+u.rng.IntN(int(box.UIDNext))))
	var op store.Op
	yes := u.rng.IntN(2) == 0
	switch u.rng.IntN(12) {
	case 0, 1, 2, 3:
		u.put(box.ID, u.text())
		return
	case 4, 5:
		op = store.SetFlags{Mailbox: box.ID, UIDs: some, Mode: store.FlagsMode(u.rng.IntN(3)), Flags: store.Flags(u.rng.IntN(32)), Keywords: []string{"$z"}}
	case 6:
		op = store.Expunge{Mailbox: box.ID, UIDs: some}
	case 7:
		op = store.Copy{Source: box.ID, UIDs: some, Dest: pick().ID, Move: yes}
	case 8:
		op = store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: u.name(), Subscribed: &yes}
	case 9:
		op = store.PutMailbox{ID: box.ID, Name: u.name()}
		if yes {
			op = store.PutMailbox{ID: box.ID, Delete: true}
		}
	default:
		e := store.PutEntry{Key: fmt.Sprint("key/", u.rng.IntN(6)), Value: []byte(fmt.Sprint(u.rng.IntN(100)))}
		if yes {
			e.Mailbox = box.ID
		}
		switch u.rng.IntN(3) {
		case 0:
			e.Value = nil
		case 1:
			e.Expires = time.Now().Add(time.Hour)
		}
		op = e
	}
	_, _ = u.a.Apply(context.Background(), store.Change{Ops: []store.Op{op}})
}

func (u *user) name() string {
	levels := make([]string, 1+u.rng.IntN(3))
	for i := range levels {
		levels[i] = string(rune('a' + u.rng.IntN(4)))
	}
	return strings.Join(levels, "/")
}

func (u *user) steps(n int) {
	u.t.Helper()
	for range n {
		u.step()
	}
}

// dump is the account in lines, tombstones too, unless an import has just ended:
// then there are none that it can tell of.
func dump(t testing.TB, a store.Account) []string {
	t.Helper()
	ctx := context.Background()
	all, _, err := a.Mailboxes(ctx, 1)
	if err != nil && !errors.Is(err, store.ErrResync) {
		t.Fatal(err)
	}
	list, now, err := a.Mailboxes(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.Gone {
			list = append(list, m)
		}
	}
	out := []string{fmt.Sprintf("modseq %d", now)}
	for _, m := range list {
		out = append(out, backup.MailboxLine(m))
		if !m.Gone && !m.NoSelect {
			out = append(out, messages(t, a, m.ID)...)
		}
	}
	entries := map[string]bool{}
	for _, since := range []store.ModSeq{0, 1} {
		for e, err := range a.Entries(ctx, store.EntryQuery{All: true, Since: since}) {
			if errors.Is(err, store.ErrResync) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if l := backup.EntryLine(e); !entries[l] {
				entries[l] = true
				out = append(out, l)
			}
		}
	}
	slices.Sort(out)
	return out
}

const everyField = store.FieldDates | store.FieldIDs | store.FieldContent | store.FieldMeta

func messages(t testing.TB, a store.Account, id store.MailboxID) (out []string) {
	t.Helper()
	ctx := context.Background()
	for m, err := range a.Messages(ctx, id, store.Query{Fields: everyField}) {
		if err != nil {
			t.Fatal(err)
		}
		c := must(a.Content(ctx, id, m.UID))(t)
		sum := sha256.New()
		if _, err := io.Copy(sum, io.NewSectionReader(c, int64(len(m.Prefix)), c.Size()-int64(len(m.Prefix)))); err != nil {
			t.Fatal(err)
		}
		c.Close()
		out = append(out, backup.MessageLine(id, m, backup.Hash(sum.Sum(nil))))
	}
	for m, err := range a.Messages(ctx, id, store.Query{Since: 1}) {
		if errors.Is(err, store.ErrResync) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.Gone {
			out = append(out, backup.MessageLine(id, m, backup.Hash{}))
		}
	}
	return out
}

// same reports the lines that differ.
func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	var diff []string
	for _, l := range want {
		if !slices.Contains(got, l) {
			diff = append(diff, "- "+l)
		}
	}
	for _, l := range got {
		if !slices.Contains(want, l) {
			diff = append(diff, "+ "+l)
		}
	}
	t.Errorf("%s differs:\n\t%s", what, strings.Join(diff[:min(len(diff), 12)], "\n\t"))
}

// verified fails the test where Verify finds anything.
func verified(t testing.TB, a *backup.Archive, s store.Store) *backup.VerifyReport {
	t.Helper()
	r, err := a.Verify(context.Background(), backup.VerifyOptions{Store: s, Problem: func(p *backup.Problem) { t.Error(p) }})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
