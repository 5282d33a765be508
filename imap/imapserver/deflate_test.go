package imapserver

import (
	"bufio"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"math/bits"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/store"
)

// deflateClient speaks through compress/flate, which is not what the server
// uses.
type deflateClient struct {
	t   testing.TB
	nc  net.Conn
	w   *flate.Writer
	out bytes.Buffer // what w made
	r   *bufio.Reader
}

// deflateOn turns compression on for a session of nc that is logged in.
func deflateOn(t testing.TB, nc net.Conn, r *bufio.Reader) *deflateClient {
	t.Helper()
	io.WriteString(nc, "z COMPRESS DEFLATE\r\n")
	line, err := r.ReadString('\n')
	if err != nil || line != "z OK DEFLATE active\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	c := &deflateClient{t: t, nc: nc, r: bufio.NewReader(flate.NewReader(r))}
	c.w, _ = flate.NewWriter(&c.out, flate.DefaultCompression)
	return c
}

func (c *deflateClient) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.w, text); err != nil {
		c.t.Fatal(err)
	}
	if err := c.w.Flush(); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.out.WriteTo(c.nc); err != nil {
		c.t.Fatal(err)
	}
}

// until reads up to the line that starts with prefix.
func (c *deflateClient) until(prefix string) string {
	c.t.Helper()
	var out strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		out.WriteString(line)
		if err != nil {
			c.t.Fatalf("after %q: %v", out.String(), err)
		}
		if strings.HasPrefix(line, prefix) {
			return out.String()
		}
	}
}

func loggedInConn(t testing.TB, dial func() (net.Conn, error)) (net.Conn, *bufio.Reader) {
	t.Helper()
	nc, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	r := bufio.NewReader(nc)
	io.WriteString(nc, "a LOGIN alice secret\r\n")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "a ") {
			return nc, r
		}
	}
}

// All kinds of commands work behind COMPRESS, and bodies come through whole.
func TestCompress(t *testing.T) {
	st := testStore(t)
	body := "Subject: x\r\n\r\n" + strings.Repeat("0123456789abcdef\r\n", 20_000)
	deliver(t, st, "alice", "INBOX", body, 0)
	srv := testServer(t, testConfig(st))
	nc, r := loggedInConn(t, listenAndServe(t, srv))
	c := deflateOn(t, nc, r)
	c.send("b SELECT INBOX\r\nc FETCH 1 BODY.PEEK[]\r\n")
	if out := c.until("c "); !strings.Contains(out, body) {
		t.Errorf("FETCH gave %d octets, without the body", len(out))
	}
	c.send("d COMPRESS DEFLATE\r\n")
	if out := c.until("d "); out != "d BAD [COMPRESSIONACTIVE] DEFLATE is active already\r\n" {
		t.Errorf("twice: %q", out)
	}
	c.send("e CAPABILITY\r\n")
	if out := c.until("e "); strings.Contains(out, "COMPRESS") {
		t.Errorf("%q", out)
	}
	c.send("g APPEND INBOX {5}\r\n")
	c.until("+ ")
	c.send("a: b\n")
	c.send("\r\n")
	c.until("g OK")
	c.send("h LOGOUT\r\n")
	c.until("h OK")
	if _, err := c.r.ReadByte(); err != io.EOF {
		t.Errorf("the stream ends with %v, want its last block", err)
	}
	waitFor(t, func() bool { return srv.inflating.Load() == 0 })
}

// waitFor waits for what the server's goroutines do at their end.
func waitFor(t testing.TB, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("it never happens")
		}
	}
}

// A compressed session in IDLE is woken although its decoder is in the middle of
// a block, and goes on where it was.
func TestCompressIdle(t *testing.T) {
	st := testStore(t)
	srv := testServer(t, testConfig(st))
	nc, r := loggedInConn(t, listenAndServe(t, srv))
	c := deflateOn(t, nc, r)
	var whole bytes.Buffer // of the command, as one block whose end is kept back
	w, _ := flate.NewWriter(&whole, flate.DefaultCompression)
	c.send("b SELECT INBOX\r\nc IDLE\r\n")
	c.until("+ idling")
	for n := range 3 {
		deliver(t, st, "alice", "INBOX", "a: b\r\n\r\n", 0)
		if out := c.until("* " + string(rune('1'+n)) + " EXISTS"); out == "" {
			t.Error("nothing")
		}
	}
	io.WriteString(w, "DONE\r\nd NOOP\r\n")
	w.Flush()
	b := whole.Bytes()
	nc.Write(b[:1]) // a block has begun
	deliver(t, st, "alice", "INBOX", "a: b\r\n\r\n", 0)
	c.until("* 4 EXISTS")
	for _, octet := range b[1:] {
		nc.Write([]byte{octet})
	}
	if out := c.until("d "); !strings.Contains(out, "c OK IDLE completed\r\n") {
		t.Errorf("%q", out)
	}
}

// bitWriter writes blocks of the fixed code.
type bitWriter struct {
	out []byte
	n   int
}

func (w *bitWriter) bits(code, n int) {
	for ; n > 0; n-- {
		if w.n%8 == 0 {
			w.out = append(w.out, 0)
		}
		w.out[w.n/8] |= byte(code & 1 << (w.n % 8))
		code >>= 1
		w.n++
	}
}

func (w *bitWriter) block(last int, text string) {
	w.bits(last|1<<1, 3)
	for _, c := range []byte(text) {
		if c < 144 {
			w.bits(int(bits.Reverse8(0x30+c)), 8)
		} else {
			w.bits(int(bits.Reverse16(0x190+uint16(c)-144)>>7), 9)
		}
	}
	w.bits(0, 7)
}

// partialFlush is text as a block and an empty one behind it, as Z_PARTIAL_FLUSH
// writes it. The last bits of the empty block are kept back: they come with the
// next octets.
func partialFlush(text string) []byte {
	var w bitWriter
	w.block(0, text)
	w.block(0, "")
	return w.out[:w.n/8]
}

// A client that flushes no further than it must is answered, and woken in IDLE.
func TestCompressPartialFlush(t *testing.T) {
	st := testStore(t)
	nc, r := loggedInConn(t, listenAndServe(t, testServer(t, testConfig(st))))
	c := deflateOn(t, nc, r)
	nc.Write(partialFlush("b SELECT INBOX\r\nc IDLE\r\n"))
	c.until("+ idling")
	for n := range 3 {
		deliver(t, st, "alice", "INBOX", "a: b\r\n\r\n", 0)
		c.until("* " + string(rune('1'+n)) + " EXISTS")
	}
}

// TestCompressUnauthenticate: behind UNAUTHENTICATE both streams end (RFC 8437
// §4.1), in whatever way the client ends its own, and however that is cut; what
// follows is plain. Compression may begin anew.
func TestCompressUnauthenticate(t *testing.T) {
	st := testStore(t)
	srv := testServer(t, testConfig(st))
	dial := listenAndServe(t, srv)
	const command = "f UNAUTHENTICATE\r\n"
	endings := map[string][]byte{}
	for _, how := range []string{"flush", "close", "flush and close"} {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, flate.DefaultCompression)
		io.WriteString(w, command)
		if how != "close" {
			w.Flush()
		}
		if how != "flush" {
			w.Close()
		}
		endings[how] = b.Bytes()
	}
	for shift := range 8 { // of the end to the octets
		for _, how := range []string{"partial flush", "partial flush and close", "partial flush, flush"} {
			var w bitWriter
			w.block(0, "e NOOP "+strings.Repeat("\xff", shift)+"\r\n"+command)
			w.block(0, "")
			switch how {
			case "partial flush and close":
				w.block(1, "")
				w.n = 8 * len(w.out)
			case "partial flush, flush":
				w.bits(0, 3)
				w.out = append(w.out, 0, 0, 0xff, 0xff)
				w.n = 8 * len(w.out)
			}
			endings[fmt.Sprintf("%s, %d bits", how, shift)] = w.out[:w.n/8]
		}
	}
	for name, ending := range endings {
		for _, cut := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, cut %v", name, cut), func(t *testing.T) {
				nc, r := loggedInConn(t, dial)
				c := deflateOn(t, nc, r)
				c.send("b ENABLE QRESYNC\r\nc CAPABILITY\r\n")
				if out := c.until("c "); !strings.Contains(out, " UNAUTHENTICATE ") {
					t.Fatalf("%q", out)
				}
				next := "0 LOGIN bob secret\r\n" // 0: what a last block may begin with
				if cut {
					for _, b := range append(bytes.Clone(ending), next...) {
						nc.Write([]byte{b})
					}
				} else {
					nc.Write(append(bytes.Clone(ending), next...))
				}
				c.until("f OK UNAUTHENTICATE completed")
				if _, err := c.r.ReadByte(); err != io.EOF {
					t.Fatalf("the stream to the client ends with %v", err)
				}
				if line, err := r.ReadString('\n'); !strings.HasPrefix(line, "0 OK") || !strings.Contains(line, " COMPRESS=DEFLATE ") {
					t.Fatalf("%q, %v", line, err)
				}
				c = deflateOn(t, nc, r)
				c.send("d SELECT INBOX\r\n")
				c.until("d OK")
				nc.Close()
			})
		}
	}
	waitFor(t, func() bool { return srv.inflating.Load() == 0 })
}

// A client that goes on compressing behind UNAUTHENTICATE is turned away, before
// anything of it is taken for a command.
func TestCompressBehindUnauthenticate(t *testing.T) {
	dial := listenAndServe(t, testServer(t, testConfig(testStore(t))))
	for i, sent := range [][]string{
		{"f UNAUTHENTICATE\r\ng LOGIN bob secret\r\n"}, // in one block
		{"f UNAUTHENTICATE\r\n", "g LOGIN bob secret\r\n"},
	} {
		nc, r := loggedInConn(t, dial)
		c := deflateOn(t, nc, r)
		for k, text := range sent {
			if c.send(text); k+1 < len(sent) {
				c.until("f OK")
				io.Copy(io.Discard, c.r)
			}
		}
		nc.(*net.TCPConn).CloseWrite()
		rest, _ := io.ReadAll(c.r)
		after, _ := io.ReadAll(r)
		if out := string(rest) + string(after); strings.Contains(out, "g ") || i == 0 && !strings.HasPrefix(out, "* BYE Compression ") {
			t.Errorf("%q: %q", sent, out)
		}
	}
}

// Shutdown says BYE to a parked compressed session.
func TestCompressShutdown(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *Server, st store.Store) {
		p := startPipe(t, srv)
		p.r.ReadString('\n')
		p.run(t, "a LOGIN alice secret")
		c := deflateOn(t, p, p.r)
		c.send("b IDLE\r\n")
		c.until("+ idling")
		synctest.Wait()
		go func() { _ = srv.Shutdown(t.Context()) }()
		c.until("* BYE [UNAVAILABLE]")
	})
}

// An idle compressed session ends like any other.
func TestCompressTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, srv *Server, st store.Store) {
		p := startPipe(t, srv)
		p.r.ReadString('\n')
		p.run(t, "a LOGIN alice secret")
		c := deflateOn(t, p, p.r)
		start := time.Now()
		c.until("* BYE Autologout")
		if d := time.Since(start); d != 30*time.Minute {
			t.Errorf("closed after %v", d)
		}
	})
}

// The budget of the server is for all its connections.
func TestCompressBudget(t *testing.T) {
	cfg := testConfig(testStore(t))
	cfg.Limits.MaxCompressionBytes = 2*inflateMemory + 1
	dial := listenAndServe(t, testServer(t, cfg))
	first, r := loggedInConn(t, dial)
	deflateOn(t, first, r)
	second, r := loggedInConn(t, dial)
	deflateOn(t, second, r)
	third, r := loggedInConn(t, dial)
	refused := func() bool {
		io.WriteString(third, "z COMPRESS DEFLATE\r\n")
		line, _ := r.ReadString('\n')
		return strings.HasPrefix(line, "z NO [LIMIT]")
	}
	if !refused() {
		t.Error("a third session got memory")
	}
	first.Close()
	waitFor(t, func() bool { return !refused() })
}

// A bomb meets the limits of what it inflates to: the line, the literal. It
// costs no memory.
func TestDeflateBomb(t *testing.T) {
	for name, in := range map[string]string{
		"line":    strings.Repeat("x", 2<<20),
		"literal": "b CREATE {2097152+}\r\n" + strings.Repeat("\x00", 2<<20),
		"message": "b APPEND INBOX {2097152+}\r\n" + strings.Repeat("\x00", 2<<20),
	} {
		t.Run(name, func(t *testing.T) {
			var bomb bytes.Buffer
			w, _ := flate.NewWriter(&bomb, flate.BestCompression)
			io.WriteString(w, in+"\r\nc NOOP\r\n")
			w.Close()
			st := testStore(t)
			cfg := testConfig(st)
			cfg.Limits.MaxMessageBytes = 1 << 20
			srv := testServer(t, cfg)
			conn := &memoryConn{in: io.MultiReader(strings.NewReader("z1 LOGIN alice secret\r\nz2 COMPRESS DEFLATE\r\n"), &bomb)}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := srv.ServeConn(conn); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 && !raceDetector {
				t.Errorf("allocated %d octets", n)
			}
			_, packed, _ := strings.Cut(conn.out.String(), "z2 OK DEFLATE active\r\n")
			out, _ := io.ReadAll(flate.NewReader(strings.NewReader(packed)))
			if !strings.Contains(string(out), "c OK NOOP completed\r\n") || strings.HasPrefix(string(out), "b OK") {
				t.Errorf("answered %.300q", out)
			}
		})
	}
}

// What is no DEFLATE stream ends the connection, and nothing else.
func TestDeflateGarbage(t *testing.T) {
	srv := testServer(t, testConfig(testStore(t)))
	for _, garbage := range []string{"b NOOP\r\n", "\x07", "\x00\x01\x00\x00\x00", strings.Repeat("\xff", 5000)} {
		conn := &memoryConn{in: strings.NewReader("z1 LOGIN alice secret\r\nz2 COMPRESS DEFLATE\r\n" + garbage)}
		if err := srv.ServeConn(conn); err != nil {
			t.Fatal(err)
		}
	}
	if n := srv.inflating.Load(); n != 0 {
		t.Errorf("%d octets are not given back", n)
	}
}

// BenchmarkCompress shows what compression saves and costs.
func BenchmarkCompress(b *testing.B) {
	st := bigMailbox(b, 1000)
	nc, r := loggedInConn(b, listenAndServe(b, testServer(b, testConfig(st))))
	count := &countingReader{r: r}
	c := deflateOn(b, nc, bufio.NewReader(nc))
	c.r = bufio.NewReaderSize(flate.NewReader(bufio.NewReader(count)), 64<<10)
	count.r = nc
	c.send("b SELECT INBOX\r\n")
	c.until("b OK")
	plain, packed := 0, count.n
	for b.Loop() {
		c.send("c FETCH 1:* (UID FLAGS ENVELOPE)\r\n")
		plain += len(c.until("c OK"))
	}
	b.ReportMetric(float64(count.n-packed)/float64(plain), "packed/plain")
}

type countingReader struct {
	r io.Reader
	n int
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// The octet that may begin a command stays what it is while more is read, also
// within a command, where the buffer is the same.
func TestLeaveKeepsTheOctet(t *testing.T) {
	for _, waits := range []bool{true, false} {
		d := &deflated{c: &conn{}}
		feed := func(text string) {
			t.Helper()
			in, err := d.leave(waits)
			if in == nil || err != nil {
				t.Fatalf("waits %v: no room for %q, %v", waits, text, err)
			}
			d.came(in, copy(in, text))
		}
		feed("\x00\x00\x00\xff\xffa")
		feed("bc LOGIN")
		if in, err := d.leave(waits); in != nil || err != nil || string(d.raw) != "abc LOGIN" {
			t.Errorf("waits %v: %q is left, room %v, %v", waits, d.raw, in != nil, err)
		}
		d.end()
	}
}
