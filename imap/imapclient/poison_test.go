package imapclient_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
)

// No test leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tripping is a connection that does something in front of the n-th read or write.
type tripping struct {
	net.Conn
	left atomic.Int64
	trip func()
}

func (c *tripping) count() {
	if c.left.Add(-1) == 0 {
		c.trip()
	}
}

func (c *tripping) Read(p []byte) (int, error)  { c.count(); return c.Conn.Read(p[:min(len(p), 40)]) }
func (c *tripping) Write(p []byte) (int, error) { c.count(); return c.Conn.Write(p) }

// calls is a session with one call of each kind.
func calls(ctx context.Context, c *imapclient.Client) error {
	uid, err := c.Append(ctx, imap.Inbox, letter("s", strings.Repeat("x", 500)))
	if err != nil {
		return err
	}
	uids := uid.UIDs.Resolve(0)
	if _, err := c.List(ctx, imap.ListOptions{Status: []imap.StatusItem{imap.StatusMessages}}); err != nil {
		return err
	}
	if _, err := c.Select(ctx, imap.Inbox, imapclient.SelectOptions{}); err != nil {
		return err
	}
	for m, err := range c.Fetch(ctx, uids, imap.FetchOptions{Items: imap.FetchEnvelope, Sections: []imap.Section{{Peek: true}}}) {
		if err != nil {
			return err
		}
		body, err := m.Body()
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			return err
		}
	}
	if _, err := c.Search(ctx, imap.Criteria{UIDs: uids}, imap.SearchOptions{}); err != nil {
		return err
	}
	if _, err := c.Replace(ctx, uids.Min(), imap.Inbox, letter("t", "y")); err != nil {
		return err
	}
	return c.Idle(ctx, imapclient.IdleOptions{Wake: func() bool { return true }})
}

// Whatever a call waits for: the end of its context ends it, and a connection of
// which nobody knows where it stands is closed, and says so to the next call. The
// same where another goroutine closes it.
func TestEndsAnywhere(t *testing.T) {
	addr := serve(t, nil)
	for _, closes := range []bool{false, true} {
		ended := 0
		for n := int64(1); ; n++ {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			tc := &tripping{Conn: conn, trip: cancel}
			d := imapclient.Dialer{TLS: imapclient.TLSNever, Auth: alice()}
			c, err := d.NewClient(ctx, tc, "")
			if err != nil {
				t.Fatal(err)
			}
			if closes {
				tc.trip = func() { c.Close() }
			}
			tc.left.Store(n)
			err = calls(ctx, c)
			tripped := tc.left.Load() <= 0
			switch {
			case err == nil: // IDLE ends without an error
			case !closes && !errors.Is(err, context.Canceled):
				t.Errorf("at %d: %v", n, err)
			case c.Err() != nil:
				if next := c.Noop(t.Context()); !errors.Is(next, imapclient.ErrClosed) {
					t.Errorf("at %d: the next call: %v", n, next)
				}
				if conn.SetDeadline(time.Time{}) == nil {
					t.Errorf("at %d: the connection is open", n)
				}
			case c.Noop(t.Context()) != nil: // the context ended between calls
				t.Errorf("at %d: the connection is of no use: %v", n, c.Err())
			}
			cancel()
			c.Close()
			if !tripped {
				break
			}
			ended++
		}
		if ended < 50 {
			t.Errorf("only %d places", ended)
		}
	}
}

// Close while a call runs, from goroutines that know nothing of it.
func TestCloseRace(t *testing.T) {
	addr := serve(t, nil)
	for i := range 30 {
		c := dial(t, addr, imapclient.Dialer{})
		open(t, c, imap.Inbox)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for range 50 * i { // where it meets the call differs
					runtime.Gosched()
				}
				c.Close()
			})
			wg.Go(func() {
				if err := c.Noop(t.Context()); err == nil {
					return
				}
			})
		}
		err := c.Idle(t.Context(), imapclient.IdleOptions{Max: time.Minute})
		wg.Wait()
		if err == nil {
			t.Error("IDLE ended without an error")
		}
	}
}
