package pop3client

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
)

// repeated says a text for ever, behind a head.
type repeated struct {
	head, text string
	at         int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	if r.head != "" {
		n = copy(p, r.head)
		r.head = r.head[n:]
		return n, nil
	}
	for n < len(p) {
		k := copy(p[n:], r.text[r.at:])
		n, r.at = n+k, (r.at+k)%len(r.text)
	}
	return n, nil
}

// TestEndless: what never ends meets its bound, and takes no memory of its
// size.
func TestEndless(t *testing.T) {
	retr := func(c *Client) error {
		b, err := c.Retr(t.Context(), 1)
		if err == nil {
			_, err = io.Copy(struct{ io.Writer }{io.Discard}, b)
		}
		return err
	}
	list := func(c *Client) (err error) {
		for _, err = range c.UIDL(t.Context()) {
		}
		return err
	}
	maildrop := func(c *Client) error {
		_, err := c.Maildrop(t.Context())
		return err
	}
	lines := func(c *Client) (err error) {
		for range c.Lines(t.Context(), "X") {
			break
		}
		return c.Noop(t.Context())
	}
	for _, c := range []struct {
		name, text string
		call       func(c *Client) error
		want       error
		memory     uint64
	}{
		{"a message", strings.Repeat("x", 1<<10), retr, ErrMessageTooLarge, 1 << 20},
		{"a message of dots", "\r\n..", retr, ErrMessageTooLarge, 1 << 20},
		{"a message of line ends", "\n", retr, ErrMessageTooLarge, 1 << 20},
		{"a message that announces more", "", retr, io.ErrUnexpectedEOF, 1 << 20},
		{"a listing", "1 2\r\n", list, ErrListing, 1 << 20},
		{"a listing of empty lines", "\n", list, ErrListing, 1 << 20},
		{"a listing of long lines", "1 " + strings.Repeat("2", 2000) + "\r\n", list, ErrListing, 8 << 20},
		{"a listing that is kept", "1 2\r\n", maildrop, ErrListing, 16 << 20},
		{"lines that are left", "x\r\n", lines, ErrListing, 1 << 20},
	} {
		var r io.Reader = &repeated{head: "+OK 10737418240 octets\r\n", text: c.text}
		if c.text == "" {
			r = strings.NewReader("+OK 10737418240 octets\r\nSubject: x\r\n")
		}
		cl := newClient(&Dialer{MaxMessage: 6 << 20, MaxListing: 2 << 20, MaxMessages: 60_000}, &stream{r: r, piece: 1 << 20}, "")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := c.call(cl); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > c.memory {
			t.Errorf("%s: %d octets were allocated", c.name, grown)
		}
		if cl.Usable() {
			t.Errorf("%s: usable", c.name)
		}
	}
}
