package pop3client

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// BenchmarkRetr: messages of 8 KB, one by one, without a network.
func BenchmarkRetr(b *testing.B) {
	body := strings.Repeat(strings.Repeat("x", 76)+"\r\n", 105)
	b.SetBytes(int64(len(body)))
	benchmark(b, "+OK 8190 octets\r\n"+body+".\r\n", func(c *Client) error {
		m, err := c.Retr(b.Context(), 1)
		if err == nil {
			_, err = m.WriteTo(io.Discard)
		}
		return err
	})
}

// BenchmarkRetrEach: the same, pipelined.
func BenchmarkRetrEach(b *testing.B) {
	body := strings.Repeat(strings.Repeat("x", 76)+"\r\n", 105)
	b.SetBytes(int64(len(body)))
	c := newClient(&Dialer{}, &stream{r: &repeated{text: "+OK 8190 octets\r\n" + body + ".\r\n"}, piece: 1 << 20}, "")
	c.caps.Pipelining = true
	c.pending = maxPending // so that what comes early is awaited
	numbers := make([]int, b.N)
	b.ReportAllocs()
	b.ResetTimer()
	for m, err := range c.RetrEach(b.Context(), numbers) {
		if err == nil {
			_, err = m.WriteTo(io.Discard)
		}
		if err != nil && c.pending > 0 {
			b.Fatal(err)
		}
	}
}

// BenchmarkMaildrop: listings of 1,000 messages.
func BenchmarkMaildrop(b *testing.B) {
	var sizes, ids strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&sizes, "%d 8190\r\n", i+1)
		fmt.Fprintf(&ids, "%d 00000000%08x\r\n", i+1, i)
	}
	benchmark(b, "+OK\r\n"+sizes.String()+".\r\n\x00+OK\r\n"+ids.String()+".\r\n", func(c *Client) error {
		_, err := c.Maildrop(b.Context())
		return err
	})
}

// benchmark answers the commands of call with the replies, again and again.
func benchmark(b *testing.B, replies string, call func(c *Client) error) {
	conn := &answers{replies: strings.Split(replies, "\x00")}
	c := newClient(&Dialer{}, conn, "")
	b.ReportAllocs()
	for b.Loop() {
		if err := call(c); err != nil {
			b.Fatal(err)
		}
	}
}

// answers is a connection that answers each command with the next reply.
type answers struct {
	nullConn
	replies []string
	next    int
	left    string
}

func (a *answers) Write(p []byte) (int, error) {
	a.left = a.replies[a.next%len(a.replies)]
	a.next++
	return len(p), nil
}

func (a *answers) Read(p []byte) (int, error) {
	n := copy(p, a.left)
	a.left = a.left[n:]
	return n, nil
}
