package watch_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapclient/mirror"
	"github.com/mailstead/mailstead/imap/imapclient/watch"
	"github.com/mailstead/mailstead/imap/imaptest"
)

// plain logs in with a password.
type plain string

func (p plain) Login(ctx context.Context, _ []string, _ *tls.ConnectionState, exchange func(context.Context, sasl.Client) error) error {
	return exchange(ctx, sasl.NewPlainClient("", imaptest.User, string(p)))
}

// watching is a Watcher at work.
type watching struct {
	t      *testing.T
	srv    *imaptest.Server
	w      *watch.Watcher
	events chan string
	cancel context.CancelFunc
	done   chan struct{}
	last   string
}

// start watches srv in a bubble.
func start(t *testing.T, srv *imaptest.Server, edit func(w *watch.Watcher)) *watching {
	t.Helper()
	if srv.Account == nil {
		srv.Account = imaptest.NewAccount()
	}
	x := &watching{t: t, srv: srv, events: make(chan string, 10_000), done: make(chan struct{})}
	x.w = &watch.Watcher{Dialer: &imapclient.Dialer{Net: srv, TLS: imapclient.TLSNever, Auth: plain(imaptest.Password)}, Addr: "mail.example.org:143"}
	if edit != nil {
		edit(x.w)
	}
	x.run()
	return x
}

func (x *watching) run() {
	ctx, cancel := context.WithCancel(x.t.Context())
	x.cancel, x.done = cancel, make(chan struct{})
	go func() {
		defer close(x.done)
		for ev, err := range x.w.Events(ctx) {
			switch {
			case err != nil:
				x.events <- "error"
				x.last = err.Error()
			case ev.Kind == watch.InStep:
			case ev.Mailbox == imap.Inbox:
				x.events <- fmt.Sprint(ev.Kind, " ", ev.UID)
			default:
				x.events <- fmt.Sprint(ev.Mailbox, " ", ev.Kind, " ", ev.UID)
			}
		}
	}()
}

// stop ends it, and the server.
func (x *watching) stop() {
	x.cancel()
	<-x.done
	x.srv.Close()
}

// expect waits d and compares what was told.
func (x *watching) expect(d time.Duration, want ...string) {
	x.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	var got []string
	for len(x.events) > 0 {
		got = append(got, <-x.events)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		x.t.Fatalf("told %v, want %v (last error %q)", got, want, x.last)
	}
}

const letter = "Subject: x\r\n\r\nHello.\r\n"

// ladders are what servers offer.
var ladders = map[string][]string{
	"QRESYNC": nil, "CONDSTORE": {"IMAP4rev1", "IDLE", "ENABLE", "CONDSTORE"}, "IDLE": {"IMAP4rev1", "IDLE"}, "nothing": {"IMAP4rev1"},
}

// TestLive: what happens is told: at once where there is IDLE, else at the next
// poll.
func TestLive(t *testing.T) {
	for name, caps := range ladders {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := &imaptest.Server{Account: imaptest.NewAccount(), Caps: caps}
				a := srv.Account
				a.Append("INBOX", letter)
				x := start(t, srv, nil)
				defer x.stop()
				soon := 10 * time.Second
				if name == "nothing" {
					soon = 2*time.Minute + 10*time.Second
				}
				x.expect(soon)
				a.Append("INBOX", letter)
				x.expect(soon, "new 2")
				a.SetFlags("INBOX", 1, `\Seen`)
				x.expect(soon, "flags 1")
				a.Append("INBOX", letter)
				a.Expunge("INBOX", 1)
				a.SetFlags("INBOX", 2, `\Seen`)
				x.expect(soon, "gone 1", "new 3", "flags 2")
				a.Expunge("INBOX", 2, 3)
				a.Append("INBOX", letter)
				a.Append("INBOX", letter)
				x.expect(soon, "gone 2", "gone 3", "new 4", "new 5")
			})
		})
	}
}

// TestReconnect: nothing is missed across connections that break, and nothing is
// told twice.
func TestReconnect(t *testing.T) {
	for name, caps := range ladders {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := &imaptest.Server{Caps: caps}
				x := start(t, srv, nil)
				defer x.stop()
				x.expect(time.Second)
				a := srv.Account
				for range 4 {
					a.Append("INBOX", letter)
				}
				x.expect(3*time.Minute, "new 1", "new 2", "new 3", "new 4")
				srv.Drop()
				a.Append("INBOX", letter)
				a.Expunge("INBOX", 2)
				a.SetFlags("INBOX", 1, "kw")
				x.expect(5*time.Minute, "error", "new 5", "gone 2", "flags 1")
				a.Renumber("INBOX")
				srv.Drop()
				x.expect(5*time.Minute, "error", "reset 0", "new 1", "new 2", "new 3", "new 4")
			})
		})
	}
}

// TestIdleRule: an IDLE is renewed in time (RFC 2177 §3), and everything is
// looked at now and then.
func TestIdleRule(t *testing.T) {
	for most, want := range map[time.Duration]time.Duration{0: 9 * time.Minute, 4 * time.Minute: 4 * time.Minute, time.Hour: 29 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			idles, looks := 0, 0
			srv := &imaptest.Server{Log: func(sent bool, line string) {
				if !sent && strings.HasSuffix(line, " IDLE") {
					idles++
				}
				if !sent && strings.Contains(line, " EXAMINE ") {
					looks++
				}
			}}
			x := start(t, srv, func(w *watch.Watcher) { w.IdleMax = most })
			x.expect(10 * time.Hour)
			x.stop()
			if n := int(10 * time.Hour / want); idles < n || idles > n+30 {
				t.Errorf("IdleMax %v: %d IDLE in 10 h, want %d", most, idles, n)
			}
			if looks < 10 || looks > 21 {
				t.Errorf("IdleMax %v: %d looks in 10 h", most, looks)
			}
		})
	}
}

// TestDeadConnection: a connection that is dead and not closed is found dead, and
// the next IDLE is shorter.
func TestDeadConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &imaptest.Server{Fault: &imaptest.Fault{New: imaptest.OnLine(`^\+ idling`, false, func(s *imaptest.Stream, p imaptest.Piece) error {
			if _, err := s.Write(p.Data); err != nil {
				return err
			}
			return s.Hang()
		})}}
		x := start(t, srv, nil)
		defer x.stop()
		x.expect(time.Second)
		srv.Account.Append("INBOX", letter)
		x.expect(9*time.Minute+3*time.Minute+10*time.Second, "error", "new 1")
		srv.Account.Append("INBOX", letter)
		x.expect(7*time.Minute+3*time.Minute+10*time.Second, "error", "new 2")
	})
}

// TestHangs: a server that hangs at each step is left and tried again.
func TestHangs(t *testing.T) {
	for n := range 30 {
		synctest.Test(t, func(t *testing.T) {
			srv := &imaptest.Server{Account: imaptest.NewAccount(), Fault: &imaptest.Fault{New: imaptest.HangAt(n)}}
			srv.Account.Append("INBOX", letter)
			x := start(t, srv, func(w *watch.Watcher) { w.Existing = true })
			defer x.stop()
			time.Sleep(time.Hour)
			synctest.Wait()
			srv.Fault = nil
			srv.Drop()
			srv.Account.Append("INBOX", letter)
			time.Sleep(time.Hour)
			synctest.Wait()
			told := map[string]int{}
			for len(x.events) > 0 {
				told[<-x.events]++
			}
			if told["new 1"] != 1 || told["new 2"] != 1 || told["error"] == 0 {
				t.Errorf("hang at %d: %v", n, told)
			}
		})
	}
}

// TestWrongPassword: no storm of logins locks the user out (W4), and once the
// password is right it goes on.
func TestWrongPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logins := 0
		srv := &imaptest.Server{Log: func(sent bool, line string) {
			if !sent && strings.Contains(line, "AUTHENTICATE") {
				logins++
			}
		}}
		x := start(t, srv, func(w *watch.Watcher) { w.Dialer.Auth = plain("wrong") })
		defer x.stop()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if logins < 24 || logins > 40 || len(x.events) != logins {
			t.Errorf("%d logins in a day, %d errors", logins, len(x.events))
		}
	})
}

// TestDown: a server that cannot be reached is tried at growing intervals.
func TestDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		x := start(t, &imaptest.Server{}, func(w *watch.Watcher) {
			w.Connect = func(context.Context) (*imapclient.Client, error) {
				tries++
				return nil, errors.New("no route to host")
			}
		})
		defer x.stop()
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		if tries < 24*10 || tries > 24*18 {
			t.Errorf("%d tries in a day", tries)
		}
	})
}

// TestOthers: mailboxes that nobody tells of are asked for.
func TestOthers(t *testing.T) {
	for name, caps := range ladders {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := &imaptest.Server{Account: imaptest.NewAccount(), Caps: caps}
				srv.Account.Create("Büro")
				x := start(t, srv, func(w *watch.Watcher) { w.Mailboxes = []string{"INBOX", "Büro"} })
				defer x.stop()
				x.expect(5 * time.Minute)
				srv.Account.Append("Büro", letter)
				srv.Account.Append("INBOX", letter)
				x.expect(5*time.Minute, "new 1", "Büro new 1")
				srv.Account.SetFlags("Büro", 1, "kw")
				wait := 5 * time.Minute
				if len(caps) > 0 && !slices.Contains(caps, "CONDSTORE") {
					wait = time.Hour // found by looking unasked
				}
				x.expect(wait, "Büro flags 1")
			})
		})
	}
}

// TestMissing: a mailbox that is not there does not keep the others from being
// watched.
func TestMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &imaptest.Server{}
		x := start(t, srv, func(w *watch.Watcher) { w.Mailboxes = []string{"INBOX", "later"} })
		defer x.stop()
		x.expect(time.Minute, "error")
		srv.Account.Append("INBOX", letter)
		x.expect(time.Minute, "new 1")
		srv.Account.Append("later", letter)
		srv.Account.Append("later", letter)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		for len(x.events) > 0 {
			<-x.events
		}
		srv.Account.Append("later", letter)
		x.expect(time.Hour, "later new 3")
	})
}

// TestSavedState: a Watcher goes on where the one before it had saved.
func TestSavedState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &imaptest.Server{Account: imaptest.NewAccount()}
		saved := map[string][]byte{}
		keep := func(w *watch.Watcher) {
			w.Load = func(_ context.Context, mailbox string) (*mirror.State, error) {
				if saved[mailbox] == nil {
					return nil, nil
				}
				st := &mirror.State{}
				return st, st.UnmarshalBinary(saved[mailbox])
			}
			w.Save = func(_ context.Context, mailbox string, st *mirror.State) (err error) {
				saved[mailbox], err = st.MarshalBinary()
				return err
			}
		}
		srv.Account.Append("INBOX", letter)
		x := start(t, srv, keep)
		x.expect(time.Minute)
		srv.Account.Append("INBOX", letter)
		x.expect(time.Minute, "new 2")
		x.cancel()
		<-x.done
		srv.Account.Append("INBOX", letter)
		srv.Account.Expunge("INBOX", 1)
		x.run()
		x.expect(time.Minute, "gone 1", "new 3")
		x.stop()
	})
}

// TestClientInLoop: the client of an event fetches its message and sets a flag.
func TestClientInLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &imaptest.Server{Account: imaptest.NewAccount()}
		srv.Account.Append("INBOX", letter)
		srv.Account.Append("INBOX", letter)
		w := &watch.Watcher{
			Dialer:   &imapclient.Dialer{Net: srv, TLS: imapclient.TLSNever, Auth: plain(imaptest.Password)},
			Existing: true, ReadWrite: true,
		}
		seen := 0
		for ev, err := range w.Events(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			uid := imap.UIDSet{{First: ev.UID, Last: ev.UID}}
			switch ev.Kind {
			case watch.New:
				for m, err := range ev.Client.Fetch(t.Context(), uid, imap.FetchOptions{Items: imap.FetchSize}) {
					if err != nil || m.Size != int64(len(letter)) {
						t.Error(m, err)
					}
				}
				seenFlag, _ := imap.SystemFlag(`\Seen`)
				if _, err := ev.Client.Store(t.Context(), uid, imap.StoreOptions{Flags: seenFlag}); err != nil {
					t.Error(err)
				}
			case watch.FlagsChanged:
				if seen++; seen == 2 {
					srv.Account.Append("INBOX", letter) // while the loop is left
				}
			}
			if seen == 2 {
				break
			}
		}
		srv.Close()
		if got := fmt.Sprint(srv.Account.Flags("INBOX")); !strings.HasPrefix(got, `map[1:[\Seen] 2:[\Seen]`) {
			t.Error(got)
		}
	})
}

// TestNeedsID: a server that is known to refuse those who do not say who they are
// is told, also when the Dialer tells nothing.
func TestNeedsID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := false
		srv := &imaptest.Server{ID: map[string]string{"name": "x"}, Verbs: map[string]imaptest.Verb{
			"ID": func(c *imaptest.Conn, cmd *imaptest.Command) error {
				known = true
				return c.Default(cmd)
			},
			"EXAMINE": func(c *imaptest.Conn, cmd *imaptest.Command) error {
				if !known {
					return c.Tell(cmd, "NO Unsafe Login")
				}
				return c.Default(cmd)
			},
		}}
		x := start(t, srv, func(w *watch.Watcher) { w.Addr = "imap.163.com:993" })
		defer x.stop()
		x.expect(time.Minute)
		srv.Account.Append("INBOX", letter)
		x.expect(time.Minute, "new 1")
	})
}

// TestWrongCount: a server whose number of messages is never the true one does
// not cost a loop without end.
func TestWrongCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		srv := &imaptest.Server{
			Fault: &imaptest.Fault{New: imaptest.OnLine(`^\* \d+ EXISTS`, true, imaptest.Instead("* 7 EXISTS\r\n"))},
			Log: func(sent bool, line string) {
				if !sent && strings.Contains(line, " EXAMINE ") {
					looks++
				}
			},
		}
		x := start(t, srv, nil)
		x.expect(10 * time.Hour)
		x.stop()
		if looks > 10*32+20 {
			t.Errorf("%d looks in 10 h", looks)
		}
	})
}

// TestGarbage: a server whose VANISHED cannot be read is asked without QRESYNC
// the next time.
func TestGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &imaptest.Server{Fault: &imaptest.Fault{New: imaptest.OnLine(`^\* VANISHED \(EARLIER`, true, imaptest.Instead("* VANISHED (EARLIER) x:y\r\n"))}}
		x := start(t, srv, nil)
		defer x.stop()
		x.expect(time.Second)
		srv.Account.Append("INBOX", letter)
		srv.Account.Append("INBOX", letter)
		x.expect(time.Minute, "new 1", "new 2")
		srv.Account.Expunge("INBOX", 1)
		x.expect(time.Minute, "error", "gone 1")
	})
}

// TestChaos: random changes, cuts and hangs; in the end what was told equals
// what is there.
func TestChaos(t *testing.T) {
	for name, caps := range ladders {
		for seed := range uint64(6) {
			t.Run(fmt.Sprint(name, "/", seed), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { chaos(t, caps, seed) }) })
		}
	}
}

func chaos(t *testing.T, caps []string, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 3))
	cut := rand.New(rand.NewPCG(seed, 4))
	var mu sync.Mutex // connections begin at any time
	quiet := false
	srv := &imaptest.Server{Account: imaptest.NewAccount(), Caps: caps, Fault: &imaptest.Fault{New: func() imaptest.Mangle {
		mu.Lock()
		defer mu.Unlock()
		if quiet {
			return imaptest.CutAfter(1 << 40)()
		}
		if cut.IntN(3) == 0 {
			return imaptest.HangAt(cut.IntN(60))()
		}
		return imaptest.CutAfter(cut.IntN(5000))()
	}}}
	x := start(t, srv, func(w *watch.Watcher) { w.Existing = true })
	defer x.stop()
	a := srv.Account
	for range 150 {
		uid := imap.UID(1 + rnd.IntN(60))
		switch rnd.IntN(6) {
		case 0, 1:
			a.Append("INBOX", letter, "kw0")
		case 2, 3:
			a.SetFlags("INBOX", uid, fmt.Sprint("kw", rnd.IntN(4)))
		case 4:
			a.Expunge("INBOX", uid, uid+1)
		case 5:
			time.Sleep(time.Duration(rnd.IntN(600)) * time.Second)
		}
		if rnd.IntN(40) == 0 {
			a.Renumber("INBOX")
		}
	}
	mu.Lock()
	quiet = true
	mu.Unlock()
	srv.Drop()
	time.Sleep(2 * time.Hour)
	synctest.Wait()
	there := map[imap.UID]bool{}
	for len(x.events) > 0 {
		var uid imap.UID
		var kind string
		fmt.Sscan(<-x.events, &kind, &uid)
		switch kind {
		case "reset":
			clear(there)
		case "new":
			if there[uid] {
				t.Errorf("UID %d is new twice", uid)
			}
			there[uid] = true
		case "flags", "gone":
			if !there[uid] {
				t.Errorf("%s of UID %d, which was never told", kind, uid)
			}
			if kind == "gone" {
				delete(there, uid)
			}
		}
	}
	want := a.Flags("INBOX")
	if len(there) != len(want) {
		t.Errorf("told %v, there are %v", there, want)
	}
	for uid := range want {
		if !there[uid] {
			t.Errorf("UID %d was not told", uid)
		}
	}
}
