package imapserver

import (
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
)

// headTail keeps the start and the end of what is written, so that the client's
// memory is not taken for the server's.
type headTail struct {
	memoryConn
	head, tail []byte
}

const headTailSize = 64 << 10

func newHeadTail(in string) *headTail {
	return &headTail{
		memoryConn: memoryConn{in: strings.NewReader(in)},
		head:       make([]byte, 0, headTailSize), tail: make([]byte, 0, 4*headTailSize),
	}
}

func (c *headTail) Write(p []byte) (int, error) {
	c.head = append(c.head, p[:min(len(p), headTailSize-len(c.head))]...)
	if len(c.tail)+len(p) > cap(c.tail) {
		c.tail = c.tail[:copy(c.tail, c.tail[max(0, len(c.tail)-headTailSize):])]
	}
	c.tail = append(c.tail, p[max(0, len(p)-headTailSize):]...)
	return len(p), nil
}

// attacked is a server under attack.
type attacked struct {
	srv  *Server
	st   store.Store
	book logBook
}

func newAttacked(t testing.TB) *attacked {
	a := &attacked{st: testStore(t)}
	deliver(t, a.st, "alice", "INBOX", seedMessage, 0)
	deliver(t, a.st, "alice", "INBOX", "x: y\r\n\r\n", 0)
	cfg := testConfig(a.st)
	cfg.Logger = slog.New(slog.NewTextHandler(&a.book, &slog.HandlerOptions{Level: slog.LevelError}))
	a.srv = testServer(t, cfg)
	return a
}

// run gives a new session on INBOX the input, and returns what it answered and
// how many octets were allocated for that.
func (a *attacked) run(t testing.TB, in string) (head, tail string, allocated int64) {
	t.Helper()
	serve := func(in string) (*headTail, int64) {
		conn := newHeadTail("z1 LOGIN alice secret\r\nz2 SELECT INBOX\r\n" + in)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := a.srv.ServeConn(conn); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return conn, int64(after.TotalAlloc - before.TotalAlloc)
	}
	_, idle := serve("") // with warm pools
	conn, n := serve(in)
	_, head, ok := strings.Cut(string(conn.head), "SELECT completed\r\n")
	if !ok {
		t.Fatalf("no SELECT: %.300q", conn.head)
	}
	return head, string(conn.tail), n - idle
}

// judge holds an answer against what every hostile command has to give.
func (a *attacked) judge(t *testing.T, in, want string) {
	t.Helper()
	head, tail, allocated := a.run(t, in+"\r\nb NOOP\r\n")
	if !strings.HasPrefix(head, want) {
		t.Errorf("got %.300q, want %q", head, want)
	}
	if !strings.HasSuffix(tail, "b OK NOOP completed\r\n") {
		t.Errorf("the next command was not answered: %.300q", head)
	}
	if allocated > 1<<20 && !raceDetector {
		t.Errorf("%.60s: allocated %d octets", in, allocated)
	}
	if s := a.book.String(); s != "" {
		t.Errorf("logged: %.500s", s)
	}
}

// TestHostile sends what has brought down IMAP servers, or made them slow. The
// session goes on behind each, and so does another one.
func TestHostile(t *testing.T) {
	a := newAttacked(t)
	nc, r := loggedInConn(t, listenAndServe(t, a.srv))
	for _, tt := range hostileCommands {
		t.Run(tt.name, func(t *testing.T) {
			a.judge(t, tt.in, tt.want)
			io.WriteString(nc, "n NOOP\r\n")
			if line, err := r.ReadString('\n'); line != "n OK NOOP completed\r\n" {
				t.Errorf("another session: %q, %v", line, err)
			}
		})
	}
}

// TestHostileMessages reads messages that no sane client wrote.
func TestHostileMessages(t *testing.T) {
	if raceDetector && testing.Short() {
		t.Skip("work, not concurrency")
	}
	for _, tt := range hostileMessages {
		t.Run(tt.name, func(t *testing.T) {
			a := newAttacked(t)
			deliver(t, a.st, "alice", "INBOX", tt.message, 0)
			for _, items := range []string{"ENVELOPE", "BODYSTRUCTURE", "BODY.PEEK[1.1.1.MIME]", "BODY.PEEK[HEADER.FIELDS (To Subject)]<0.100>"} {
				a.judge(t, "a FETCH 3 "+items, "* 3 FETCH (")
			}
			a.judge(t, "a SEARCH 3 TO xyzzy SUBJECT xyzzy", "* SEARCH\r\na OK")
			a.judge(t, "a SEARCH 3 TEXT xyzzy", "* SEARCH\r\na OK")
		})
	}
}

// BenchmarkHostile shows how long each takes.
func BenchmarkHostile(b *testing.B) {
	for _, tt := range append(hostileCommands, hostileMessages...) {
		b.Run(tt.name, func(b *testing.B) {
			a := newAttacked(b)
			in := tt.in
			if tt.message != "" {
				deliver(b, a.st, "alice", "INBOX", tt.message, 0)
				in = "a FETCH 3 (ENVELOPE BODYSTRUCTURE)\r\na SEARCH 3 TEXT xyzzy"
			}
			for b.Loop() {
				a.run(b, in+"\r\n")
			}
		})
	}
}

func keywords(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, " k%d", i)
	}
	return b.String()[1:]
}
