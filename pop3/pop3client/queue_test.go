package pop3client_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/pop3/pop3client"
	"github.com/mailstead/mailstead/pop3/pop3test"
)

func queue(t *testing.T, c *pop3client.Client) *pop3client.Queue {
	t.Helper()
	q, err := c.Queue()
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// wantBody takes a body and all of it.
func wantBody(t *testing.T, q *pop3client.Queue, number int, want string) {
	t.Helper()
	b, err := q.Body(t.Context())
	if err != nil {
		t.Fatal(number, err)
	}
	got, err := io.ReadAll(b)
	if b.Number != number || string(got) != want || err != nil {
		t.Errorf("%d: %q, %v; want %d: %q", b.Number, got, err, number, want)
	}
}

// TestQueue: commands leave together where the server pipelines, else each when
// its reply is wanted, and more may be queued while a body is read.
func TestQueue(t *testing.T) {
	const first, second = "S: +OK\nS: one\nS: .\n", "S: +OK\nS: two\nS: .\n"
	for name, text := range map[string]string{
		"pipelining": pipelines + "C: RETR 1\nC: UIDL 1\n" + first + "C: RETR 2\nC: UIDL 2\nS: +OK 1 a\n" + second + "S: +OK 2 b\n",
		"one by one": noCAPA + "C: RETR 1\n" + first + "C: UIDL 1\nS: +OK 1 a\nC: RETR 2\n" + second + "C: UIDL 2\nS: +OK 2 b\n",
	} {
		c := dialScriptWith(t, &pop3client.Dialer{}, text+"C: QUIT\nS: +OK")
		q := queue(t, c)
		q.Retr(1)
		q.UIDL(1)
		wantBody(t, q, 1, "one\r\n")
		q.Retr(2)
		q.UIDL(2)
		if m, err := q.UniqueID(t.Context()); m.UniqueID != "a" || err != nil {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
		wantBody(t, q, 2, "two\r\n")
		if err := c.Quit(t.Context()); !errors.Is(err, pop3client.ErrBusy) {
			t.Errorf("%s: QUIT: %v", name, err)
		}
		if m, err := q.UniqueID(t.Context()); m.UniqueID != "b" || err != nil {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
		if err := errors.Join(q.Close(t.Context()), q.Close(t.Context()), c.Quit(t.Context())); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestQueueOrder: replies are taken in the order of the commands alone.
func TestQueueOrder(t *testing.T) {
	c := dialScriptWith(t, &pop3client.Dialer{}, pipelines+"C: RETR 1\nC: UIDL 1\nS: +OK\nS: one\nS: .\nS: -ERR\nC: NOOP\nS: +OK")
	ctx := t.Context()
	q := queue(t, c)
	busy := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, pop3client.ErrBusy) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := c.Queue()
	busy("two queues", err)
	busy("another command", c.Noop(ctx))
	_, err = q.Body(ctx)
	busy("nothing is queued", err)
	q.Retr(1)
	q.UIDL(1)
	_, err = q.UniqueID(ctx)
	busy("another reply is next", err)
	b, err := q.Body(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = q.UniqueID(ctx)
	busy("the body is not finished", err)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := q.UniqueID(ctx); err == nil || errors.Is(err, pop3client.ErrBusy) {
		t.Errorf("a refusal: %v", err)
	}
	if err := q.Close(ctx); err != nil {
		t.Error(err)
	}
	q.Retr(1)
	_, err = q.Body(ctx)
	busy("closed", err)
	if err := c.Noop(ctx); err != nil {
		t.Error(err)
	}
}

// TestQueueClose: what has left is read away, as long as it is little, and what
// has not does not leave.
func TestQueueClose(t *testing.T) {
	long := "S: +OK\nR: " + fmt.Sprintf("%q", strings.Repeat(strings.Repeat("x", 98)+"\r\n", 2000)) + "\nS: .\nS: +OK 1 a\n" // 200 kB
	for _, tc := range []struct {
		name, text string
		take       bool // the first body
		late       bool // another one is queued behind it
		want       error
	}{
		{name: "nothing left", text: noCAPA},
		{name: "one by one", text: noCAPA + "C: RETR 1\nS: +OK\nS: one\nS: .\n", take: true},
		{name: "refusals", text: pipelines + "C: RETR 1\nC: UIDL 1\nC: RETR 1\nC: UIDL 1\nS: +OK\nS: one\nS: .\nS: -ERR\nS: -ERR\nS: -ERR\n", take: true},
		{name: "one that is long", text: pipelines + "C: RETR 1\nC: UIDL 1\nC: RETR 1\nC: UIDL 1\nS: +OK\nS: .\nS: +OK 1 a\n" + long, take: true},
		{name: "long together", text: pipelines + "C: RETR 1\nC: UIDL 1\nC: RETR 1\nC: UIDL 1\n" + long + long + "HANG", take: true, want: pop3client.ErrClosed},
		{name: "long together behind one", text: pipelines + "C: RETR 7\nC: RETR 1\nC: UIDL 1\nC: RETR 1\nC: UIDL 1\nS: +OK\nS: .\n" + long + long + "HANG", take: true, want: pop3client.ErrClosed},
		{name: "queued too late", text: pipelines + "C: RETR 1\nC: UIDL 1\nC: RETR 1\nC: UIDL 1\nS: +OK\nS: .\nS: +OK 1 a\nS: +OK\nS: .\nS: +OK 1 a\n", take: true, late: true},
	} {
		text := tc.text
		if tc.want == nil {
			text += "C: NOOP\nS: +OK"
		}
		c := dialScriptWith(t, &pop3client.Dialer{}, text)
		q := queue(t, c)
		if strings.Contains(text, "RETR 7") {
			q.Retr(7)
		}
		for range 2 {
			q.Retr(1)
			q.UIDL(1)
		}
		if tc.take {
			if _, err := q.Body(t.Context()); err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
		}
		if tc.late {
			q.Retr(2)
		}
		if err := q.Close(t.Context()); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
		if err := c.Noop(t.Context()); (err == nil) != (tc.want == nil) {
			t.Errorf("%s: NOOP: %v", tc.name, err)
		}
	}
}

// TestQueueLies: a reply that is that of another command ends the connection.
func TestQueueLies(t *testing.T) {
	for name, replies := range map[string]string{
		"swallows a command": "S: +OK\nS: one\nS: .\nS: +OK\nS: two\nS: .\n", // the first UIDL
		"another number":     "S: +OK\nS: one\nS: .\nS: +OK 2 b\nS: +OK\nS: two\nS: .\n",
		"ends too early":     "S: +OK\nS: one\nS: .\nS: more\nS: .\nS: +OK 1 a\n",
		"a body too many":    "S: +OK\nS: one\nS: .\nS: +OK 1 a\nS: +OK\nS: two\nS: .\nS: +OK 2 b\nS: +OK\n",
	} {
		c := dialScriptWith(t, &pop3client.Dialer{}, pipelines+"C: RETR 1\nC: UIDL 1\nC: RETR 2\nC: UIDL 2\n"+replies+"HANG")
		q := queue(t, c)
		err := error(nil)
		for n := 1; n <= 2; n++ {
			q.Retr(n)
			q.UIDL(n)
		}
		for n := 1; n <= 2 && err == nil; n++ {
			var b *pop3client.Body
			if b, err = q.Body(t.Context()); err == nil {
				if _, err = io.ReadAll(b); err == nil {
					_, err = q.UniqueID(t.Context())
				}
			}
		}
		err = cmp.Or(err, q.Close(t.Context()))
		if err == nil || c.Usable() {
			t.Errorf("%s: %v, usable %v", name, err, c.Usable())
		}
	}
}

// TestQueueCut: a body is whole or an error, and nothing is taken for the reply
// to another command, wherever the connection is cut.
func TestQueueCut(t *testing.T) {
	whole := 0
	for cut := 1; cut < 700; cut++ {
		srv := pop3test.NewServer(t, pop3test.Options{
			Messages: pop3test.Texts(texts(6)...),
			Wire:     func(_ int, c net.Conn) net.Conn { return pop3test.CutAfter(c, cut) },
		})
		c, err := (&pop3client.Dialer{Net: srv}).Dial(t.Context(), "tcp", "x:110")
		if err != nil {
			continue
		}
		if c.UserPass(t.Context(), "ann", "x") == nil {
			whole += queued(t, t.Context(), c, 6)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if whole == 0 {
		t.Error("none is whole")
	}
}

// queued retrieves n messages, each of which is asked for while the one before
// is read, and counts those that are whole.
func queued(t *testing.T, ctx context.Context, c *pop3client.Client, n int) (whole int) { //nolint:revive // t first
	q, err := c.Queue()
	if err != nil {
		return 0
	}
	defer q.Close(ctx)
	ask := func(n int) { q.Retr(n); q.UIDL(n) }
	ask(1)
	for i := 1; i <= n; i++ {
		ask(i%n + 1)
		b, err := q.Body(ctx)
		if err != nil {
			return whole
		}
		got, err := io.ReadAll(b)
		if err != nil {
			return whole
		}
		m, err := q.UniqueID(ctx)
		if err != nil {
			return whole
		}
		if string(got) != texts(n)[i-1] || m.UniqueID != fmt.Sprintf("id%d", i) {
			t.Errorf("%d: %q, %+v", i, got, m)
		}
		whole++
	}
	return whole
}
