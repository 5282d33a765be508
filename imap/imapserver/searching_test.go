package imapserver

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// slowStore takes three seconds to open a message.
type slowStore struct {
	store.Store
	opened atomic.Int32
}

type slowAccount struct {
	store.Account
	st *slowStore
}

func (s *slowStore) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	return slowAccount{a, s}, err
}

func (a slowAccount) Content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	a.st.opened.Add(1)
	time.Sleep(3 * time.Second)
	return a.Account.Content(ctx, id, uid)
}

// slowSearch has a session with 20 messages that are slow to read. f runs while
// it searches them; it may end the connection.
func slowSearch(t *testing.T, f func(srv *Server, st *slowStore, p *pipeSession)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		st := &slowStore{Store: memstore.New(nil)}
		if err := st.Create(t.Context(), "alice", store.AccountInfo{}); err != nil {
			t.Fatal(err)
		}
		for range 20 {
			deliver(t, st, "alice", "INBOX", "Message-ID: <a@b>\r\n\r\nneedle\r\n", 0)
		}
		log := &logBook{}
		cfg := testConfig(st)
		cfg.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelError}))
		srv, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		p := startPipe(t, srv)
		p.r.ReadString('\n')
		p.run(t, "a LOGIN alice secret")
		p.run(t, "b SELECT INBOX")
		f(srv, st, p)
		p.Close()
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		st.Close()
		if log.errors.Len() > 0 {
			t.Errorf("logged: %s", log.errors.String())
		}
	})
}

// TestInProgress: a client that waits hears of it every 10 s (RFC 9585 §3), and
// what it sends meanwhile is answered behind the search.
func TestInProgress(t *testing.T) {
	slowSearch(t, func(_ *Server, _ *slowStore, p *pipeSession) {
		go func() {
			time.Sleep(5 * time.Second)
			io.WriteString(p, "d NOOP\r\ne LOGOUT\r\n")
		}()
		start := time.Now()
		out := p.run(t, "c SEARCH BODY needle")
		want := "* OK [INPROGRESS (\"c\" 4 20)] Searching\r\n* OK [INPROGRESS (\"c\" 8 20)] Searching\r\n" +
			"* OK [INPROGRESS (\"c\" 12 20)] Searching\r\n* OK [INPROGRESS (\"c\" 16 20)] Searching\r\n" +
			"* SEARCH 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20\r\nc OK SEARCH completed\r\n"
		if out != want {
			t.Errorf("got %q", out)
		}
		if d := time.Since(start); d != time.Minute {
			t.Errorf("took %v", d)
		}
		if rest := p.rest(); !strings.HasPrefix(rest, "d OK") || !strings.Contains(rest, "e OK") {
			t.Errorf("what was pipelined: %q", rest)
		}
	})
	slowSearch(t, func(_ *Server, _ *slowStore, p *pipeSession) {
		if out := p.run(t, "c] THREAD REFS UTF-8 ALL"); strings.Count(out, "[INPROGRESS (NIL ") != 4 {
			t.Errorf("THREAD, and a tag that cannot be quoted: %q", out)
		}
	})
	slowSearch(t, func(_ *Server, _ *slowStore, p *pipeSession) {
		p.run(t, "c CREATE Other")
		if out := p.run(t, "d ESEARCH IN (personal) BODY needle"); strings.Count(out, "[INPROGRESS (\"d\" ") != 4 || !strings.Contains(out, " 4 NIL)") {
			t.Errorf("ESEARCH: %q", out)
		}
	})
}

// TestSearchLost: a search ends with its connection, and soon.
func TestSearchLost(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(srv *Server, p *pipeSession)
		most int32 // messages opened until then
	}{
		{"the client hangs up", func(_ *Server, p *pipeSession) { p.Close() }, 3},
		{"the connection fails", func(_ *Server, p *pipeSession) { p.SetDeadline(time.Unix(1, 0)); p.Close() }, 3},
		{"the server closes", func(srv *Server, _ *pipeSession) { go srv.Close() }, 2},
		{"the time of Shutdown is up", func(srv *Server, _ *pipeSession) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			go srv.Shutdown(ctx)
		}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			slowSearch(t, func(srv *Server, st *slowStore, p *pipeSession) {
				go io.Copy(io.Discard, p.r)
				io.WriteString(p, "c SEARCH BODY needle\r\n")
				time.Sleep(4 * time.Second) // the second message is being opened
				tt.end(srv, p)
				time.Sleep(2 * time.Minute)
				if n := st.opened.Load(); n > tt.most {
					t.Errorf("%d messages were opened", n)
				}
			})
		})
	}
}

// TestHalfClosed: who has sent all that he wants to say still gets the answer.
func TestHalfClosed(t *testing.T) {
	st := testStore(t)
	for range 50 {
		deliver(t, st, "alice", "INBOX", "a: b\r\n\r\nneedle\r\n", 0)
	}
	nc, err := listenAndServe(t, testServer(t, testConfig(st)))()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	io.WriteString(nc, "a LOGIN alice secret\r\nb SELECT INBOX\r\nc SEARCH RETURN (COUNT) BODY needle\r\n")
	nc.(*net.TCPConn).CloseWrite()
	out, err := io.ReadAll(nc)
	if err != nil || !strings.Contains(string(out), "COUNT 50\r\nc OK") {
		t.Errorf("%q, %v", out, err)
	}
}

// TestReadAhead: what is sent while a search runs is kept, up to a bound, and
// nothing of it is lost.
func TestReadAhead(t *testing.T) {
	slowSearch(t, func(_ *Server, _ *slowStore, p *pipeSession) {
		const n = 400
		go func() {
			time.Sleep(time.Second)
			for range n {
				io.WriteString(p, "x NOOP with much behind it that is refused\r\n")
			}
			io.WriteString(p, "y LOGOUT\r\n")
		}()
		p.run(t, "c SEARCH 1:2 BODY needle")
		out := p.rest()
		if got := strings.Count(out, "x BAD"); got != 50 || !strings.Contains(out, "* BYE Too many bad commands") {
			t.Errorf("%d commands were answered: %.300q", got, out)
		}
	})
}

// TestReadAheadCompressed: what is sent while a search runs is inflated behind
// it, in order.
func TestReadAheadCompressed(t *testing.T) {
	slowSearch(t, func(_ *Server, _ *slowStore, p *pipeSession) {
		c := deflateOn(t, p, p.r)
		c.send("c SEARCH 1:4 BODY needle\r\n")
		for _, line := range []string{"d NOOP\r\n", "e SEARCH SUBJECT nothing\r\nf CHE", "CK\r\n"} {
			time.Sleep(3 * time.Second)
			c.send(line)
		}
		out := c.until("f ")
		if !strings.Contains(out, "c OK") || !strings.Contains(out, "d OK") || !strings.Contains(out, "e OK") || !strings.Contains(out, "f OK") {
			t.Errorf("got %q", out)
		}
		c.send("g NOOP\r\nh LOGOUT\r\n")
		if out := c.until("h "); !strings.Contains(out, "g OK") {
			t.Errorf("got %q", out)
		}
	})
}

// TestTrafficAhead: what is sent while a search runs is counted once.
func TestTrafficAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &slowStore{Store: memstore.New(nil)}
		defer st.Close()
		if err := st.Create(t.Context(), "alice", store.AccountInfo{}); err != nil {
			t.Fatal(err)
		}
		deliver(t, st, "alice", "INBOX", "a: b\r\n\r\nneedle\r\n", 0)
		var traffic Traffic
		cfg := testConfig(st)
		cfg.Trace.Closed = func(_ Peer, t Traffic) { traffic = t }
		srv := testServer(t, cfg)
		p := startPipe(t, srv)
		p.r.ReadString('\n')
		sent := "a LOGIN alice secret\r\nb SELECT INBOX\r\nc SEARCH BODY needle\r\n"
		p.run(t, "a LOGIN alice secret")
		p.run(t, "b SELECT INBOX")
		go func() {
			time.Sleep(time.Second)
			io.WriteString(p, "d NOOP\r\ne LOGOUT\r\n")
		}()
		p.run(t, "c SEARCH BODY needle")
		p.rest()
		sent += "d NOOP\r\ne LOGOUT\r\n"
		p.Close()
		synctest.Wait()
		if traffic.In != int64(len(sent)) {
			t.Errorf("%d octets came, not %d", len(sent), traffic.In)
		}
	})
}

// TestContextReads: a flag that changes makes no context read bodies that were
// judged; a new message is read once.
func TestContextReads(t *testing.T) {
	slowSearch(t, func(_ *Server, st *slowStore, p *pipeSession) {
		p.run(t, "c SEARCH RETURN (UPDATE) BODY needle")
		before := st.opened.Load()
		p.run(t, "d STORE 1:20 +FLAGS.SILENT (\\Flagged)")
		if n := st.opened.Load() - before; n != 0 {
			t.Errorf("%d bodies were read again", n)
		}
		deliver(t, st, "alice", "INBOX", "a: b\r\n\r\nneedle\r\n", 0)
		if out := p.run(t, "e NOOP"); !strings.Contains(out, "* ESEARCH (TAG \"c\") ADDTO (0 21)\r\n") {
			t.Errorf("got %q", out)
		}
		if n := st.opened.Load() - before; n != 1 {
			t.Errorf("%d bodies were read for one message", n)
		}
	})
}
