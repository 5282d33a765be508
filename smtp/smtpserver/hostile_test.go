package smtpserver

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/internal/script"
	"github.com/mailstead/mailstead/smtp/smtpserver/testdata/naive"
)

// hostileRow is one row of testdata/hostile.table.
type hostileRow struct {
	*script.Script
	friendly *script.Script // the steps up to "# hostile"
	accepts  int            // how many messages the Receiver may get
}

func hostileRows(t *testing.T) []hostileRow {
	t.Helper()
	data, err := os.ReadFile("testdata/hostile.table")
	if err != nil {
		t.Fatal(err)
	}
	var rows []hostileRow
	for _, text := range strings.Split("\n"+string(data), "\n=== ")[1:] {
		name, text, _ := strings.Cut(text, "\n")
		friendly, _, ok := strings.Cut(text, "# hostile\n")
		whole, err1 := script.Parse(name, text)
		prefix, err2 := script.Parse(name, friendly)
		if !ok || err1 != nil || err2 != nil {
			t.Fatalf("row %s: %v, %v", name, err1, err2)
		}
		row := hostileRow{Script: whole, friendly: prefix}
		row.accepts, _ = strconv.Atoi(whole.Header["accepts"])
		rows = append(rows, row)
	}
	return rows
}

// hostileConfig is a server as it stands on the Internet: with all that was
// asked of it by the row.
func hostileConfig(row hostileRow, server *tls.Config) (Config, *actor) {
	cfg := scriptConfig(row.Header["config"], server)
	return cfg, cfg.Receiver.(*actor)
}

// pumped is the client's end of a net.Pipe that reads all the time, so that
// each octet it writes is read by the server before the next one leaves, and
// no reply stands in the way.
type pumped struct {
	net.Conn
	mu   sync.Mutex
	cond *sync.Cond
	in   []byte
	err  error
	done chan struct{}
}

func pump(c net.Conn) *pumped {
	p := &pumped{Conn: c, done: make(chan struct{})}
	p.cond = sync.NewCond(&p.mu)
	go func() {
		defer close(p.done)
		buf := make([]byte, 4096)
		for {
			n, err := c.Read(buf)
			p.mu.Lock()
			p.in = append(p.in, buf[:n]...)
			p.err = err
			p.cond.Broadcast()
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return p
}

func (p *pumped) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.in) == 0 {
		if p.err != nil {
			return 0, p.err
		}
		p.cond.Wait()
	}
	n := copy(b, p.in)
	p.in = p.in[n:]
	return n, nil
}

// pipe is a connection of two ends in memory.
func pipe(t *testing.T, serve func(net.Conn)) net.Conn {
	t.Helper()
	here, there := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		serve(there)
	}()
	here.SetDeadline(time.Now().Add(20 * time.Second))
	p := pump(here)
	t.Cleanup(func() {
		here.Close()
		<-p.done
		<-done
	})
	return p
}

// Each hostile dialogue gets what the table says: whole over TCP, and octet by
// octet. It costs no more than the row's messages.
func TestHostile(t *testing.T) {
	server, _ := testTLS(t)
	rows := hostileRows(t)
	if len(rows) < 80 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		modes := row.Header["modes"]
		if modes == "" {
			modes = "whole bytes"
		}
		for mode := range strings.FieldsSeq(modes) {
			t.Run(row.Name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				cfg, a := hostileConfig(row, server)
				p := script.Player{}
				srv := New(cfg)
				if mode == "bytes" {
					p.Mode = script.Bytes
					p.Conn = pipe(t, func(c net.Conn) { srv.ServeConn(context.Background(), pipeEnd{c}) })
				} else {
					_, addr := startServer(t, srv)
					p.Conn = dial(t, addr)
				}
				if err := p.Play(row.Script); err != nil {
					t.Error(err)
				}
				p.Conn.Close()
				srv.Close() // the sessions have ended, and no one reads bodies
				if len(a.bodies) != row.accepts {
					t.Errorf("%d messages were accepted, want %d: %q", len(a.bodies), row.accepts, a.bodies)
				}
			})
		}
	}
}

// pipeEnd is a connection with addresses, as rows about strangers need them.
type pipeEnd struct{ net.Conn }

func (pipeEnd) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711} }
func (pipeEnd) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 25} }

// The naive server says what the friendly part of each row wants, and fails
// the whole row.
func TestHostileRowsFail(t *testing.T) {
	for _, row := range hostileRows(t) {
		t.Run(row.Name, func(t *testing.T) {
			t.Parallel()
			play := func(s *script.Script, patience time.Duration) error {
				c := pipe(t, naive.Serve)
				defer c.Close()
				timer := time.AfterFunc(patience, func() { c.Close() })
				defer timer.Stop()
				p := script.Player{Conn: c}
				return p.Play(s)
			}
			if err := play(row.friendly, 20*time.Second); err != nil {
				t.Errorf("the friendly part fails: %v", err)
			}
			// Where it says nothing, it fails by that.
			if err := play(row.Script, time.Second); err == nil {
				t.Error("a naive server passes this row")
			}
		})
	}
}

// A flood without a line end, and bodies far over the limit, cost no more than
// the buffer of a connection.
func TestHostileMemory(t *testing.T) {
	srv := New(quiet(Config{Limits: Limits{Message: 1 << 20}}))
	for _, tt := range []struct{ start, flood string }{
		{"", strings.Repeat("x", 1<<16)},
		{"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n", strings.Repeat("x", 1<<16)},
		{"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n", strings.Repeat("\r\n.x", 1<<14)},
		{"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nBDAT 999999999999\r\n", strings.Repeat("\x00", 1<<16)},
		{"EHLO c\r\nBDAT 999999999999\r\n", strings.Repeat("\x00", 1<<16)},
	} {
		f := &flights{hello: tt.start, in: []string{tt.flood}, rounds: 1 << 14, keep: true}
		srv.ServeConn(t.Context(), f)
		if f.rounds == 0 {
			t.Errorf("%.60q: the flood of a gigabyte was read to its end", tt.start)
		}
		if n := srv.buffers.Lent(); n != 0 {
			t.Errorf("%d buffers are not given back", n)
		}
	}
}
