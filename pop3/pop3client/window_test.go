package pop3client

import (
	"bytes"
	"fmt"
	"testing"
)

// counting is a connection that answers one command at a time, and counts those
// that wait.
type counting struct {
	nullConn
	reply         string
	waiting, most int
	octets        []byte // of the commands that wait
	mostOctets    int
}

func (c *counting) Write(p []byte) (int, error) {
	c.octets = append(c.octets, p...)
	c.waiting += bytes.Count(p, []byte("\n"))
	c.most, c.mostOctets = max(c.most, c.waiting), max(c.mostOctets, len(c.octets))
	return len(p), nil
}

func (c *counting) Read(p []byte) (int, error) {
	if c.waiting == 0 {
		return 0, fmt.Errorf("a read that nothing was asked for")
	}
	c.waiting--
	c.octets = c.octets[bytes.IndexByte(c.octets, '\n')+1:]
	return copy(p, c.reply), nil
}

// TestWindow: commands that wait are bounded, so that they fit into any
// transport's buffers, and there is one where the server does not pipeline.
func TestWindow(t *testing.T) {
	numbers := make([]int, 1000)
	for i := range numbers {
		numbers[i] = 1_000_000 + i
	}
	for _, pipelining := range []bool{true, false} {
		most := 1
		if pipelining {
			most = maxPending
		}
		check := func(what, reply string, run func(c *Client) int) {
			t.Helper()
			conn := &counting{reply: reply}
			c := newClient(&Dialer{}, conn, "")
			c.caps.Pipelining = pipelining
			if n := run(c); n != len(numbers) || conn.most != most || conn.mostOctets > 1024 || conn.waiting != 0 {
				t.Errorf("%s, pipelining %v: %d done, at most %d waited (%d octets), %d left", what, pipelining, n, conn.most, conn.mostOctets, conn.waiting)
			}
		}
		check("RETR", "+OK\r\nx\r\n.\r\n", func(c *Client) (n int) {
			for _, err := range c.RetrEach(t.Context(), numbers) {
				if err == nil {
					n++
				}
			}
			return n
		})
		check("TOP", "+OK\r\nx\r\n.\r\n", func(c *Client) (n int) {
			for _, err := range c.TopEach(t.Context(), numbers, 1_000_000) {
				if err == nil {
					n++
				}
			}
			return n
		})
		check("a queue", "+OK\r\nx\r\n.\r\n", func(c *Client) (n int) {
			q, err := c.Queue()
			if err != nil {
				return 0
			}
			for _, number := range numbers {
				q.Retr(number)
			}
			for range numbers {
				b, err := q.Body(t.Context())
				if err == nil && b.Close() == nil {
					n++
				}
			}
			return n
		})
		check("DELE", "+OK\r\n", func(c *Client) (n int) {
			for _, err := range c.DeleEach(t.Context(), numbers) {
				if err == nil {
					n++
				}
			}
			return n
		})
	}
}
