package imapserver

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// bigMailbox is a store whose INBOX has n messages.
func bigMailbox(tb testing.TB, n int) *memstore.Store {
	tb.Helper()
	st := testStore(tb)
	a, err := st.Open(tb.Context(), "alice")
	if err != nil {
		tb.Fatal(err)
	}
	m, err := store.MailboxByName(tb.Context(), a, store.Inbox)
	if err != nil {
		tb.Fatal(err)
	}
	op, err := store.PrepareAppend(tb.Context(), st, store.NewMessage{
		Mailbox: m.ID, Body: strings.NewReader(seedMessage), BodySize: int64(len(seedMessage)), Flags: store.Seen,
	})
	if err != nil {
		tb.Fatal(err)
	}
	for n > 0 {
		var ops []store.Op
		for range min(n, 10_000) {
			op.EmailID = store.NewEmailID()
			ops = append(ops, op)
		}
		n -= len(ops)
		if _, err := a.Apply(tb.Context(), store.Change{Ops: ops}); err != nil {
			tb.Fatal(err)
		}
	}
	return st
}

// benchClient talks to a server over loopback and looks at nothing but the tag.
type benchClient struct {
	nc net.Conn
	r  *bufio.Reader
}

func newBenchClient(tb testing.TB, srv *Server) *benchClient {
	tb.Helper()
	nc, err := listenAndServe(tb, srv)()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { nc.Close() })
	c := &benchClient{nc, bufio.NewReaderSize(nc, 4<<20)}
	c.r.ReadSlice('\n')
	c.run(tb, "a LOGIN alice secret\r\n")
	c.run(tb, "a SELECT INBOX\r\n")
	return c
}

func (c *benchClient) run(tb testing.TB, command string) {
	if _, err := io.WriteString(c.nc, command); err != nil {
		tb.Fatal(err)
	}
	for {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			tb.Fatal(err)
		}
		if bytes.HasPrefix(line, []byte("a ")) {
			if !bytes.HasPrefix(line, []byte("a OK")) {
				tb.Fatalf("%s", line)
			}
			return
		}
	}
}

// BenchmarkCommand runs one command at a time on a warm view of 100,000
// messages.
func BenchmarkCommand(b *testing.B) {
	st := bigMailbox(b, 100_000)
	c := newBenchClient(b, testServer(b, testConfig(st)))
	for _, bb := range []struct{ name, command string }{
		{"noop", "a NOOP\r\n"},
		{"select", "a SELECT INBOX\r\n"},
		{"fetch-flags-100k", "a FETCH 1:* (FLAGS)\r\n"},
		{"fetch-envelope-10k", "a FETCH 1:10000 (ENVELOPE)\r\n"},
		{"fetch-body-10k", "a FETCH 1:10000 (BODY.PEEK[])\r\n"},
		{"search-unseen-100k", "a SEARCH UNSEEN\r\n"},
		{"search-from-10k", "a SEARCH 1:10000 FROM nobody\r\n"},
		{"search-text-1k", "a SEARCH 1:1000 TEXT nobody\r\n"},
		{"search-flags-100k", "a SEARCH RETURN (COUNT) OR (SEEN NOT DELETED) (FLAGGED LARGER 10000 UID 5:90000)\r\n"},
		{"search-from-100k", "a SEARCH FROM nobody\r\n"},
		{"search-header-100k", "a SEARCH HEADER X-None nobody\r\n"},
		{"search-body-100k", "a SEARCH BODY nobody\r\n"},
		{"sort-arrival-100k", "a SORT RETURN (MIN) (REVERSE ARRIVAL) UTF-8 ALL\r\n"},
		{"sort-subject-100k", "a SORT RETURN (MIN) (SUBJECT DATE) UTF-8 ALL\r\n"},
		{"thread-references-100k", "a THREAD REFERENCES UTF-8 ALL\r\n"},
		{"thread-subject-100k", "a THREAD ORDEREDSUBJECT UTF-8 ALL\r\n"},
		{"store-one", "a STORE 500 +FLAGS (\\Flagged)\r\n"},
		{"append", "a APPEND INBOX {8+}\r\na: b\r\n\r\n\r\n"},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.run(b, bb.command)
			}
		})
	}
}
