package sqlite_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"mime"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/searchtext"
	"github.com/mailstead/mailstead/store/sqlite"
	"github.com/mailstead/mailstead/store/storetest"
)

// openSearching opens dir with an index.
func openSearching(t testing.TB, dir string) *opened {
	t.Helper()
	e, err := sqlite.Open(context.Background(), dir, sqlite.Options{Search: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return &opened{e.Store(), e, dir}
}

// TestStoreWithSearch is the suite on a store that is indexed meanwhile.
func TestStoreWithSearch(t *testing.T) {
	if testing.Short() {
		t.Skip("the suite runs once with -short: TestStore")
	}
	storetest.Run(t, storetest.Config{
		New: func(t *testing.T) store.Store { return openSearching(t, t.TempDir()) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			o := s.(*opened)
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
			return openSearching(t, o.dir)
		},
		Purge: func(t *testing.T, s store.Store, id store.AccountID, upTo store.ModSeq) {
			if err := s.(*opened).engine.Store().Purge(t.Context(), id, upTo); err != nil {
				t.Fatal(err)
			}
		},
		Has: storetest.Everything | storetest.Metas | storetest.Retains | storetest.Snapshots | storetest.Locks | storetest.Keys | storetest.Searches,
	})
}

// alphabet has what folding and encodings are about.
var alphabet = []rune("abcdeABCDE  ,.-ßäÄöÖıİſKéÉжЖ漢字😀\"'%*")

func randomText(rnd *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		b.WriteRune(alphabet[rnd.IntN(len(alphabet))])
	}
	return b.String()
}

// randomMessage has encoded words, and text in one of the encodings, alone or in
// a part.
func randomMessage(rnd *rand.Rand) string {
	text := randomText(rnd, 5+rnd.IntN(300))
	var b bytes.Buffer
	fmt.Fprintf(&b, "Subject: %s\r\n", mime.QEncoding.Encode("utf-8", randomText(rnd, 3+rnd.IntN(20))))
	part := func() {
		switch rnd.IntN(4) {
		case 0:
			fmt.Fprintf(&b, "Content-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n", text)
		case 1:
			b.WriteString("Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
			w := quotedprintable.NewWriter(&b)
			fmt.Fprint(w, text)
			w.Close()
			b.WriteString("\r\n")
		case 2:
			b.WriteString("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n")
			for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString([]byte(text))), 76) {
				fmt.Fprintf(&b, "%s\r\n", line)
			}
		case 3:
			fmt.Fprintf(&b, "Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdfe \xc4b\x00c\x01d %d\r\n", rnd.IntN(100))
		}
	}
	if rnd.IntN(2) == 0 {
		part()
		return b.String()
	}
	b.WriteString("Content-Type: multipart/mixed; boundary=xx\r\n\r\npreamble\r\n")
	for range 1 + rnd.IntN(3) {
		b.WriteString("--xx\r\nX-Part: " + strings.ToUpper(randomText(rnd, 4)) + "\r\n")
		part()
		text = randomText(rnd, 50)
	}
	b.WriteString("--xx--\r\n")
	return b.String()
}

func appendText(t testing.TB, s store.Store, a store.Account, box store.MailboxID, text string) {
	t.Helper()
	_, err := store.AppendMessage(t.Context(), s, a, "", store.NewMessage{
		Mailbox: box, Prefix: []byte("Return-Path: <Zoe@Example.org>\r\n"), Body: strings.NewReader(text), BodySize: int64(len(text)),
	})
	if err != nil {
		t.Fatal(err)
	}
}

// plain hides the index.
type plain struct{ store.Account }

func (plain) As(any) bool { return false }

// sameAnswers compares the index and the scan of what it does not know with the
// scan of all.
func sameAnswers(t *testing.T, a store.Account, q store.SearchQuery) (hits store.SearchHits) {
	t.Helper()
	q.MaxScan = -1
	match := searchtext.Matcher(q.Text, q.In)
	want, err := store.Search(t.Context(), plain{a}, q, match)
	if err != nil {
		t.Fatal(err)
	}
	got, err := store.Search(t.Context(), a, q, match)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q in part %d of %v: %v with the index, %v without", q.Text, q.In, q.UIDs, got, want)
	}
	s, ok := store.As[store.Searcher](a)
	if !ok {
		t.Fatal("the account is no Searcher")
	}
	hits, err = s.SearchText(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if wrong := hits.Match.Minus(want); len(wrong) > 0 {
		t.Errorf("%q in part %d: guessed %v", q.Text, q.In, wrong)
	}
	return hits
}

// account makes alice with n random messages in INBOX.
func account(t testing.TB, s store.Store, rnd *rand.Rand, n int) (store.Account, store.MailboxID) {
	t.Helper()
	if err := s.Create(t.Context(), "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	a, err := s.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		appendText(t, s, a, inbox.ID, randomMessage(rnd))
	}
	return a, inbox.ID
}

func needle(rnd *rand.Rand) string {
	if rnd.IntN(10) == 0 {
		return []string{"Zoe@Example", "GRÜßE", "x-part: ", "b\x00c", "\x01d", "Subject: ", "\r\n"}[rnd.IntN(7)]
	}
	return randomText(rnd, 1+rnd.IntN(5))
}

// TestSearchAnswers: whatever is looked for, the index says what reading all
// messages says, and it knows most of it alone.
func TestSearchAnswers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	s := openSearching(t, t.TempDir())
	a, inbox := account(t, s, rnd, 150)
	if err := s.engine.WaitIndexed(t.Context()); err != nil {
		t.Fatal(err)
	}
	refuted, questions := 0, 600
	if testing.Short() {
		questions = 60
	}
	for range questions {
		q := store.SearchQuery{Mailbox: inbox, Text: needle(rnd), In: store.TextPart(rnd.IntN(3))}
		if rnd.IntN(3) == 0 {
			q.UIDs.AddRange(store.UID(1+rnd.IntN(80)), store.UID(80+rnd.IntN(100)))
		}
		if hits := sameAnswers(t, a, q); len(hits.Unknown) == 0 {
			refuted++
		}
	}
	if refuted < questions/3 {
		t.Errorf("the index alone knew the answer to %d searches of %d", refuted, questions)
	}
}

// TestSearchFollows: flags, copies, moves, expunges and deletions, and what a
// restart finds.
func TestSearchFollows(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	s := openSearching(t, t.TempDir())
	a, inbox := account(t, s, rnd, 40)
	other := store.NewMailboxID()
	apply := func(ops ...store.Op) {
		t.Helper()
		if _, err := a.Apply(t.Context(), store.Change{Ops: ops}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, knows bool) {
		t.Helper()
		if err := s.engine.WaitIndexed(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, box := range []store.MailboxID{inbox, other} {
			for range 30 {
				sameAnswers(t, a, store.SearchQuery{Mailbox: box, Text: needle(rnd), In: store.TextPart(rnd.IntN(3))})
			}
			hits := sameAnswers(t, a, store.SearchQuery{Mailbox: box, Text: "qqq"})
			if len(hits.Unknown) > 0 == knows {
				t.Errorf("%s: unknown are %v", what, hits.Unknown)
			}
		}
	}
	apply(store.PutMailbox{ID: other, Create: true, Name: "Other"})
	check("appended", true)
	apply(store.SetFlags{Mailbox: inbox, UIDs: store.AllUIDs(), Mode: store.FlagsAdd, Flags: store.Seen})
	apply(store.Copy{Source: inbox, Dest: other, UIDs: store.UIDs(1, 3, 5)})
	apply(store.Copy{Source: inbox, Dest: other, UIDs: store.UIDs(2, 4, 6), Move: true})
	check("copied and moved", true)
	apply(store.Expunge{Mailbox: inbox, UIDs: store.UIDs(1, 7, 8, 9)})
	appendText(t, s, a, inbox, randomMessage(rnd))
	check("expunged", true)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openSearching(t, s.dir)
	a, _ = s.Open(t.Context(), "alice")
	check("opened again", true)

	if err := s.engine.Store().Purge(t.Context(), "alice", 1<<40); err != nil {
		t.Fatal(err)
	}
	appendText(t, s, a, inbox, randomMessage(rnd))
	check("after a purge", true)

	for _, damage := range []func(name string){
		func(name string) { os.Remove(name) },
		func(name string) { os.WriteFile(name, bytes.Repeat([]byte("no database "), 1000), 0o600) },
		func(name string) { os.Truncate(name, 8192) },
	} {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(s.dir, "search.db")
		if _, err := os.Stat(name); err != nil {
			t.Fatal(err)
		}
		damage(name)
		s = openSearching(t, s.dir)
		if a, err := s.Open(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		} else {
			sameAnswers(t, a, store.SearchQuery{Mailbox: inbox, Text: "zoe@"})
		}
	}
}

// TestSearchForgets: nothing is left of messages and accounts that are gone.
func TestSearchForgets(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	s := openSearching(t, t.TempDir())
	a, inbox := account(t, s, rnd, 20)
	if err := s.engine.WaitIndexed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := s.engine.IndexRows(t); n == 0 {
		t.Fatal("nothing was indexed")
	}
	if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{store.Expunge{Mailbox: inbox, UIDs: store.AllUIDs()}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.engine.WaitIndexed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := s.engine.IndexRows(t); n != 2 {
		t.Errorf("%d rows after all was expunged, want those of account and INBOX", n)
	}
	appendText(t, s, a, inbox, randomMessage(rnd))
	if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{store.DropAccount{}}}); err != nil {
		t.Fatal(err)
	}
	if err := s.engine.WaitIndexed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := s.engine.IndexRows(t); n != 0 {
		t.Errorf("%d rows after the account was dropped", n)
	}
}

// TestSearchAfterRestore: mail.db comes back from an earlier state, and the
// UIDs that the index knows are given to other messages.
func TestSearchAfterRestore(t *testing.T) {
	s := openSearching(t, t.TempDir())
	rnd := rand.New(rand.NewPCG(9, 10))
	a, inbox := account(t, s, rnd, 5)
	reopen := func(between func()) {
		t.Helper()
		if err := s.engine.WaitIndexed(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		between()
		s = openSearching(t, s.dir)
		var err error
		if a, err = s.Open(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
	}
	db := filepath.Join(s.dir, "mail.db")
	var saved []byte
	reopen(func() { saved, _ = os.ReadFile(db) })
	appendText(t, s, a, inbox, "Subject: one\r\n\r\nthe first life of this UID\r\n")
	reopen(func() { os.WriteFile(db, saved, 0o600) })
	appendText(t, s, a, inbox, "Subject: two\r\n\r\nanother message has it now\r\n")
	appendText(t, s, a, inbox, "Subject: three\r\n\r\nand one more\r\n")
	if err := s.engine.WaitIndexed(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"first life", "another message", "one", "two"} {
		sameAnswers(t, a, store.SearchQuery{Mailbox: inbox, Text: text})
	}
}

// TestSearchDuringChanges: answers are right for the messages that are there
// before and after.
func TestSearchDuringChanges(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 12))
	s := openSearching(t, t.TempDir())
	a, inbox := account(t, s, rnd, 30)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		rnd := rand.New(rand.NewPCG(13, 14))
		for i := 0; ctx.Err() == nil && i < 400; i++ {
			appendText(t, s, a, inbox, "Subject: new\r\n\r\nhas the needle\r\n")
			uid := store.UID(1 + rnd.IntN(30+i))
			if _, err := a.Apply(context.Background(), store.Change{Ops: []store.Op{store.Expunge{Mailbox: inbox, UIDs: store.UIDs(uid)}}}); err != nil {
				t.Error(err)
			}
		}
	})
	q := store.SearchQuery{Mailbox: inbox, Text: "needle", MaxScan: -1}
	there := func() (set store.UIDSet) {
		for m, err := range a.Messages(t.Context(), inbox, store.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			set.Add(m.UID)
		}
		return set
	}
	for range 40 {
		before := there()
		got, err := store.Search(t.Context(), a, q, searchtext.Matcher(q.Text, q.In))
		if err != nil {
			t.Fatal(err)
		}
		want := before.Intersect(there()).Minus(store.UIDSet{{First: 1, Last: 30}})
		if lost := want.Minus(got); len(lost) > 0 {
			t.Fatalf("not found: %v", lost)
		}
		if wrong := got.Intersect(store.UIDSet{{First: 1, Last: 30}}); len(wrong) > 0 {
			t.Fatalf("found without it: %v", wrong)
		}
	}
	cancel()
	wg.Wait()
}

// TestWithoutSearch: the index is removed, since it would not follow.
func TestWithoutSearch(t *testing.T) {
	s := openSearching(t, t.TempDir())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, s.dir)
	if left, _ := filepath.Glob(filepath.Join(s.dir, "search*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := s.engine.WaitIndexed(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestSearchLongMessage: of a text that is longer than what is indexed the
// index says that it does not know the rest.
func TestSearchLongMessage(t *testing.T) {
	s := openSearching(t, t.TempDir())
	a, inbox := account(t, s, rand.New(rand.NewPCG(1, 1)), 0)
	long := "Subject: long\r\n\r\nthe beginning\r\n" + strings.Repeat(strings.Repeat("é", 35)+"\r\n", 1<<20/70) + "the end\r\n"
	appendText(t, s, a, inbox, long)
	appendText(t, s, a, inbox, "Subject: short\r\n\r\nthe middle\r\n")
	if err := s.engine.WaitIndexed(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What stands between texts in the index is not in any text.
	for _, text := range []string{"le\r\n\x01", "rt\x01", "t\x01r", "\x01\x01\x01", "rt\x00"} {
		sameAnswers(t, a, store.SearchQuery{Mailbox: inbox, Text: text, UIDs: store.UIDs(2)})
	}
	for _, text := range []string{"the beginning", "the end", "the middle", "nowhere"} {
		if hits := sameAnswers(t, a, store.SearchQuery{Mailbox: inbox, Text: text}); !hits.Unknown.Contains(1) {
			t.Errorf("%q: the index claims to know the long message", text)
		}
	}
}
