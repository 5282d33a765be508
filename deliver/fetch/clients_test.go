package fetch_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/deliver/fetch/imapsource"
	"github.com/mailstead/mailstead/deliver/fetch/pop3source"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/imap/imaptest"
	"github.com/mailstead/mailstead/pop3/pop3client"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/pop3/pop3test"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// plain logs in by PLAIN without TLS.
type plain struct{ user, password string }

func (p plain) Login(ctx context.Context, _ []string, _ *tls.ConnectionState, exchange func(context.Context, sasl.Client) error) error {
	return exchange(ctx, sasl.NewPlainClient("", p.user, p.password))
}

func numbers(n int) (s []string) {
	for i := range n {
		s = append(s, fmt.Sprint(i))
	}
	slices.Sort(s)
	return s
}

// arrived asserts that ann has the messages 0 to n-1, each once.
func (w *world) arrived(n int) {
	w.t.Helper()
	got := w.subjects("ann@example.org", "INBOX")
	slices.Sort(got)
	wants(w.t, "arrived", got, numbers(n)...)
	for i, text := range w.texts("ann@example.org", "INBOX") {
		_, sent, _ := strings.Cut(letterText(w.subjects("ann@example.org", "INBOX")[i]), "\r\n") // Return-Path is another
		if !strings.HasSuffix(text, sent) {
			w.t.Errorf("arrived %q, sent %q", text, sent)
		}
	}
	wants(w.t, "quarantine", w.subjects("connector", "Quarantine"))
}

// seeds are how often a test with faults at random is made.
func seeds() uint64 {
	if testing.Short() {
		return 5
	}
	return 100
}

// TestPOP3Cuts cuts connections behind any octet, hangs and loses answers, with
// the real client.
func TestPOP3Cuts(t *testing.T) {
	for seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 20
				rnd := rand.New(rand.NewPCG(seed, 3))
				srv := pop3test.NewServer(t, pop3test.Options{
					Reply: func(_ int, command string) string {
						if command == "CAPA" || rnd.IntN(40) > 0 {
							return ""
						}
						return []string{"close", "hang", "lose"}[rnd.IntN(3)]
					},
					Wire: func(_ int, c net.Conn) net.Conn {
						if rnd.IntN(2) == 0 {
							return c
						}
						return pop3test.CutAfter(c, rnd.IntN(8000))
					},
				})
				w := newWorld(t)
				for i := range n {
					srv.Add(pop3test.Message{Text: letterText(fmt.Sprint(i))})
				}
				box := pop3source.Source{Addr: "pop.example:110", Dialer: &pop3client.Dialer{Net: srv, Login: plain{"ann", "x"}.Login}}
				for round := 0; len(srv.Messages()) > 0; round++ {
					if round == 1000 {
						t.Fatalf("%d left on the server", len(srv.Messages()))
					}
					c, s := w.collector(&remote{})
					s.Open, s.MaxMessages = box.Open, 1+rnd.IntN(n)
					c.Once(t.Context())
				}
				w.arrived(n)
			})
		})
	}
}

// TestIMAPCuts does so by IMAP.
func TestIMAPCuts(t *testing.T) {
	for seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 20
				rnd := rand.New(rand.NewPCG(seed, 4))
				srv := &imaptest.Server{Account: imaptest.NewAccount(), Fault: &imaptest.Fault{New: func() imaptest.Mangle {
					switch rnd.IntN(4) {
					case 0:
						return imaptest.HangAt(rnd.IntN(200))()
					case 1, 2:
						return imaptest.CutAfter(rnd.IntN(10000))()
					}
					return imaptest.Bytewise()
				}}}
				defer srv.Close()
				if seed%2 == 1 {
					srv.Caps = []string{"IMAP4rev1"}
				}
				w := newWorld(t)
				for i := range n {
					srv.Account.Append(imap.Inbox, letterText(fmt.Sprint(i)))
				}
				box := imapsource.Source{Addr: "imap.example:143", Dialer: &imapclient.Dialer{
					Net: srv, TLS: imapclient.TLSNever, Auth: plain{imaptest.User, imaptest.Password},
				}}
				for round := 0; len(srv.Account.Flags(imap.Inbox)) > 0; round++ {
					if round == 1000 {
						t.Fatalf("%d left on the server", len(srv.Account.Flags(imap.Inbox)))
					}
					c, s := w.collector(&remote{})
					s.Open, s.MaxMessages = box.Open, 1+rnd.IntN(n)
					c.Once(t.Context())
				}
				w.arrived(n)
			})
		})
	}
}

// TestPOP3Renumbered: a server that numbers its messages anew while they are
// fetched.
func TestPOP3Renumbered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		srv := pop3test.NewServer(t, pop3test.Options{Reply: func(conn int, command string) string {
			if conn > 1 {
				return ""
			}
			return map[string]string{
				"RETR 2": "+OK\r\n" + letterText("2") + ".", "UIDL 2": "+OK 2 c", // another client took the second away
			}[command]
		}})
		for i, id := range []string{"a", "b", "c"} {
			srv.Add(pop3test.Message{ID: id, Text: letterText(fmt.Sprint(i))})
		}
		c, s := w.collector(&remote{})
		s.Open = pop3source.Source{Addr: "x:110", Dialer: &pop3client.Dialer{Net: srv, Login: plain{"ann", "x"}.Login}}.Open
		if err := c.Once(t.Context()); err == nil {
			t.Error("a server that renumbers is believed")
		}
		synctest.Wait() // the server notices that the first session is over
		if err := c.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.arrived(3)
	})
}

// TestPOP3Listings: what UIDL may be like.
func TestPOP3Listings(t *testing.T) {
	for _, tc := range []struct{ name, uidl string }{
		{"none", "-ERR what?"},
		{"empty ones", "+OK\r\n1 \r\n2\r\n3 \r\n."},
		{"one for all", "+OK\r\n1 x\r\n2 x\r\n3 x\r\n."},
		{"one for two", "+OK\r\n1 x\r\n2 y\r\n3 x\r\n."},
		{"a number twice", "+OK\r\n1 a\r\n2 b\r\n2 c\r\n3 d\r\n."},
		{"a line twice", "+OK\r\n1 a\r\n2 b\r\n2 b\r\n3 d\r\n."},
		{"too few", "+OK\r\n2 b\r\n."},
		{"garbage between", "+OK\r\nhello\r\n1 a\r\n\x00\r\n2 b\r\n3 c\r\n."},
		{"another order", "+OK\r\n3 c\r\n1 a\r\n2 b\r\n."},
		{"too long", "+OK\r\n1 " + strings.Repeat("a", 500) + "\r\n2 " + strings.Repeat("b", 500) + "\r\n3 c\r\n."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				srv := pop3test.NewServer(t, pop3test.Options{Reply: func(_ int, command string) string {
					switch {
					case command == "UIDL":
						return tc.uidl
					case strings.HasPrefix(command, "UIDL "):
						return "-ERR all or none"
					}
					return ""
				}})
				for i := range 3 {
					srv.Add(pop3test.Message{Text: letterText(fmt.Sprint(i))})
				}
				box := pop3source.Source{Addr: "x:110", Dialer: &pop3client.Dialer{Net: srv, Login: plain{"ann", "x"}.Login}}
				for _, always := range []bool{true, true, false} { // the last one deletes
					c, s := w.collector(&remote{})
					s.Open, s.Keep.Always = box.Open, always
					if err := c.Once(t.Context()); err != nil {
						t.Fatal(err)
					}
					w.arrived(3)
				}
				if n := len(srv.Messages()); n != 0 {
					t.Errorf("%d left on the server", n)
				}
			})
		})
	}
}

// TestIMAPRenumbered: a mailbox with a new UIDVALIDITY is not fetched again.
func TestIMAPRenumbered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, srv := newWorld(t), &imaptest.Server{Account: imaptest.NewAccount()}
		defer srv.Close()
		for i := range 3 {
			srv.Account.Append(imap.Inbox, letterText(fmt.Sprint(i)))
		}
		c, s := w.collector(&remote{})
		s.Keep.Always = true
		s.Open = imapsource.Source{Addr: "x:143", Dialer: &imapclient.Dialer{
			Net: srv, TLS: imapclient.TLSNever, Auth: plain{imaptest.User, imaptest.Password},
		}}.Open
		for i := range 3 {
			if err := c.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.arrived(3 + i)
			srv.Account.Renumber(imap.Inbox)
			srv.Account.Append(imap.Inbox, letterText(fmt.Sprint(3+i)))
		}
	})
}

// TestIMAPIdle: new mail arrives at once on a connection that idles.
func TestIMAPIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, srv := newWorld(t), &imaptest.Server{Account: imaptest.NewAccount()}
		defer srv.Close()
		c, s := w.collector(&remote{})
		s.Idle, s.Every = true, 24*time.Hour
		s.Open = imapsource.Source{Addr: "x:143", Dialer: &imapclient.Dialer{
			Net: srv, TLS: imapclient.TLSNever, Auth: plain{imaptest.User, imaptest.Password},
		}}.Open
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- c.Run(ctx) }()
		time.Sleep(time.Minute)
		for i := range 5 {
			if phase := c.Status()[0].Phase; phase != fetch.Idling {
				t.Errorf("the source is %v: %v", phase, c.Status()[0].Err)
			}
			srv.Account.Append(imap.Inbox, letterText(fmt.Sprint(i)))
			time.Sleep(time.Duration(1+i*100) * time.Minute) // beyond one IDLE
			w.arrived(i + 1)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if left := srv.Account.Flags(imap.Inbox); len(left) > 0 {
			t.Errorf("left on the server: %v", left)
		}
	})
}

// TestOurServers collects from the servers of this module.
func TestOurServers(t *testing.T) {
	const n = 50
	st := memstore.New(nil)
	defer st.Close()
	if err := st.Create(t.Context(), "remote", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	acct, err := st.Open(t.Context(), "remote")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := store.MailboxByName(t.Context(), acct, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	auth := authn.PasswordFunc(func(_ context.Context, _ *authn.Peer, _, password string) (string, error) {
		if password != "secret" {
			return "", authn.ErrRejected
		}
		return "remote", nil
	})
	popServer, err := pop3server.New(pop3server.Config{Store: st, Auth: auth, AllowPlaintextAuth: true})
	if err != nil {
		t.Fatal(err)
	}
	imapServer, err := imapserver.New(imapserver.Config{Store: st, Auth: auth, AllowPlaintextAuth: true})
	if err != nil {
		t.Fatal(err)
	}
	popAddr, imapAddr := serve(t, popServer), serve(t, imapServer)
	sources := map[string]func(password string) func(context.Context) (fetch.Session, error){
		"pop3": func(password string) func(context.Context) (fetch.Session, error) {
			return pop3source.Source{Addr: popAddr, Dialer: &pop3client.Dialer{Login: plain{"remote", password}.Login}}.Open
		},
		"imap": func(password string) func(context.Context) (fetch.Session, error) {
			return imapsource.Source{Addr: imapAddr, Dialer: &imapclient.Dialer{TLS: imapclient.TLSNever, Auth: plain{"remote", password}}}.Open
		},
	}
	for name, open := range sources {
		t.Run(name, func(t *testing.T) {
			for i := range n {
				m := store.NewMessage{Mailbox: inbox.ID, Body: strings.NewReader(letterText(fmt.Sprint(i))), BodySize: -1}
				if _, err := store.AppendMessage(t.Context(), st, acct, "", m); err != nil {
					t.Fatal(err)
				}
			}
			w := newWorld(t)
			c, s := w.collector(&remote{})
			s.Open = open("wrong")
			if err := c.Once(t.Context()); !errors.Is(err, fetch.ErrAuth) {
				t.Errorf("a wrong password: %v", err)
			}
			s.Open = open("secret")
			s.Keep.Always = true
			for range 2 {
				if err := c.Once(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.arrived(n)
			}
			s.Keep.Always = false
			if err := c.Once(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.arrived(n)
			for m, err := range acct.Messages(t.Context(), inbox.ID, store.Query{UIDs: store.AllUIDs()}) {
				t.Fatalf("left on the server: %v %v", m, err)
			}
		})
	}
}

func serve(t *testing.T, s interface {
	Serve(net.Listener) error
	io.Closer
},
) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-done })
	return l.Addr().String()
}

// TestPoison: a message that the server cannot give keeps the others neither
// waiting nor on the server.
func TestPoison(t *testing.T) {
	for _, how := range []string{"close", "hang", "-ERR cannot read it"} {
		for _, mode := range []string{"once", "run"} {
			t.Run(how+"/"+mode, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					var healed atomic.Bool
					srv := pop3test.NewServer(t, pop3test.Options{Shared: true, Reply: func(_ int, command string) string {
						if command == "RETR 1" && !healed.Load() {
							return how
						}
						return ""
					}})
					for _, id := range []string{"b", "0", "1"} {
						srv.Add(pop3test.Message{ID: id, Text: letterText(id)})
					}
					c, s := w.collector(&remote{})
					s.Open = pop3source.Source{Addr: "x:110", Dialer: &pop3client.Dialer{Net: srv, Login: plain{"ann", "x"}.Login}}.Open
					if mode == "once" {
						if err := c.Once(t.Context()); (err == nil) != strings.HasPrefix(how, "-ERR") {
							t.Error(err)
						}
					} else {
						ctx, cancel := context.WithCancel(t.Context())
						done := make(chan error)
						go func() { done <- c.Run(ctx) }()
						time.Sleep(12 * time.Hour)
						defer func() { cancel(); <-done }()
					}
					w.arrived(2)
					if left := srv.Messages(); len(left) != 1 || left[0].ID != "b" {
						t.Errorf("left on the server: %v", left)
					}
					if strings.HasPrefix(how, "-ERR") && w.events(fetch.EventDeferred) == 0 {
						t.Error("nobody hears of it")
					}
					if mode == "run" {
						healed.Store(true)
						time.Sleep(25 * time.Hour)
						wants(t, "in the end", w.subjects("ann@example.org", "INBOX"), "0", "1", "b")
						if left := srv.Messages(); len(left) != 0 {
							t.Errorf("left on the server: %v", left)
						}
					}
				})
			})
		}
	}
}
