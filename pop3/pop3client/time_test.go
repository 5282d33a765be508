package pop3client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/internal/netpipe"
	"github.com/mailstead/mailstead/pop3/pop3client"
	"github.com/mailstead/mailstead/pop3/pop3test"
)

// TestHangs: a server that stops at any stage is waited for as long as is said,
// to the nanosecond, and no longer than a context lasts.
func TestHangs(t *testing.T) {
	timeouts := pop3client.Timeouts{Greeting: 11 * time.Second, Command: 13 * time.Second, Block: 17 * time.Second, Quit: 19 * time.Second}
	for _, c := range []struct {
		stage, text string
		call        func(ctx context.Context, c *pop3client.Client) error
		wait        time.Duration
	}{
		{"greeting", "HANG", nil, timeouts.Greeting},
		{"half a greeting", "R: \"+O\"\nHANG", nil, timeouts.Greeting},
		{"CAPA", "S: +OK\nC: CAPA\nHANG", nil, timeouts.Command},
		{"the lines of CAPA", "S: +OK\nC: CAPA\nS: +OK\nS: TOP\nHANG", nil, timeouts.Block},
		{"STLS", offersSTLS + "C: STLS\nHANG", nil, timeouts.Command},
		{"handshake", offersSTLS + "C: STLS\nS: +OK\nHANG", nil, 30 * time.Second},
		{"USER", noCAPA + "C: USER ann\nHANG", userPass, timeouts.Command},
		{"PASS", noCAPA + "C: USER ann\nS: +OK\nC: PASS x\nR: \"+OK\"\nHANG", userPass, timeouts.Command},
		{"RETR", noCAPA + "C: RETR 1\nHANG", retr, timeouts.Command},
		{"body", noCAPA + "C: RETR 1\nS: +OK\nS: Subject: x\nHANG", retr, timeouts.Block},
		{"end of a body", noCAPA + "C: RETR 1\nS: +OK\nR: \"x\\r\\n.\\r\"\nHANG", retr, timeouts.Block},
		{"bare LF before the end", noCAPA + "C: RETR 1\nS: +OK\nR: \"x\\n.\\r\\n\"\nHANG", retr, timeouts.Block},
		{"LIST", noCAPA + "C: LIST\nS: +OK\nS: 1 2\nHANG", list, timeouts.Block},
		{"QUIT", noCAPA + "C: QUIT\nHANG", quit, timeouts.Quit},
	} {
		t.Run(c.stage, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &pop3client.Dialer{Net: newScript(t, c.text), Timeouts: timeouts}
				start := time.Now()
				err := visit(t.Context(), d, c.call)
				if took := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) || took != c.wait {
					t.Errorf("%v after %v, want %v", err, took, c.wait)
				}
			})
			synctest.Test(t, func(t *testing.T) {
				d := &pop3client.Dialer{Net: newScript(t, c.text), Timeouts: timeouts}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				start := time.Now()
				err := visit(ctx, d, c.call)
				if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took != 5*time.Second {
					t.Errorf("with a context: %v after %v", err, took)
				}
			})
		})
	}
}

func visit(ctx context.Context, d *pop3client.Dialer, call func(ctx context.Context, c *pop3client.Client) error) error {
	c, err := d.Dial(ctx, "tcp", "x:110")
	if err != nil || call == nil {
		return err
	}
	defer c.Close()
	return call(ctx, c)
}

func userPass(ctx context.Context, c *pop3client.Client) error { return c.UserPass(ctx, "ann", "x") }
func quit(ctx context.Context, c *pop3client.Client) error     { return c.Quit(ctx) }

// slow is a server that refuses CAPA, and then sends a reply in pieces.
type slow struct {
	pieces []string
	pause  time.Duration
	work   sync.WaitGroup
}

func (s *slow) DialContext(context.Context, string, string) (net.Conn, error) {
	client, server := netpipe.Pair(nil, nil)
	s.work.Go(func() {
		defer server.Close()
		in := make([]byte, 100)
		for _, text := range []string{"+OK\r\n", "-ERR\r\n"} {
			io.WriteString(server, text)
			if _, err := server.Read(in); err != nil {
				return
			}
		}
		for _, p := range s.pieces {
			if _, err := io.WriteString(server, p); err != nil {
				return
			}
			time.Sleep(s.pause)
		}
		<-server.PeerGone()
	})
	return client, nil
}

// TestTrickle: a server that sends an octet now and then is given up, one that
// is slow and goes on is not.
func TestTrickle(t *testing.T) {
	drops := strings.Split(strings.Repeat("x", 1000), "")
	blocks := make([]string, 20)
	for i := range blocks {
		blocks[i] = strings.Repeat("y", 64<<10-2) + "\r\n"
	}
	for _, c := range []struct {
		name   string
		pieces []string
		pause  time.Duration
		call   func(context.Context, *pop3client.Client) error
		want   error
	}{
		{"a reply in drops", append([]string{"+OK "}, drops...), time.Second, noop, os.ErrDeadlineExceeded},
		{"a body in drops", append([]string{"+OK\r\n"}, drops...), time.Second, retr, os.ErrDeadlineExceeded},
		{"a listing in drops", append([]string{"+OK\r\n"}, strings.Split(strings.Repeat("1 2\r\n", 500), "2")...), time.Second, list, os.ErrDeadlineExceeded},
		{"a body in blocks", append(append([]string{"+OK\r\n"}, blocks...), ".\r\n"), 2 * time.Minute, retr, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := &slow{pieces: c.pieces, pause: c.pause}
			defer srv.work.Wait()
			d := &pop3client.Dialer{Net: srv}
			start := time.Now()
			err := visit(t.Context(), d, c.call)
			if took := time.Since(start); !errors.Is(err, c.want) || c.want != nil && took != 3*time.Minute {
				t.Errorf("%s: %v after %v", c.name, err, took)
			}
		})
	}
}

// TestSlowCaller: what the caller takes its time for does not count.
func TestSlowCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := pop3test.NewServer(t, pop3test.Options{Messages: pop3test.Texts(strings.Repeat("x", 300<<10), "y")})
		defer srv.Close()
		c := connect(t, srv, &pop3client.Dialer{})
		for b, err := range c.RetrEach(t.Context(), []int{1, 2}) {
			if err != nil {
				t.Fatal(err)
			}
			for p := make([]byte, 10<<10); err == nil; _, err = b.Read(p) {
				time.Sleep(time.Hour)
			}
			if err != io.EOF {
				t.Error(err)
			}
		}
		for _, err := range c.List(t.Context()) {
			if err != nil {
				t.Error(err)
			}
			time.Sleep(time.Hour)
		}
		if err := c.Quit(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestContextOfBody: the context of Retr ends a body that is being read, and
// counts no more behind its end.
func TestContextOfBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := dialScript(t, "C: RETR 1\nS: +OK\nS: x\nS: .\nC: NOOP\nS: +OK\nC: RETR 1\nS: +OK\nS: x\nHANG")
		ctx, cancel := context.WithCancel(t.Context())
		b, err := c.Retr(ctx, 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(b); err != nil {
			t.Error(err)
		}
		cancel()
		if err := c.Noop(t.Context()); err != nil {
			t.Errorf("behind the end: %v", err)
		}
		ctx, cancel = context.WithCancel(t.Context())
		if b, err = c.Retr(ctx, 1); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, cancel)
		if _, err := io.ReadAll(b); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := b.Close(); !errors.Is(err, context.Canceled) {
			t.Errorf("Close: %v", err)
		}
	})
}
