package smtpclient_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

// countingDialer counts the writes of its connections.
type countingDialer struct{ writes atomic.Int64 }

type countingConn struct {
	net.Conn
	d *countingDialer
}

func (c countingConn) Write(p []byte) (int, error) {
	c.d.writes.Add(1)
	return c.Conn.Write(p)
}

func (d *countingDialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
	return countingConn{c, d}, err
}

// On a kept connection a message is one write with CHUNKING, two with DATA.
func TestFlights(t *testing.T) {
	for _, tt := range []struct {
		ext    []string
		size   int
		writes int64
	}{
		{[]string{"PIPELINING", "CHUNKING"}, 0, 1},
		{[]string{"PIPELINING", "CHUNKING"}, 4096, 1},
		{[]string{"PIPELINING", "CHUNKING"}, 64<<10 - 2, 1},
		{[]string{"PIPELINING", "CHUNKING"}, 64<<10 - 1, 3},
		{[]string{"PIPELINING"}, 4096, 2},
		{[]string{"PIPELINING"}, 60_000, 2},
		{nil, 4096, 2},
		{[]string{}, 10, 5},
	} {
		srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: tt.ext})
		d := &countingDialer{}
		c := dial(t, &smtpclient.Dialer{Net: d}, srv.Addr)
		for range 3 {
			before := d.writes.Load()
			res, err := c.Send(t.Context(), envelope(t, "a@x", "b@x", "c@x"), body(strings.Repeat("x", tt.size)))
			if err != nil || outcomes(res) != "delivered(.) delivered(.)" {
				t.Fatal(outcomes(res), err)
			}
			if got := d.writes.Load() - before; got != tt.writes {
				t.Errorf("%d octets with %v: %d writes, want %d", tt.size, tt.ext, got, tt.writes)
			}
		}
	}
}

// unbuffered is a server without any buffer: each octet waits for the peer to
// read or write it. It answers each command before it reads the next.
func unbuffered(t *testing.T, ext string, reply func(line string) string) (client net.Conn, body *bytes.Buffer) {
	t.Helper()
	client, server := net.Pipe()
	body = &bytes.Buffer{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer server.Close()
		r := bufio.NewReaderSize(server, 16)
		io.WriteString(server, "220 x\r\n")
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			text := reply(line)
			switch verb, arg, _ := strings.Cut(line, " "); {
			case strings.HasPrefix(verb, "EHLO"):
				text = "250-x\r\n" + ext
			case strings.HasPrefix(verb, "BDAT"):
				var n int64
				fmt.Sscan(arg, &n)
				io.CopyN(body, r, n)
				text = reply("end of " + line)
			case strings.HasPrefix(verb, "DATA"):
				io.WriteString(server, "354 go\r\n")
				for err == nil && line != ".\r\n" {
					line, err = r.ReadString('\n')
					if line != ".\r\n" {
						body.WriteString(line)
					}
				}
				text = reply("end of DATA")
			}
			if _, err := io.WriteString(server, text+"\r\n"); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { client.Close(); <-done })
	return client, body
}

// Neither side waits for the other, though nothing is buffered between them.
func TestNoDeadlock(t *testing.T) {
	var to []string
	for i := range 300 {
		to = append(to, fmt.Sprintf("recipient-%d@example.org", i))
	}
	for _, ext := range []string{"250 PIPELINING", "250-CHUNKING\r\n250 PIPELINING", "250 CHUNKING"} {
		for _, size := range []int{10, 500_000} {
			conn, got := unbuffered(t, ext, func(string) string { return "250 a reply of more than sixteen octets" })
			c, err := (&smtpclient.Dialer{Hello: "x"}).NewClient(t.Context(), conn, "x")
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Repeat("0123456789\r\n", size/12)
			res, err := c.Send(t.Context(), envelope(t, "a@x", to...), body(text))
			if err != nil || res.Recipients[299].Outcome != smtpclient.Delivered {
				t.Fatalf("%s: %v, %v", ext, res.Recipients[299], err)
			}
			c.Close()
			if got.String() != text {
				t.Errorf("%s: got %d octets, want %d", ext, got.Len(), len(text))
			}
		}
	}
}

// A chunk that is refused ends the body; the connection stays in step.
func TestRefusedChunk(t *testing.T) {
	for _, ext := range [][]string{{"CHUNKING", "PIPELINING"}, {"CHUNKING"}} {
		n := 0
		srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: ext, Reply: func(cmd string) string {
			if strings.HasPrefix(cmd, "BDAT") {
				if n++; n == 3 {
					return "552 5.3.4 too much"
				}
			}
			return ""
		}})
		c := dial(t, &smtpclient.Dialer{}, srv.Addr)
		res, err := c.Send(t.Context(), envelope(t, "a@x", "b@x"), body(strings.Repeat("x\r\n", 1_000_000)))
		if err != nil || outcomes(res) != "failed(BDAT)" || !c.Usable() {
			t.Fatal(outcomes(res), err, c.Usable())
		}
		if res, err := c.Send(t.Context(), envelope(t, "a@x", "b@x"), body("x\r\n")); err != nil || outcomes(res) != "delivered(.)" {
			t.Fatal(outcomes(res), err)
		}
		if len(srv.Messages()) != 1 {
			t.Error("half a message was delivered")
		}
	}
}

// The last chunk is not sent before the others are accepted, so that no body
// with a hole is.
func TestLastChunkWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, got := unbuffered(t, "250-CHUNKING\r\n250 PIPELINING", func(line string) string {
			if strings.HasPrefix(line, "end of BDAT 65536") {
				time.Sleep(time.Second)
				return "452 4.3.1 full"
			}
			return "250 ok"
		})
		c, err := (&smtpclient.Dialer{Hello: "x"}).NewClient(t.Context(), conn, "x")
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Send(t.Context(), envelope(t, "a@x", "b@x"), body(strings.Repeat("x", 100_000)))
		if err != nil || outcomes(res) != "deferred(BDAT)" || !c.Usable() {
			t.Error(outcomes(res), err)
		}
		c.Close()
		if got.Len() != 65536 {
			t.Errorf("%d octets were sent", got.Len())
		}
	})
}

// Large bodies arrive whole, by DATA and by BDAT.
func TestLargeBodies(t *testing.T) {
	for _, ext := range [][]string{{"PIPELINING"}, {"PIPELINING", "CHUNKING"}, {"CHUNKING"}} {
		srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: ext})
		c := dial(t, &smtpclient.Dialer{}, srv.Addr)
		for _, size := range []int{64 << 10, 64<<10 + 1, 128 << 10, 1 << 20} {
			text := strings.Repeat(".234567890\r\n", size/12) + strings.Repeat("x", size%12)
			res, err := c.Send(t.Context(), envelope(t, "a@x", "b@x"), smtp.NewBody(strings.NewReader(text), -1))
			if err != nil || outcomes(res) != "delivered(.)" {
				t.Fatal(outcomes(res), err)
			}
			all := srv.Messages()
			if got := all[len(all)-1].Data; string(got) != normal(text) {
				t.Errorf("%v: %d octets became %d", ext, len(text), len(got))
			}
		}
	}
}

func TestBinaryMIME(t *testing.T) {
	srv := smtptest.NewServerWith(t, smtptest.Options{Extensions: []string{"CHUNKING", "BINARYMIME", "8BITMIME", "PIPELINING"}})
	c := dial(t, &smtpclient.Dialer{}, srv.Addr)
	env := envelope(t, "a@x", "b@x")
	env.Mail.Params.Body = smtp.BodyBinaryMIME
	text := "Content-Transfer-Encoding: binary\r\n\r\na\rb\nc\x00\xff"
	if res, err := c.Send(t.Context(), env, body(text)); err != nil || outcomes(res) != "delivered(.)" {
		t.Fatal(outcomes(res), err)
	}
	if m := srv.Messages()[0]; string(m.Data) != text || m.Params.Body != smtp.BodyBinaryMIME {
		t.Errorf("%q %v", m.Data, m.Params)
	}
}

// The end of ctx ends Send at once, whatever it waits for. Behind the end of
// the body it leaves the message in doubt.
func TestSendCancelled(t *testing.T) {
	for _, ext := range []string{"250 PIPELINING", "250-CHUNKING\r\n250 PIPELINING", "250 SIZE"} {
		for at, want := range map[string]string{"MAIL": "deferred", "RCPT": "deferred", "end": "unknown(.)"} {
			if at != "end" && strings.Contains(ext, "CHUNKING") {
				want = "deferred" // the server has not read the rest of the flight
			}
			for _, size := range []int{10, 200_000} {
				synctest.Test(t, func(t *testing.T) {
					conn, _ := unbuffered(t, ext, func(line string) string {
						if strings.HasPrefix(line, at) {
							time.Sleep(time.Hour)
						}
						return "250 ok"
					})
					c, err := (&smtpclient.Dialer{Hello: "x"}).NewClient(t.Context(), conn, "x")
					if err != nil {
						t.Fatal(err)
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					begin := time.Now()
					res, err := c.Send(ctx, envelope(t, "a@x", "b@x"), body(strings.Repeat("x", size)))
					if large := size > 65536 && strings.Contains(ext, "CHUNKING"); large && at == "end" {
						want = "deferred" // the first chunk has no reply yet
					}
					if !errors.Is(err, context.DeadlineExceeded) || outcomes(res) != want || time.Since(begin) != time.Second || c.Usable() {
						t.Errorf("%q, at %s, %d octets: %s after %v, %v, want %s", ext, at, size, outcomes(res), time.Since(begin), err, want)
					}
					c.Close()
				})
			}
		}
	}
}
