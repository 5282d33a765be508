package imapsource_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/deliver/fetch/imapsource"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imaptest"
)

// user logs in by PLAIN.
type user struct{}

func (user) Login(ctx context.Context, _ []string, _ *tls.ConnectionState, exchange func(context.Context, sasl.Client) error) error {
	return exchange(ctx, sasl.NewPlainClient("", imaptest.User, imaptest.Password))
}

// given is a connection that exists.
type given struct{ net.Conn }

func (g given) DialContext(context.Context, string, string) (net.Conn, error) { return g.Conn, nil }

// TestHostile judges a source by the hostile servers of imaptest.
func TestHostile(t *testing.T) {
	imaptest.TestClient(t, func(ctx context.Context, conn net.Conn, cfg *tls.Config) (map[imap.UID]string, error) {
		d := &imapclient.Dialer{Net: given{conn}, TLS: imapclient.TLSNever, TLSConfig: cfg, Auth: user{}}
		if cfg != nil {
			d.TLS = imapclient.TLSRequired
		}
		ses, err := imapsource.Source{Addr: imaptest.Host + ":143", Dialer: d, Mailboxes: []string{"*"}}.Open(ctx)
		if err != nil {
			return nil, err
		}
		defer ses.Close()
		got := make(map[imap.UID]string)
		for _, it := range items(ctx, ses, &err) {
			var text string
			if text, err = retrieve(ctx, ses, it, 1<<20); err != nil {
				return nil, err
			}
			got[imap.UID(it.Handle)] = text
		}
		return got, err
	})
}

// items is a listing.
func items(ctx context.Context, ses fetch.Session, failed *error) (list []fetch.Item) {
	for it, err := range ses.List(ctx) {
		if err != nil {
			*failed = err
			return nil
		}
		list = append(list, it)
	}
	return list
}

func retrieve(ctx context.Context, ses fetch.Session, it fetch.Item, limit int64) (string, error) {
	rc, err := ses.Retrieve(ctx, &it)
	if err != nil {
		return "", err
	}
	defer rc.Close()
	b, err := io.ReadAll(io.LimitReader(rc, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = errors.New("too large")
	}
	return string(b), err
}

// open opens a session with a server, and lists.
func open(t *testing.T, srv *imaptest.Server, src imapsource.Source) (fetch.Session, []fetch.Item) {
	t.Helper()
	src.Dialer = &imapclient.Dialer{Net: srv, TLS: imapclient.TLSNever, Auth: user{}}
	src.Addr = imaptest.Host + ":143"
	ses, err := src.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ses.Close() })
	list := items(t.Context(), ses, &err)
	if err != nil {
		t.Fatal(err)
	}
	return ses, list
}

func newServer(t *testing.T, caps ...string) *imaptest.Server {
	srv := &imaptest.Server{Account: imaptest.NewAccount(), Caps: caps}
	t.Cleanup(srv.Close)
	return srv
}

func text(n int) string { return fmt.Sprintf("Subject: %d\r\n\r\nHello.\r\n", n) }

// What is deleted is what was named, whatever the server can.
func TestCommit(t *testing.T) {
	for _, caps := range []string{"UIDPLUS MOVE", "UIDPLUS", "MOVE", ""} {
		for _, moveTo := range []string{"", "Done"} {
			t.Run(caps+"/"+moveTo, func(t *testing.T) {
				srv := newServer(t, append([]string{"IMAP4rev1"}, strings.Fields(caps)...)...)
				srv.Account.Create("Done")
				for n := range 6 {
					srv.Account.Append(imap.Inbox, text(n))
				}
				srv.Account.SetFlags(imap.Inbox, 2, `\Deleted`) // somebody else
				ses, list := open(t, srv, imapsource.Source{MoveTo: moveTo})
				if err := ses.Delete(t.Context(), []fetch.Item{list[0], list[3], list[4]}); err != nil {
					t.Fatal(err)
				}
				if n := len(srv.Account.Flags(imap.Inbox)); n != 6 {
					t.Errorf("%d messages before Commit", n)
				}
				if err := ses.Commit(t.Context()); err != nil {
					t.Fatal(err)
				}
				flags := srv.Account.Flags(imap.Inbox)
				if got := slices.Sorted(maps.Keys(flags)); !slices.Equal(got, []imap.UID{2, 3, 6}) {
					t.Errorf("left: %v", got)
				}
				if !slices.Equal(flags[2], []string{`\Deleted`}) || len(flags[3])+len(flags[6]) > 0 {
					t.Errorf("flags: %v", flags)
				}
				want := 0
				if moveTo != "" {
					want = 3
				}
				if moved := srv.Account.Flags("Done"); len(moved) != want {
					t.Errorf("moved: %v", moved)
				}
				if err := ses.Commit(t.Context()); err != nil { // there is nothing any more
					t.Error(err)
				}
			})
		}
	}
}

// Patterns leave out what is no mailbox to collect from; what is refused is
// told.
func TestMailboxes(t *testing.T) {
	srv := newServer(t, imaptest.DefaultCaps()...)
	srv.Verbs = map[string]imaptest.Verb{"SELECT": func(c *imaptest.Conn, cmd *imaptest.Command) error {
		if strings.Contains(cmd.Args, "Secret") {
			return c.Tell(cmd, "NO [NOPERM] not for you")
		}
		return c.Default(cmd)
	}}
	for _, name := range []string{"Büro", "Secret", "Done", "Lists/go", "Except", "../../x"} {
		srv.Account.Append(name, text(1))
	}
	srv.Account.Append(imap.Inbox, text(1))
	for name, attr := range map[string]string{"Junk": `\Junk`, "All": `\All`, "Draft": `\Drafts`, "Bin": `\Trash`, "No": `\Noselect`} {
		srv.Account.Append(name, text(1))
		srv.Account.Change(name, func(b *imaptest.Box) { b.Attrs = append(b.Attrs, attr) })
	}
	var refused []string
	_, list := open(t, srv, imapsource.Source{
		Mailboxes: []string{"inbox", "*", "Lists/%"}, Except: []string{"Except"}, MoveTo: "Done",
		OnRefused: func(name string, _ error) { refused = append(refused, name) },
	})
	var got []string
	for _, it := range list {
		got = append(got, it.Folder)
		if it.ID != it.Generation+".1."+it.Folder || it.Size != int64(len(text(1))) {
			t.Errorf("%+v", it)
		}
	}
	slices.Sort(got)
	if want := []string{"../../x", "Büro", "INBOX", "Lists/go"}; !slices.Equal(got, want) {
		t.Errorf("collected %q, want %q", got, want)
	}
	if !slices.Equal(refused, []string{"Secret"}) {
		t.Errorf("refused: %q", refused)
	}
	for _, bad := range []imapsource.Source{{Mailboxes: []string{"Secret"}}, {Mailboxes: []string{"None"}}, {MoveTo: imap.Inbox}} {
		bad.Dialer = &imapclient.Dialer{Net: srv, TLS: imapclient.TLSNever, Auth: user{}}
		bad.Addr = "x:143"
		ses, err := bad.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		items(t.Context(), ses, &err)
		if err == nil {
			t.Errorf("%v can be collected", bad.Mailboxes)
		}
		ses.Close()
	}
}

// UIDs that mean nothing are no IDs.
func TestNoUIDValidity(t *testing.T) {
	for _, code := range []string{"* OK [UIDVALIDITY 0] none", "* OK [UIDNOTSTICKY] no\r\n* OK [UIDVALIDITY 7]"} {
		srv := newServer(t, "IMAP4rev1")
		srv.Fault = &imaptest.Fault{New: imaptest.OnLine(`\[UIDVALIDITY`, true, imaptest.Instead(code+"\r\n"))}
		srv.Account.Append(imap.Inbox, text(1), `\Seen`)
		ses, list := open(t, srv, imapsource.Source{})
		if len(list) != 1 || list[0].ID != "" || list[0].Generation != "" || !list[0].Seen {
			t.Fatalf("%+v", list)
		}
		if got, err := retrieve(t.Context(), ses, list[0], 1<<20); got != text(1) || err != nil {
			t.Errorf("%q %v", got, err)
		}
	}
}

// A message whose UIDs lose their meaning while it is read does not count, and
// nothing is deleted.
func TestUIDValidityMeanwhile(t *testing.T) {
	srv := newServer(t, imaptest.DefaultCaps()...)
	srv.Account.Append(imap.Inbox, text(1))
	srv.Fault = &imaptest.Fault{New: imaptest.OnLine(`BODY\[\]`, true, imaptest.Before("* OK [UIDVALIDITY 77] renumbered\r\n"))}
	ses, list := open(t, srv, imapsource.Source{})
	if _, err := retrieve(t.Context(), ses, list[0], 1<<20); !errors.Is(err, imapsource.ErrUIDValidity) {
		t.Errorf("Retrieve: %v", err)
	}
	ses.Delete(t.Context(), list)
	if err := ses.Commit(t.Context()); !errors.Is(err, imapsource.ErrUIDValidity) {
		t.Errorf("Commit: %v", err)
	}
	if n := len(srv.Account.Flags(imap.Inbox)); n != 1 {
		t.Errorf("%d left", n)
	}
}

// What is not there, and what the server cannot give, is ErrGone: the session
// goes on.
func TestGone(t *testing.T) {
	srv := newServer(t, imaptest.DefaultCaps()...)
	for n := range 3 {
		srv.Account.Append(imap.Inbox, text(n))
	}
	srv.Verbs = map[string]imaptest.Verb{"UID FETCH": func(c *imaptest.Conn, cmd *imaptest.Command) error {
		if strings.HasPrefix(cmd.Args, "2 ") {
			return c.Tell(cmd, "NO [SERVERBUG] cannot read it")
		}
		return c.Default(cmd)
	}}
	ses, list := open(t, srv, imapsource.Source{})
	srv.Account.Expunge(imap.Inbox, 1)
	for i := range 2 {
		if _, err := retrieve(t.Context(), ses, list[i], 1<<20); !errors.Is(err, fetch.ErrGone) {
			t.Errorf("message %d: %v", i+1, err)
		}
		if _, err := ses.Head(t.Context(), &list[i]); !errors.Is(err, fetch.ErrGone) {
			t.Errorf("head %d: %v", i+1, err)
		}
	}
	if head, err := ses.Head(t.Context(), &list[2]); string(head) != "Subject: 2\r\n" || err != nil {
		t.Errorf("head: %q %v", head, err)
	}
	if got, err := retrieve(t.Context(), ses, list[2], 1<<20); got != text(2) || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

// A body that is given up leaves a session that works, if little is left.
func TestGiveUp(t *testing.T) {
	srv := newServer(t, imaptest.DefaultCaps()...)
	srv.Account.Append(imap.Inbox, text(1)+strings.Repeat("x\r\n", 100000))
	srv.Account.Append(imap.Inbox, strings.ReplaceAll(text(2), "\r\n", "\n"))
	ses, list := open(t, srv, imapsource.Source{})
	rc, err := ses.Retrieve(t.Context(), &list[0])
	if err != nil {
		t.Fatal(err)
	}
	io.ReadFull(rc, make([]byte, 10))
	rc.Close()
	if got, err := retrieve(t.Context(), ses, list[1], 1<<20); got != text(2) || err != nil {
		t.Errorf("%q %v", got, err)
	}
}

// Wait hears of what came since the listing, in whatever moment.
func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &imaptest.Server{Account: imaptest.NewAccount()}
		defer srv.Close()
		srv.Account.Create("Other")
		srv.Account.Append(imap.Inbox, text(1))
		ses, list := open(t, srv, imapsource.Source{Mailboxes: []string{imap.Inbox, "Other"}})
		waits := func(what string, d, want time.Duration) {
			t.Helper()
			begin := time.Now()
			if err := ses.Wait(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took != want {
				t.Errorf("%s: waited %v", what, took)
			}
			var err error
			if list = items(t.Context(), ses, &err); err != nil {
				t.Fatal(err)
			}
		}
		waits("nothing", 2*time.Hour, 2*time.Hour)
		srv.Account.Append(imap.Inbox, text(2))
		waits("came while another mailbox was selected", time.Hour, 0)
		time.AfterFunc(10*time.Minute, func() { srv.Account.Append(imap.Inbox, text(3)) })
		waits("comes", time.Hour, 10*time.Minute)
		ses.Delete(t.Context(), list)
		srv.Account.Append(imap.Inbox, text(4))
		if err := ses.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		waits("came when others left", time.Hour, 0)
		if len(list) != 1 {
			t.Errorf("%d left", len(list))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := ses.Wait(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v", err)
		}
	})
	srv := newServer(t, "IMAP4rev1")
	ses, _ := open(t, srv, imapsource.Source{})
	if err := ses.Wait(t.Context(), time.Hour); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("without IDLE: %v", err)
	}
}

// What refusals of a login mean.
func TestLogin(t *testing.T) {
	for answer, want := range map[string]error{
		"NO [AUTHENTICATIONFAILED] no": fetch.ErrAuth, "NO no": fetch.ErrAuth, "NO [CONTACTADMIN] no": fetch.ErrAuth,
		"NO [INUSE] no": fetch.ErrBusy, "NO [LIMIT] no": fetch.ErrBusy, "NO [UNAVAILABLE] no": nil, "BAD no": nil,
	} {
		srv := newServer(t, imaptest.DefaultCaps()...)
		srv.Verbs = map[string]imaptest.Verb{"AUTHENTICATE": func(c *imaptest.Conn, cmd *imaptest.Command) error { return c.Tell(cmd, answer) }}
		d := &imapclient.Dialer{Net: srv, TLS: imapclient.TLSNever, Auth: user{}}
		_, err := imapsource.Source{Addr: "x:143", Dialer: d}.Open(t.Context())
		if err == nil || errors.Is(err, fetch.ErrAuth) != (want == fetch.ErrAuth) || errors.Is(err, fetch.ErrBusy) != (want == fetch.ErrBusy) {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

// The fullest quota counts.
func TestQuota(t *testing.T) {
	srv := newServer(t, "IMAP4rev1", "QUOTA", "QUOTA=RES-STORAGE")
	srv.Verbs = map[string]imaptest.Verb{"GETQUOTAROOT": func(c *imaptest.Conn, cmd *imaptest.Command) error {
		c.Send(`* QUOTAROOT INBOX "a" "b"`)
		c.Send(`* QUOTA "a" (STORAGE 10 100 MESSAGE 99 100)`)
		c.Send(`* QUOTA "b" (STORAGE 60 200)`)
		return c.Tell(cmd, "OK done")
	}}
	ses, _ := open(t, srv, imapsource.Source{})
	if used, limit, err := ses.(fetch.Quota).Quota(t.Context()); used != 60<<10 || limit != 200<<10 || err != nil {
		t.Errorf("%d of %d, %v", used, limit, err)
	}
	srv = newServer(t, "IMAP4rev1")
	ses, _ = open(t, srv, imapsource.Source{})
	if _, _, err := ses.(fetch.Quota).Quota(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("without QUOTA: %v", err)
	}
}
