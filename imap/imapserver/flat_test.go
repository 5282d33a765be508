package imapserver

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
)

// largeMessage has one part in base64, of n octets.
func largeMessage(n int) string {
	var b strings.Builder
	b.WriteString("Subject: large\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	line := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", 55)+"\r\n")) + "\r\n"
	b.WriteString(strings.Repeat(line, n/57))
	return b.String()
}

// sinkConn takes what the server says and keeps its last octets.
type sinkConn struct {
	memoryConn
	in   io.Reader
	tail []byte
}

func (c *sinkConn) Read(p []byte) (int, error) { return c.in.Read(p) }

func (c *sinkConn) Write(p []byte) (int, error) {
	c.tail = append(c.tail[:0], p[max(len(p)-100, 0):]...)
	return len(p), nil
}

// allocated is how many octets one command costs, in a session that selected the
// INBOX of alice.
func allocated(t testing.TB, st store.Store, command string) int64 {
	t.Helper()
	cfg := testConfig(st)
	srv, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	run := func(command string) int64 {
		conn := &sinkConn{in: strings.NewReader("z LOGIN alice secret\r\nz SELECT INBOX\r\n" + command + "z NOOP\r\n")}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := srv.ServeConn(conn); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if !bytes.HasSuffix(conn.tail, []byte("z OK NOOP completed\r\n")) || bytes.Contains(conn.tail, []byte("a NO")) || bytes.Contains(conn.tail, []byte("a BAD")) {
			t.Fatalf("%.80q: %q", command, conn.tail)
		}
		return int64(after.TotalAlloc - before.TotalAlloc)
	}
	run(command) // pools and the view
	without := run("")
	return run(command) - without
}

// What a message costs does not grow with it: bodies are streamed, in all forms
// of FETCH.
func TestFlatMemory(t *testing.T) {
	const limit = 512 << 10
	for _, size := range []int{1 << 20, 10 << 20} {
		st := testStore(t)
		text := largeMessage(size)
		deliver(t, st, "alice", "INBOX", text, store.Seen)
		for _, command := range []string{
			"BODY.PEEK[]", "BODY.PEEK[1]", "BODY.PEEK[TEXT]<1000000.500000>", "BINARY.PEEK[1]", "BINARY.SIZE[1]", "(ENVELOPE BODYSTRUCTURE PREVIEW)",
		} {
			if n := allocated(t, st, "a FETCH 1 "+command+"\r\n"); n > limit {
				t.Errorf("%s of %d octets allocates %d", command, len(text), n)
			}
		}
	}
}

// BenchmarkLarge fetches and copies a message of 10 MB.
func BenchmarkLarge(b *testing.B) {
	st := testStore(b)
	text := largeMessage(10 << 20)
	deliver(b, st, "alice", "INBOX", text, store.Seen)
	c := newBenchClient(b, testServer(b, testConfig(st)))
	for _, command := range []string{"FETCH 1 BODY.PEEK[]", "FETCH 1 BINARY.PEEK[1]", "FETCH 1 BINARY.SIZE[1]"} {
		b.Run(strings.ReplaceAll(command, " ", "-"), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				c.run(b, fmt.Sprintf("a %s\r\n", command))
			}
		})
	}
}
