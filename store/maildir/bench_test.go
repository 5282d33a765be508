package maildir_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/maildir"
)

func openBench(b *testing.B, dir string) *maildir.Store {
	b.Helper()
	s, err := maildir.Open(dir, memblob.New(), maildir.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// BenchmarkAppend is one durable Append of 4 KB on real files: the store as it
// is, with the body in memory before. Writers share one account, or have one
// each.
func BenchmarkAppend(b *testing.B) {
	text := []byte("Subject: bench\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 56))
	for _, writers := range []int{1, 20} {
		for _, accounts := range []int{1, writers} {
			b.Run(fmt.Sprintf("writers=%d/accounts=%d", writers, accounts), func(b *testing.B) {
				s := openBench(b, filepath.Join(b.TempDir(), "mail"))
				var all []store.Account
				var boxes []store.MailboxID
				for i := range accounts {
					id := store.AccountID(fmt.Sprint("account", i))
					if err := s.Create(b.Context(), id, store.AccountInfo{}); err != nil {
						b.Fatal(err)
					}
					a, err := s.Open(b.Context(), id)
					if err != nil {
						b.Fatal(err)
					}
					in, err := store.MailboxByName(b.Context(), a, store.Inbox)
					if err != nil {
						b.Fatal(err)
					}
					all, boxes = append(all, a), append(boxes, in.ID)
				}
				b.ResetTimer()
				var wg sync.WaitGroup
				for w := range writers {
					n := b.N/writers + min(1, max(0, b.N%writers-w))
					wg.Go(func() {
						for range n {
							_, err := store.AppendMessage(b.Context(), s, all[w%accounts], "", store.NewMessage{
								Mailbox: boxes[w%accounts], Body: bytes.NewReader(text), BodySize: int64(len(text)),
							})
							if err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
			})
		}
	}
}

const folder = 100_000

// bigTree is a tree whose INBOX another program has filled.
func bigTree(b *testing.B) string {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "mail")
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, "alice", sub), 0o700); err != nil {
			b.Fatal(err)
		}
	}
	for i := range folder {
		name := filepath.Join(dir, "alice", "cur", fmt.Sprintf("%d.M1P1.host:2,S", i))
		if err := os.WriteFile(name, []byte("Subject: x\r\n\r\n"), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

// BenchmarkFolder is what a folder of 100,000 messages costs: to be taken in
// for the first time, to be opened again, to be listed, one Append to it, and a
// flag.
func BenchmarkFolder(b *testing.B) {
	dir := bigTree(b)
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			if err := os.RemoveAll(filepath.Join(dir, "alice", "mailstead")); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			if err := openBench(b, dir).Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if err := openBench(b, dir).Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	s := openBench(b, dir)
	a, err := s.Open(b.Context(), "alice")
	if err != nil {
		b.Fatal(err)
	}
	in, err := store.MailboxByName(b.Context(), a, store.Inbox)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			n := 0
			for _, err := range a.Messages(b.Context(), in.ID, store.Query{}) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			if n < folder {
				b.Fatal(n)
			}
		}
	})
	b.Run("append", func(b *testing.B) {
		for b.Loop() {
			m := store.NewMessage{Mailbox: in.ID, Body: strings.NewReader("Subject: y\r\n\r\n"), BodySize: -1}
			if _, err := store.AppendMessage(b.Context(), s, a, "", m); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("flag", func(b *testing.B) {
		mode := store.FlagsAdd
		for b.Loop() {
			op := store.SetFlags{Mailbox: in.ID, UIDs: store.UIDs(5), Mode: mode, Flags: store.Flagged}
			if _, err := a.Apply(b.Context(), store.Change{Ops: []store.Op{op}}); err != nil {
				b.Fatal(err)
			}
			mode = store.FlagsRemove - mode
		}
	})
}
