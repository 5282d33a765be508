package pop3server_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// benchmarkDrop is a server with n messages of size octets, and a client that
// has logged in.
func benchmarkDrop(b *testing.B, n, size int) *client {
	b.Helper()
	s := memstore.New(nil)
	if err := s.Create(b.Context(), alice, store.AccountInfo{}); err != nil {
		b.Fatal(err)
	}
	a, inbox := open(b, s)
	line := strings.Repeat("x", 76) + "\r\n"
	body := "Subject: x\r\n\r\n" + strings.Repeat(line, size/len(line))
	w, err := s.Blobs().Create(b.Context(), -1)
	if err != nil {
		b.Fatal(err)
	}
	io.WriteString(w, body)
	ref, err := w.Commit(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	for n > 0 {
		var ops []store.Op
		for ; n > 0 && len(ops) < 1000; n-- {
			ops = append(ops, store.Append{Mailbox: inbox, Blob: ref, Size: int64(len(body))})
		}
		if _, err := a.Apply(b.Context(), store.Change{Ops: ops}); err != nil {
			b.Fatal(err)
		}
	}
	_, addr := serve(b, s, nil)
	c := dial(b, addr)
	c.play(greetAndLogin)
	b.ReportAllocs()
	return c
}

// BenchmarkRETR retrieves messages of 8 KB, 100 commands a flight.
func BenchmarkRETR(b *testing.B) {
	c := benchmarkDrop(b, 100, 8<<10)
	var flight strings.Builder
	for i := range 100 {
		fmt.Fprintf(&flight, "RETR %d\r\n", i+1)
	}
	for i := 0; i < b.N; i += 100 {
		io.WriteString(c, flight.String())
		for range 100 {
			drain(b, c)
		}
	}
}

// BenchmarkUIDL lists 100,000 unique-ids; the time is that of one.
func BenchmarkUIDL(b *testing.B) {
	const n = 100_000
	c := benchmarkDrop(b, n, 10)
	for i := 0; i < b.N; i += n {
		c.send("UIDL")
		drain(b, c)
	}
}

// drain reads a listing without looking at it.
func drain(b *testing.B, c *client) {
	b.Helper()
	for {
		line, err := c.br.ReadSlice('\n')
		if err != nil {
			b.Fatal(err)
		}
		if string(line) == ".\r\n" {
			return
		}
	}
}

// BenchmarkSTAT logs in to 100,000 messages, says STAT and QUIT.
func BenchmarkSTAT(b *testing.B) {
	c := benchmarkDrop(b, 100_000, 10)
	c.play("C: QUIT\nS: +OK ...\nS: EOF")
	for b.Loop() {
		c := dial(b, c.RemoteAddr().String())
		io.WriteString(c, "USER alice\r\nPASS pass word\r\nSTAT\r\nQUIT\r\n")
		io.Copy(io.Discard, c.br)
		c.Close()
	}
}
