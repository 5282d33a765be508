package listen_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/internal/listen"
)

// halves is a pipe that notes that it was closed for writing.
type halves struct {
	net.Conn
	closed int
	err    error
}

func (h *halves) CloseWrite() error {
	h.closed++
	return h.err
}

func TestLinger(t *testing.T) {
	for name, test := range map[string]struct {
		says    string
		waits   bool
		err     error
		unread  bool
		elapsed time.Duration
	}{
		"the peer goes on":       {says: "x", waits: true, elapsed: time.Second},
		"the peer floods":        {says: strings.Repeat("x", 1<<20), waits: true},
		"nobody waits":           {says: "x", unread: true},
		"the connection is lost": {says: "x", waits: true, err: io.ErrClosedPipe, unread: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				raw, layer := &halves{Conn: there}, &halves{Conn: there, err: test.err}
				written := make(chan int, 1)
				go func() {
					n, _ := io.WriteString(here, test.says)
					written <- n
				}()
				begun := time.Now()
				listen.Linger(raw, layer, test.waits)
				if d := time.Since(begun); d != test.elapsed {
					t.Errorf("it took %v, want %v", d, test.elapsed)
				}
				there.Close()
				if n := <-written; (n == 0) != test.unread {
					t.Errorf("%d octets were read", n)
				}
				if layer.closed != 1 || (raw.closed == 1) == test.unread {
					t.Errorf("closed for writing: %d, below %d", layer.closed, raw.closed)
				}
			})
		})
	}
}

func TestCounts(t *testing.T) {
	var c listen.Counts[string]
	for i, test := range []struct {
		key   string
		limit int
		want  bool
	}{
		{"a", 2, true},
		{"a", 2, true},
		{"a", 2, false},
		{"b", 1, true},
		{"a", 0, true},
		{"a", -1, true},
		{"a", 4, false},
	} {
		if got := c.Enter(test.key, test.limit); got != test.want {
			t.Errorf("%d: %v", i, got)
		}
	}
	if c.Of("a") != 4 || c.Of("b") != 1 || c.Of("c") != 0 {
		t.Error(c.Of("a"), c.Of("b"), c.Of("c"))
	}
	c.Leave("b")
	if !c.Enter("b", 1) {
		t.Error("a place that is free is not given")
	}
}
