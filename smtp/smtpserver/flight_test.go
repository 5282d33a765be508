package smtpserver

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/smtp"
)

// flights is a connection whose peer sends each flight when the server reads
// again, over and over, and counts what it writes.
type flights struct {
	nopConn
	hello  string
	in     []string
	rounds int // how often the flights are sent

	next, writes int
	out          strings.Builder
	keep         bool
	pending      string
}

func (f *flights) Read(p []byte) (int, error) {
	if f.pending == "" {
		switch {
		case f.hello != "":
			f.pending, f.hello = f.hello, ""
		case f.rounds == 0:
			return 0, io.EOF
		default:
			f.pending = f.in[f.next]
			if f.next++; f.next == len(f.in) {
				f.next = 0
				f.rounds--
			}
		}
	}
	n := copy(p, f.pending)
	f.pending = f.pending[n:]
	return n, nil
}

func (f *flights) Write(p []byte) (int, error) {
	f.writes++
	if f.keep {
		f.out.Write(p)
	}
	return len(p), nil
}

// sink takes everything, with as little work as a Receiver can have.
type sink struct {
	t        sinkTx
	calls    int
	messages int
}

type sinkTx struct {
	s    *sink
	n    int
	errs [100]error
	st   [100]smtp.RcptStatus
}

func (s *sink) Begin(context.Context, *smtp.Mail) (smtp.Transaction, error) {
	s.t.s, s.t.n = s, 0
	return &s.t, nil
}

func (t *sinkTx) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	t.s.calls++
	t.n += len(rs)
	return t.errs[:len(rs)]
}

func (t *sinkTx) Data(_ context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	if _, err := b.WriteTo(io.Discard); err != nil {
		return nil, err
	}
	t.s.messages++
	return t.st[:t.n], nil
}

func (*sinkTx) Abort() {}

const threeRcpts = "MAIL FROM:<sender@example.org> SIZE=4000 BODY=8BITMIME\r\n" +
	"RCPT TO:<one@example.net>\r\nRCPT TO:<two@example.net>\r\nRCPT TO:<three@example.net>\r\nDATA\r\n"

const oneRcpt = "MAIL FROM:<sender@example.org>\r\nRCPT TO:<one@example.net>\r\nDATA\r\n"

// RFC 2920: a pipelined message costs two writes, and its recipients one call.
func TestFlights(t *testing.T) {
	f := &flights{hello: "EHLO c\r\n", in: []string{threeRcpts, "text\r\n.\r\n"}, rounds: 5, keep: true}
	s := &sink{}
	New(quiet(Config{Receiver: s})).ServeConn(t.Context(), f)
	if f.writes != 2+2*5 || s.calls != 5 || s.messages != 5 {
		t.Errorf("%d writes, %d calls of Rcpt, %d messages\n%s", f.writes, s.calls, s.messages, f.out.String())
	}
}

// A partial line never holds a reply back.
func TestPartialLine(t *testing.T) {
	f := &flights{hello: "EHLO c\r\n", in: []string{"RSET\r\nRSE", "T\r\n"}, rounds: 1, keep: true}
	New(quiet(Config{Receiver: &sink{}})).ServeConn(t.Context(), f)
	if f.writes != 4 || strings.Count(f.out.String(), "250 2.0.0") != 2 {
		t.Errorf("%d writes: %q", f.writes, f.out.String())
	}
}

// A session needs at most 8 allocations for a message, and 3 for each further
// recipient.
func TestAllocs(t *testing.T) {
	for _, tt := range []struct {
		flight string
		max    float64
	}{{oneRcpt, 8}, {threeRcpts, 14}} {
		srv := New(quiet(Config{Receiver: &sink{}}))
		run := func(rounds int) float64 {
			return testing.AllocsPerRun(5, func() {
				srv.ServeConn(context.Background(), &flights{hello: "EHLO c\r\n", in: []string{tt.flight, "text\r\n.\r\n"}, rounds: rounds})
			})
		}
		if got := (run(1100) - run(100)) / 1000; got > tt.max {
			t.Errorf("%.2f allocations for a message, want at most %v", got, tt.max)
		}
	}
}

func benchmarkSession(b *testing.B, in ...string) {
	b.ReportAllocs()
	s := &sink{}
	srv := New(quiet(Config{Receiver: s}))
	b.ResetTimer()
	srv.ServeConn(context.Background(), &flights{hello: "EHLO c\r\n", in: in, rounds: b.N})
	if s.messages != b.N {
		b.Fatalf("%d messages of %d", s.messages, b.N)
	}
}

var benchBody = strings.Repeat(strings.Repeat("x", 78)+"\r\n", 50)

func BenchmarkOneRecipient(b *testing.B) { benchmarkSession(b, oneRcpt, benchBody+".\r\n") }

func BenchmarkThreeRecipients(b *testing.B) { benchmarkSession(b, threeRcpts, benchBody+".\r\n") }

func BenchmarkBDAT(b *testing.B) {
	benchmarkSession(b, strings.TrimSuffix(oneRcpt, "DATA\r\n")+"BDAT 4000 LAST\r\n"+benchBody)
}

func BenchmarkBDATChunks(b *testing.B) {
	chunk := strings.Repeat(benchBody, 10)
	in := []string{strings.TrimSuffix(oneRcpt, "DATA\r\n")}
	for range 20 {
		in = append(in, "BDAT 40000\r\n", chunk)
	}
	b.SetBytes(20 * 40000)
	benchmarkSession(b, append(in, "BDAT 0 LAST\r\n")...)
}

func BenchmarkBigBody(b *testing.B) {
	body := strings.Repeat(benchBody, 2500)
	b.SetBytes(int64(len(body)))
	benchmarkSession(b, oneRcpt, body+".\r\n")
}

// FuzzSession: whatever a peer sends, there is one session, it ends, and no
// payload of a BDAT is executed.
func FuzzSession(f *testing.F) {
	f.Add("MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n", byte(0))
	f.Add("BDAT 5\r\nQUIT\r\nNOOP\r\n", byte(1))
	f.Add("STARTTLS\r\nAUTH PLAIN AAA=\r\n*\r\n", byte(2))
	f.Add("MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nBDAT 3\r\nabcBDAT 0 LAST\r\n", byte(3))
	f.Fuzz(func(t *testing.T, in string, mode byte) {
		cfg := scriptConfig("auth plaintext utf8", nil)
		cfg.LMTP = mode&1 != 0
		cfg.Newlines = NewlinePolicy(mode >> 1 % 3)
		hello := "EHLO c\r\n"
		if cfg.LMTP {
			hello = "LHLO c\r\n"
		}
		fl := &flights{hello: hello, in: []string{in}, rounds: 1, keep: true}
		New(cfg).ServeConn(context.Background(), fl)
		for line := range strings.Lines(fl.out.String()) {
			if !strings.HasSuffix(line, "\r\n") || len(line) < 6 || len(line) > smtp.MaxReplyLine {
				t.Fatalf("bad reply line %q to %q", line, in)
			}
		}
	})
}

// FuzzBDAT: chunks with any payload, in any state, are answered one reply
// each, and the payload is never executed.
func FuzzBDAT(f *testing.F) {
	f.Add("QUIT\r\n", "x", true, true)
	f.Add("", "\r\n.\r\nRSET\r\n", false, false)
	f.Fuzz(func(t *testing.T, one, two string, begun, badLast bool) {
		var in strings.Builder
		if begun {
			in.WriteString("MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n")
		}
		chunk := func(text, tail string) {
			in.WriteString("BDAT ")
			in.WriteString(itoa(len(text)))
			in.WriteString(tail + "\r\n" + text)
		}
		chunk(one, "")
		if badLast {
			chunk(two, " LAS")
		} else {
			chunk(two, " LAST")
		}
		in.WriteString("NOOP mark\r\nQUIT\r\n")
		fl := &flights{hello: "EHLO c\r\n", in: []string{in.String()}, rounds: 1, keep: true}
		a := &actor{}
		cfg := quiet(Config{Receiver: a, Newlines: PreserveNewlines})
		New(cfg).ServeConn(context.Background(), fl)
		want := 1 + 1 + 2 + 2 // greeting, EHLO, chunks, NOOP and QUIT
		if begun {
			want += 2
		}
		got := 0
		for line := range strings.Lines(fl.out.String()) {
			if line[3] == ' ' {
				got++
			}
		}
		accepted := begun && !badLast
		if got != want || accepted != (len(a.bodies) == 1) || accepted && a.bodies[0] != one+two {
			t.Fatalf("%q: %d replies, want %d; bodies %q\n%s", in.String(), got, want, a.bodies, fl.out.String())
		}
	})
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}
