package imapclient_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/store"
)

// piped is a session whose server is a function, in a synctest bubble. It ends
// when the function does.
func piped(t *testing.T, d imapclient.Dialer, greeting string, server func(conn net.Conn), client func(t *testing.T, c *imapclient.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer theirs.Close()
			if _, err := io.WriteString(theirs, greeting+"\r\n"); err == nil {
				server(theirs)
			}
		}()
		d.TLS = imapclient.TLSNever
		c, err := d.NewClient(t.Context(), ours, "")
		if err != nil {
			t.Fatal(err)
		}
		client(t, c)
		c.Close()
		<-done
	})
}

// preauth is a greeting that needs no login.
const preauth = "* PREAUTH [CAPABILITY IMAP4rev1 LITERAL+ IDLE UIDPLUS ENABLE QRESYNC] hi"

// gets reads a line that the client has to send.
func gets(t *testing.T, conn net.Conn, want string) {
	got := make([]byte, len(want)+2)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want+"\r\n" {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// says sends lines.
func says(conn net.Conn, lines ...string) { io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n") }

// What comes while a command is being written is its answer, too: nothing more
// is waited for.
func TestAnswerDuringWrite(t *testing.T) {
	piped(t, imapclient.Dialer{}, preauth, func(conn net.Conn) {
		io.ReadFull(conn, make([]byte, len("a1 NOOP\r")))
		time.Sleep(time.Second)
		says(conn, "* 1 EXISTS", "a1 OK early")
		io.ReadFull(conn, make([]byte, 1))
		conn.Read(make([]byte, 1)) // until the client leaves
	}, func(t *testing.T, c *imapclient.Client) {
		begin := time.Now()
		if err := c.Noop(t.Context()); err != nil || time.Since(begin) > 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
	})
}

// A server that reads nothing before all that it sends has been read does not
// stop the client, whose body it sends meanwhile.
func TestBothSidesWrite(t *testing.T) {
	flood := strings.Repeat("* OK still here\r\n", 20_000)
	piped(t, imapclient.Dialer{}, preauth, func(conn net.Conn) {
		io.ReadFull(conn, make([]byte, 100))
		io.WriteString(conn, flood)
		n, _ := io.Copy(io.Discard, io.LimitReader(conn, 300_000))
		if n != 300_000 {
			t.Errorf("%d octets", n)
		}
		go io.Copy(io.Discard, conn)
		says(conn, "a1 OK [APPENDUID 1 7] done")
	}, func(t *testing.T, c *imapclient.Client) {
		text := strings.Repeat("x", 400_000)
		uid, err := c.Append(t.Context(), "INBOX", &imapclient.NewMessage{Size: int64(len(text)), Body: strings.NewReader(text)})
		if err != nil || uid.UIDs.String() != "7" {
			t.Error(uid, err)
		}
	})
}

// The end of a context ends each wait at once, and the connection with it.
func TestContext(t *testing.T) {
	calls := map[string]func(ctx context.Context, c *imapclient.Client) error{
		"response": func(ctx context.Context, c *imapclient.Client) error { return c.Noop(ctx) },
		"write": func(ctx context.Context, c *imapclient.Client) error {
			_, err := c.Append(ctx, "INBOX", &imapclient.NewMessage{Size: 1 << 20, Body: strings.NewReader(strings.Repeat("x", 1<<20))})
			return err
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			piped(t, imapclient.Dialer{}, preauth, func(conn net.Conn) {
				io.ReadFull(conn, make([]byte, 9))
				time.Sleep(time.Hour)
			}, func(t *testing.T, c *imapclient.Client) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begin := time.Now()
				if err := call(ctx, c); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
					t.Errorf("%v after %v", err, time.Since(begin))
				}
				if err := c.Noop(t.Context()); !errors.Is(err, imapclient.ErrClosed) || !errors.Is(c.Err(), imapclient.ErrClosed) {
					t.Error(err)
				}
			})
		})
	}
}

// Each kind of wait has its bound.
func TestTimeouts(t *testing.T) {
	timeouts := imapclient.Timeouts{Command: 2 * time.Minute, Block: 30 * time.Second, Long: 20 * time.Minute}
	body := imap.FetchOptions{Sections: []imap.Section{{Peek: true}}}
	for _, tt := range []struct {
		name  string
		want  time.Duration
		lines []string // the server says before it hangs
		call  func(c *imapclient.Client) error
	}{
		{"command", 2 * time.Minute, nil, func(c *imapclient.Client) error { return c.Noop(context.Background()) }},
		{"half a response", 2 * time.Minute, []string{"* OK x", "* OK"}, func(c *imapclient.Client) error { return c.Noop(context.Background()) }},
		{"long command", 20 * time.Minute, nil, func(c *imapclient.Client) error {
			_, err := c.Select(context.Background(), "x", imapclient.SelectOptions{})
			return err
		}},
		{"text of a message", 30 * time.Second, []string{"* 1 EXISTS", "a1 OK x", "* 1 FETCH (UID 1 BODY[] {100}", "abc"}, func(c *imapclient.Client) error {
			if _, err := c.Select(context.Background(), "x", imapclient.SelectOptions{}); err != nil {
				return nil
			}
			for m, err := range c.Fetch(context.Background(), store.UIDs(1), body) {
				if err != nil {
					return err
				}
				s, err := m.Body()
				if err != nil {
					return err
				}
				if _, err := io.Copy(io.Discard, s); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			piped(t, imapclient.Dialer{Timeouts: timeouts}, preauth, func(conn net.Conn) {
				go io.Copy(io.Discard, conn)
				io.WriteString(conn, strings.Join(tt.lines, "\r\n"))
				time.Sleep(time.Hour)
			}, func(t *testing.T, c *imapclient.Client) {
				begin := time.Now()
				if err := tt.call(c); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begin) != tt.want {
					t.Errorf("%v after %v", err, time.Since(begin))
				}
			})
		})
	}
}

// A body that is cut off is io.ErrUnexpectedEOF, and the message never ends well.
func TestBodyCutOff(t *testing.T) {
	piped(t, imapclient.Dialer{}, preauth, func(conn net.Conn) {
		gets(t, conn, `a1 SELECT "x"`)
		says(conn, "* 1 EXISTS", "a1 OK x")
		io.ReadFull(conn, make([]byte, len("a2 UID FETCH 1 (UID BODY.PEEK[])\r\n")))
		io.WriteString(conn, "* 1 FETCH (UID 1 BODY[] {100000}\r\nabc")
	}, func(t *testing.T, c *imapclient.Client) {
		if _, err := c.Select(t.Context(), "x", imapclient.SelectOptions{}); err != nil {
			t.Fatal(err)
		}
		turns := 0
		for m, err := range c.Fetch(t.Context(), store.UIDs(1), imap.FetchOptions{Sections: []imap.Section{{Peek: true}}}) {
			if turns++; turns == 2 {
				if !errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, imapclient.ErrClosed) {
					t.Error(err)
				}
				continue
			}
			s, err := m.Body()
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(s); !errors.Is(err, io.ErrUnexpectedEOF) || string(b) != "abc" {
				t.Errorf("%q, %v", b, err)
			}
		}
		if turns != 2 {
			t.Errorf("%d turns", turns)
		}
	})
}

// IDLE: the end of the context ends it well, also in the middle of a response.
func TestIdleContext(t *testing.T) {
	var expunged []uint32
	d := imapclient.Dialer{Handler: imapclient.Handler{Expunge: func(n uint32) { expunged = append(expunged, n) }}}
	piped(t, d, preauth, func(conn net.Conn) {
		gets(t, conn, `a1 SELECT "x"`)
		says(conn, "* 5 EXISTS", "a1 OK x")
		gets(t, conn, "a2 IDLE")
		says(conn, "+ idling")
		time.Sleep(time.Minute)
		io.WriteString(conn, "* 3 EXPUNGE\r\n* 2 EXP")
		gets(t, conn, "DONE")
		says(conn, "UNGE", "a2 OK done")
		gets(t, conn, "a3 IDLE")
		says(conn, "+ idling")
		begin := time.Now()
		gets(t, conn, "DONE")
		if took := time.Since(begin); took != 29*time.Minute {
			t.Errorf("DONE after %v", took)
		}
		says(conn, "a3 OK done")
		gets(t, conn, "a4 IDLE")
		says(conn, "+ idling", "* BYE going down")
	}, func(t *testing.T, c *imapclient.Client) {
		if _, err := c.Select(t.Context(), "x", imapclient.SelectOptions{}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		if err := c.Idle(ctx, imapclient.IdleOptions{}); err != nil || len(expunged) != 2 || c.Mailbox().Exists != 3 {
			t.Error(expunged, err)
		}
		if err := c.Idle(t.Context(), imapclient.IdleOptions{}); err != nil {
			t.Error(err)
		}
		err := c.Idle(t.Context(), imapclient.IdleOptions{})
		if e, ok := errors.AsType[*imapclient.Error](err); !ok || e.Response.Condition != imap.ConditionBye || !e.Temporary() {
			t.Error(err)
		}
	})
}

// What comes before CLOSED is about the old mailbox (RFC 7162 §3.2.11).
func TestSelectClosed(t *testing.T) {
	var heard []uint32
	d := imapclient.Dialer{
		Enable: []imap.Capability{imap.CapQResync}, Handler: imapclient.Handler{Exists: func(n uint32) { heard = append(heard, n) }},
	}
	piped(t, d, preauth, func(conn net.Conn) {
		gets(t, conn, "a1 ENABLE QRESYNC")
		says(conn, "* ENABLED QRESYNC", "a1 OK")
		gets(t, conn, `a2 SELECT "a"`)
		says(conn, "* 5 EXISTS", "a2 OK x")
		gets(t, conn, `a3 SELECT "b"`)
		says(conn, "* 6 EXISTS", "* OK [CLOSED] x", "* 7 EXISTS", "* OK [UIDVALIDITY 4] x", "a3 OK [READ-ONLY] x")
		gets(t, conn, `a4 SELECT "c"`) // this one does not say CLOSED, although it has to
		says(conn, "* 8 EXISTS", "* OK [UIDVALIDITY 9] x", "a4 OK x")
	}, func(t *testing.T, c *imapclient.Client) {
		for _, want := range []imap.SelectedMailbox{
			{Name: "a", Exists: 5}, {Name: "b", Exists: 7, UIDValidity: 4, ReadOnly: true}, {Name: "c", Exists: 8, UIDValidity: 9},
		} {
			box, err := c.Select(t.Context(), want.Name, imapclient.SelectOptions{})
			if err != nil || box.Name != want.Name || box.Exists != want.Exists || box.UIDValidity != want.UIDValidity || box.ReadOnly != want.ReadOnly {
				t.Errorf("%+v, %v", box, err)
			}
		}
		if len(heard) == 0 || heard[0] != 6 {
			t.Errorf("heard %v", heard)
		}
	})
}

// Names that have another form on the wire than ours are asked for by their own.
func TestOddNames(t *testing.T) {
	piped(t, imapclient.Dialer{}, preauth, func(conn net.Conn) {
		gets(t, conn, `a1 LIST "" "*"`)
		says(conn, `* LIST () "/" "bad&name"`, `* LIST () NIL "B&APw-ro"`, `* LIST () "/" inbox`, "* LIST () \"/\" {6}\r\nr\xe4w \"x", "a1 OK")
		gets(t, conn, `a2 DELETE "bad&name"`)
		says(conn, "a2 OK")
		gets(t, conn, `a3 DELETE "B&APw-ro"`)
		says(conn, "a3 OK")
		gets(t, conn, "a4 DELETE {6+}\r\nr\xe4w \"x")
		says(conn, "a4 OK")
		gets(t, conn, `a5 DELETE "new &- old"`)
		says(conn, "a5 NO [NONEXISTENT] x")
	}, func(t *testing.T, c *imapclient.Client) {
		list, err := c.List(t.Context(), imap.ListOptions{})
		if err != nil || len(list) != 4 || list[1].Name != "Büro" || list[1].Delimiter != 0 || list[2].Name != "INBOX" {
			t.Fatalf("%+v, %v", list, err)
		}
		for _, name := range []string{"bad&name", "Büro", "r\xe4w \"x"} {
			if err := c.Delete(t.Context(), name); err != nil {
				t.Error(err)
			}
		}
		if err := c.Delete(t.Context(), "new & old"); imapclient.Code(err) != imap.CodeNonExistent {
			t.Error(err)
		}
		if err := c.Delete(t.Context(), "a\r\nb"); !errors.Is(err, imapclient.ErrArgument) {
			t.Error(err)
		}
	})
}
