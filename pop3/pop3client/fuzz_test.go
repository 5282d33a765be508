package pop3client

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// FuzzSession lets a server say anything to a whole session. It ends, whole
// bodies are what naive says, and only a +OK, with nothing behind it, makes Quit
// succeed.
func FuzzSession(f *testing.F) {
	for _, s := range []string{
		"+OK <1@h>\r\n-ERR\r\n+OK\r\n+OK\r\n+OK\r\n1 2\r\n.\r\n+OK\r\n1 a\r\n.\r\n+OK\r\nx\r\n.\r\n+OK\r\nx\r\n.\r\n+OK\r\n+OK\r\n",
		"+OK\r\n+OK\r\nPIPELINING\r\nUIDL\r\nTOP\r\n.\r\n+OK\r\n+OK\r\n+OK\r\n1 2\r\n.\r\n+OK\r\n1 a\r\n.\r\n+OK\r\nx\r\n.\r\n-ERR\r\n+OK\r\n+OK\r\n",
		"+OK\r\n+OK\r\nSASL PLAIN\r\nUSER\r\n.\r\n+OK\r\n+OK\r\n-ERR [IN-USE]\r\n", "+OK\n-ERR\n+OK\n+OK\n+OK\n1 2\n.\n", "-ERR", "",
	} {
		f.Add(s, uint8(200))
	}
	f.Fuzz(func(t *testing.T, src string, piece uint8) {
		conn := &stream{r: strings.NewReader(src), piece: int(piece) + 1}
		d := &Dialer{TLS: TLSNever}
		c, err := d.NewClient(t.Context(), conn, "")
		if err != nil {
			return
		}
		if err := c.UserPass(t.Context(), "ann", "x"); err != nil && !refusal(err) {
			if c.broken == nil {
				t.Fatalf("usable after %v", err)
			}
			return
		}
		drop, err := c.Maildrop(t.Context())
		if err == nil {
			for i, m := range drop.Messages {
				if m.Number < 1 || i > 0 && m.Number <= drop.Messages[i-1].Number {
					t.Fatalf("%+v", drop)
				}
			}
		}
		for b, err := range c.RetrEach(t.Context(), []int{1, 2}) {
			if err != nil {
				continue
			}
			if _, err := io.Copy(io.Discard, b); (err == nil) != (b.err == io.EOF) {
				t.Fatalf("%v, %v", err, b.err)
			}
		}
		_ = c.Dele(t.Context(), 1)
		if c.busy != 0 {
			t.Fatalf("busy: %d", c.busy)
		}
		was := c.broken
		switch err := c.Quit(t.Context()); {
		case err == nil && (was != nil || !strings.Contains(src, "+OK")):
			t.Fatal("QUIT succeeded on a broken connection")
		case errors.Is(err, ErrUnknown) && was != nil:
			t.Fatalf("QUIT did not leave: %v", err)
		}
	})
}
