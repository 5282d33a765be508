package pop3client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/pop3/pop3client"
	"github.com/mailstead/mailstead/pop3/pop3test"
)

// TestHostile: each thing that a server may do wrong in a reply has its error,
// and ends the connection.
func TestHostile(t *testing.T) {
	long := strings.Repeat("x", 3000)
	for _, c := range []struct {
		name, text string
		call       func(ctx context.Context, c *pop3client.Client) error
		want       error
	}{
		{"garbage for a reply", "C: NOOP\nS: what", noop, pop3client.ErrBadReply},
		{"lower case", "C: NOOP\nS: +ok", noop, pop3client.ErrBadReply},
		{"an empty line", "C: NOOP\nS: ", noop, pop3client.ErrBadReply},
		{"a challenge outside of AUTH", "C: NOOP\nS: + abc", noop, pop3client.ErrBadReply},
		{"a long line", "C: NOOP\nS: +OK " + long, noop, pop3client.ErrReplyTooLong},
		{"an endless line", "C: NOOP\nR: \"+OK " + long + "\"\nHANG", noop, pop3client.ErrReplyTooLong},
		{"no end of the line", "C: NOOP\nR: \"+OK fine\"", noop, io.ErrUnexpectedEOF},
		{"two replies", "C: NOOP\nR: \"+OK\\r\\n+OK\\r\\n\"\nHANG", noop, pop3client.ErrUnasked},
		{"garbage behind a reply", "C: NOOP\nR: \"+OK\\r\\n\\x00\"\nHANG", noop, pop3client.ErrUnasked},
		{"two refusals", "C: RETR 1\nR: \"-ERR\\r\\n-ERR\\r\\n\"\nHANG", retr, pop3client.ErrUnasked},
		{"a body cut in a line", "C: RETR 1\nS: +OK\nR: \"Subject\"", retr, io.ErrUnexpectedEOF},
		{"a body cut behind a line", "C: RETR 1\nS: +OK\nS: Subject: x", retr, io.ErrUnexpectedEOF},
		{"a body cut behind the dot", "C: RETR 1\nS: +OK\nS: Subject: x\nR: \".\"", retr, io.ErrUnexpectedEOF},
		{"a body cut in the end", "C: RETR 1\nS: +OK\nS: Subject: x\nR: \".\\r\"", retr, io.ErrUnexpectedEOF},
		{"no body", "C: RETR 1\nS: +OK", retr, io.ErrUnexpectedEOF},
		{"a server that stuffs nothing", "C: RETR 1\nR: \"+OK\\r\\na\\r\\n.\\r\\nb\\r\\n.\\r\\n\"\nHANG", retr, pop3client.ErrUnasked},
		{"a listing cut off", "C: LIST\nS: +OK\nS: 1 10", list, io.ErrUnexpectedEOF},
		{"a listing and more", "C: LIST\nR: \"+OK\\r\\n1 10\\r\\n.\\r\\n2 20\\r\\n.\\r\\n\"\nHANG", list, pop3client.ErrUnasked},
		{"a long line in a listing", "C: LIST\nS: +OK\nS: 1 " + long, list, pop3client.ErrReplyTooLong},
		{"STAT without numbers", "C: STAT\nS: +OK many", stat, pop3client.ErrBadReply},
		{"STAT below zero", "C: STAT\nS: +OK -1 5", stat, pop3client.ErrBadReply},
		{"the wrong message", "C: UIDL 1\nS: +OK 2 x", uidlOne, pop3client.ErrBadReply},
	} {
		cl := dialScript(t, c.text)
		if err := c.call(t.Context(), cl); !errors.Is(err, c.want) {
			t.Errorf("%s: %.200v", c.name, err)
		}
		if c.name[:4] == "STAT" || c.name == "the wrong message" {
			continue // in step all the same
		}
		if err := cl.Noop(t.Context()); !errors.Is(err, pop3client.ErrClosed) {
			t.Errorf("%s: afterwards %v", c.name, err)
		}
		if err := cl.Quit(t.Context()); !errors.Is(err, pop3client.ErrClosed) || errors.Is(err, pop3client.ErrUnknown) {
			t.Errorf("%s: QUIT %v", c.name, err)
		}
	}
}

func noop(ctx context.Context, c *pop3client.Client) error { return c.Noop(ctx) }

func stat(ctx context.Context, c *pop3client.Client) error {
	_, _, err := c.Stat(ctx)
	return err
}

func uidlOne(ctx context.Context, c *pop3client.Client) error {
	_, err := c.UIDLOne(ctx, 1)
	return err
}

func retr(ctx context.Context, c *pop3client.Client) error {
	b, err := c.Retr(ctx, 1)
	if err == nil {
		_, err = io.Copy(io.Discard, b)
	}
	return err
}

func list(ctx context.Context, c *pop3client.Client) error {
	for _, err := range c.List(ctx) {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestNothingStuffedWhilePipelining: what stands behind a body decides whether
// it ended there, also where more replies are awaited.
func TestNothingStuffedWhilePipelining(t *testing.T) {
	c := dialScriptWith(t, &pop3client.Dialer{}, pipelines+`
		C: RETR 1
		C: RETR 2
		R: "+OK\r\nmine\r\n.\r\nthe rest\r\n.\r\n+OK\r\nx\r\n.\r\n"
		HANG
	`)
	for b, err := range c.RetrEach(t.Context(), []int{1, 2}) {
		if b.Number == 2 {
			if !errors.Is(err, pop3client.ErrClosed) {
				t.Errorf("2: %v", err)
			}
			continue
		}
		if all, err := io.ReadAll(b); !errors.Is(err, pop3client.ErrBadReply) {
			t.Errorf("%q, %v", all, err)
		}
	}
}

// TestCutEverywhere: a server that closes after any number of octets. What was
// read to its end is whole, and QUIT is never said to have worked, or not to
// have been sent, wrongly.
func TestCutEverywhere(t *testing.T) {
	want := texts(4)
	whole := len(play(t, 1<<30, want).log)
	for n := range whole + 1 {
		r := play(t, n, want)
		if r.whole < 4 && r.quit == nil {
			t.Errorf("%d octets: %d messages and a QUIT", n, r.whole)
		}
		if left := len(r.srv.Messages()); r.quit == nil && left != 0 || r.quit != nil && !errors.Is(r.quit, pop3client.ErrUnknown) && left != 4 {
			t.Errorf("%d octets: %d messages are left, QUIT %v", n, left, r.quit)
		}
	}
}

type played struct {
	srv   *pop3test.Server
	whole int
	quit  error
	log   []byte // what the server wrote
}

// play fetches and deletes all from a server that closes after n octets.
func play(t *testing.T, n int, want []string) *played {
	t.Helper()
	r := &played{quit: io.EOF}
	r.srv = pop3test.NewServer(t, pop3test.Options{
		Messages: pop3test.Texts(want...),
		Wire:     func(_ int, c net.Conn) net.Conn { return pop3test.CutAfter(&tee{c, &r.log}, n) },
	})
	defer r.srv.Close()
	d := &pop3client.Dialer{Net: r.srv}
	ctx := t.Context()
	c, err := d.Dial(ctx, "tcp", "x:110")
	if err != nil {
		return r
	}
	defer c.Close()
	if c.UserPass(ctx, "ann", "x") != nil {
		return r
	}
	var numbers []int
	for b, err := range c.RetrEach(ctx, []int{1, 2, 3, 4}) {
		if err != nil {
			break
		}
		if all, err := io.ReadAll(b); err == nil {
			if string(all) != want[b.Number-1] {
				t.Errorf("%d octets: %q for message %d", n, all, b.Number)
			}
			r.whole++
			numbers = append(numbers, b.Number)
		}
	}
	for _, err := range c.DeleEach(ctx, numbers) {
		if err != nil {
			return r
		}
	}
	r.quit = c.Quit(ctx)
	return r
}

type tee struct {
	net.Conn
	log *[]byte
}

func (t *tee) Write(p []byte) (int, error) {
	*t.log = append(*t.log, p...)
	return t.Conn.Write(p)
}
