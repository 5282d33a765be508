package sqlite_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/searchtext"
	"github.com/mailstead/mailstead/store/sqlite"
)

// searchMailbox is an INBOX with n messages of 4 KB, of words as common as
// those of a language: the k-th is k times rarer than the first. n is that of
// MAILSTEAD_SEARCH_MESSAGES, 1000 without it.
func searchMailbox(b *testing.B) (s *opened, a store.Account, inbox store.MailboxID, n int, common string) {
	b.Helper()
	n = 1000
	if v, err := strconv.Atoi(os.Getenv("MAILSTEAD_SEARCH_MESSAGES")); err == nil {
		n = v
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 30_000)
	for i := range words {
		var w strings.Builder
		for range 1 + rnd.IntN(4) {
			w.WriteByte("bcdfghklmnprstvw"[rnd.IntN(16)])
			w.WriteString([]string{"a", "e", "i", "o", "u", "ea", "er", "in", "on"}[rnd.IntN(9)])
		}
		words[i] = w.String()
	}
	zipf := rand.NewZipf(rnd, 1.1, 3, uint64(len(words)-1))
	dir := b.TempDir()
	s = open(b, dir)
	a, inbox = account(b, s, rnd, 0)
	var c store.Change
	for i := range n {
		var text strings.Builder
		fmt.Fprintf(&text, "From: a@example.org\r\nSubject: %s\r\n\r\n", words[zipf.Uint64()])
		for text.Len() < 4000 {
			text.WriteString(words[zipf.Uint64()])
			text.WriteByte(' ')
		}
		if i%100 == 0 { // the rare one
			text.WriteString("quixotic xylophone")
		}
		op, err := store.PrepareAppend(b.Context(), s, store.NewMessage{Mailbox: inbox, Body: strings.NewReader(text.String()), BodySize: int64(text.Len())})
		if err != nil {
			b.Fatal(err)
		}
		if c.Ops = append(c.Ops, op); len(c.Ops) == 1000 || i == n-1 {
			if _, err := a.Apply(b.Context(), c); err != nil {
				b.Fatal(err)
			}
			c.Ops = nil
		}
	}
	return s, a, inbox, n, words[0] + " " + words[1]
}

// BenchmarkSearch looks for a rare text, for one that is nowhere and for a
// common one: by reading all messages, and with the index. The index's own cost
// is that of "index".
func BenchmarkSearch(b *testing.B) {
	s, a, inbox, n, common := searchMailbox(b)
	needles := []struct{ name, text string }{{"rare", "quixotic xylo"}, {"absent", "zzyzx road"}, {"common", common}}
	search := func(b *testing.B, a store.Account, text string) {
		for b.Loop() {
			q := store.SearchQuery{Mailbox: inbox, Text: text, In: store.TextAnywhere, MaxScan: -1}
			if _, err := store.Search(b.Context(), a, q, searchtext.Matcher(q.Text, q.In)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/message")
	}
	for _, q := range needles {
		b.Run("scan/"+q.name, func(b *testing.B) { search(b, a, q.text) })
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	var e *sqlite.Engine
	b.Run("index", func(b *testing.B) {
		for b.Loop() { // removed by an Engine without Search
			if e != nil {
				e.Close()
				open(b, s.dir).Close()
			}
			var err error
			if e, err = sqlite.Open(context.Background(), s.dir, sqlite.Options{Search: true, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}); err != nil {
				b.Fatal(err)
			}
			if err := e.WaitIndexed(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		took := b.Elapsed()
		e.Close() // all is in the file then
		var size int64
		files, _ := filepath.Glob(filepath.Join(s.dir, "search.db*"))
		for _, f := range files {
			if fi, err := os.Stat(f); err == nil {
				size += fi.Size()
			}
		}
		b.ReportMetric(float64(took.Microseconds())/float64(b.N)/float64(n), "us/message")
		b.ReportMetric(float64(size)/float64(n), "B/message")
	})
	e = openSearching(b, s.dir).engine
	if err := e.WaitIndexed(b.Context()); err != nil {
		b.Fatal(err)
	}
	a, err := e.Store().Open(b.Context(), "alice")
	if err != nil {
		b.Fatal(err)
	}
	for _, q := range needles {
		b.Run("indexed/"+q.name, func(b *testing.B) { search(b, a, q.text) })
	}
}
