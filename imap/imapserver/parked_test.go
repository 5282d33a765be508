package imapserver

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/mailstead/mailstead/internal/inflate"
	"github.com/mailstead/mailstead/store"
)

// parkedSessions is how many connections TestParkedMemory opens.
func parkedSessions(t *testing.T) int {
	if n, err := strconv.Atoi(os.Getenv("MAILSTEAD_PARKED")); err == nil {
		return n
	}
	if testing.Short() {
		t.Skip("many connections")
	}
	return 200
}

// memoryInUse is heap and stacks after collections, of which each halves the
// stacks that it can.
func memoryInUse() int64 {
	var m runtime.MemStats
	for range 4 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// park leaves a session on INBOX in IDLE. What the client needs for that is
// given back: the client is not measured.
func park(t testing.TB, nc net.Conn, extra string) {
	t.Helper()
	fmt.Fprint(nc, "a LOGIN alice secret\r\nb SELECT INBOX\r\n"+extra+"c IDLE\r\n")
	for r := bufio.NewReaderSize(nc, 16); ; {
		l, _, err := r.ReadLine()
		if err != nil {
			t.Fatal(err)
		}
		if string(l) == "+ idling" {
			return
		}
	}
}

// TestParkedMemory opens sessions that select a mailbox and wait in IDLE (I4): at
// most 16 KiB each, whatever the size of the mailbox. The client's ends are in
// the same process and count too. MAILSTEAD_PARKED sets how many, and
// MAILSTEAD_PARKED_MESSAGES how large the large mailbox is.
func TestParkedMemory(t *testing.T) {
	sessions := parkedSessions(t)
	large := 10_000
	if n, err := strconv.Atoi(os.Getenv("MAILSTEAD_PARKED_MESSAGES")); err == nil {
		large = n
	}
	for _, messages := range []int{100, large} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d messages, TLS %v", messages, secure), func(t *testing.T) {
				each := parkedMemory(t, sessions, messages, secure)
				t.Logf("%.1f KiB a session, %d sessions", float64(each)/1024, sessions)
				if !secure && each > 16<<10 {
					t.Errorf("%d octets a session", each)
				}
			})
		}
	}
}

func parkedMemory(t *testing.T, sessions, messages int, secure bool) int64 {
	st := bigMailbox(t, messages)
	cfg := testConfig(st)
	cfg.Limits.MaxConnectionsPerUser, cfg.Limits.MaxConnections = -1, -1
	serverTLS, clientTLS := testTLS(t)
	if secure {
		cfg.TLSConfig, cfg.ImplicitTLS = serverTLS, true
	}
	dial := listenAndServe(t, testServer(t, cfg))
	open := func() net.Conn {
		nc, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		nc.SetDeadline(time.Now().Add(5 * time.Minute))
		if secure {
			return tls.Client(nc, clientTLS)
		}
		return nc
	}
	park(t, open(), "") // the view is warm
	conns := make([]net.Conn, sessions)
	before := memoryInUse()
	for i := range conns {
		conns[i] = open()
		park(t, conns[i], "")
	}
	each := (memoryInUse() - before) / int64(sessions)
	runtime.KeepAlive(conns)
	return each
}

// TestParkedStack: the stack of a session that has grown while a command ran is
// down to 4 KiB when it waits in IDLE, or for a command.
func TestParkedStack(t *testing.T) {
	const sessions = 100
	for _, idle := range []bool{true, false} {
		st := testStore(t)
		cfg := testConfig(st)
		cfg.Limits.MaxConnectionsPerUser = -1
		cfg.Trace.LoggedIn = func(Peer, store.AccountID) { deep(100) }
		dial := listenAndServe(t, testServer(t, cfg))
		stacks := func() int64 {
			for range 5 { // each collection halves what it can
				runtime.GC()
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.StackInuse)
		}
		before := stacks()
		for range sessions {
			nc, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			if park(t, nc, ""); !idle {
				io.WriteString(nc, "DONE\r\nd NOOP\r\n")
				for r := bufio.NewReaderSize(nc, 16); ; {
					if l, err := r.ReadString('\n'); err != nil || l == "d OK NOOP completed\r\n" {
						break
					}
				}
			}
		}
		if each := (stacks() - before) / sessions; each > 5<<10 && !raceDetector {
			t.Errorf("idle %v: a stack takes %d octets", idle, each)
		}
	}
}

// deep needs 25 KiB of stack for n = 100.
func deep(n int) byte {
	var frame [200]byte
	if n > 0 {
		frame[n] = deep(n - 1)
	}
	return frame[n/2]
}

// TestFanOut measures how long it takes until 100 sessions in IDLE know of a new
// message. The time is logged; that each is told is judged.
func TestFanOut(t *testing.T) {
	if testing.Short() {
		t.Skip("a measurement")
	}
	const sessions, rounds = 100, 20
	st := testStore(t)
	cfg := testConfig(st)
	cfg.Limits.MaxConnectionsPerUser = -1
	dial := listenAndServe(t, testServer(t, cfg))
	told := make(chan time.Time, sessions)
	for range sessions {
		nc, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		park(t, nc, "")
		go func() {
			for r := bufio.NewReader(nc); ; {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if strings.HasSuffix(line, " EXISTS\r\n") {
					told <- time.Now()
				}
			}
		}()
	}
	var times []time.Duration
	for range rounds {
		deliver(t, st, "alice", "INBOX", "a: b\r\n\r\n", 0)
		start := time.Now()
		for range sessions {
			select {
			case at := <-told:
				times = append(times, at.Sub(start))
			case <-time.After(10 * time.Second):
				t.Fatal("a session was not told")
			}
		}
	}
	slices.Sort(times)
	t.Logf("median %v, p99 %v, last %v", times[len(times)/2], times[len(times)*99/100], times[len(times)-1])
}

// TestParkedCompressed: what a parked session holds for compression is little
// where the client has sent little. The most that it may be is the Decoder's.
func TestParkedCompressed(t *testing.T) {
	if testing.Short() {
		t.Skip("many connections")
	}
	cfg := testConfig(testStore(t))
	cfg.Limits.MaxConnectionsPerUser = -1
	dial := listenAndServe(t, testServer(t, cfg))
	warm, r := loggedInConn(t, dial)
	deflateOn(t, warm, r)
	need := parkedCompressed(t, dial, true) - parkedCompressed(t, dial, false)
	t.Logf("%d octets for compression", need)
	if need > 6<<10 {
		t.Errorf("a session that has sent little needs %d octets for compression", need)
	}
	if size := unsafe.Sizeof(deflated{}); size > inflateMemory-inflate.MaxMemory {
		t.Errorf("%d octets, which are not in the budget", size)
	}
}

// parkedCompressed is what a session holds in IDLE.
func parkedCompressed(t *testing.T, dial func() (net.Conn, error), packed bool) int64 {
	const sessions = 100
	conns := make([]net.Conn, sessions)
	before := memoryInUse()
	for i := range conns {
		nc, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		conns[i] = nc
		park(t, nc, "")
		if !packed {
			continue
		}
		io.WriteString(nc, "DONE\r\nd COMPRESS DEFLATE\r\n")
		for r := bufio.NewReaderSize(nc, 16); ; {
			if l, err := r.ReadString('\n'); err != nil || l == "d OK DEFLATE active\r\n" {
				break
			}
		}
		nc.Write(partialFlush("e IDLE\r\n"))
		nc.Read(make([]byte, 64)) // "+ idling": the session waits
	}
	each := (memoryInUse() - before) / sessions
	runtime.KeepAlive(conns)
	return each
}
