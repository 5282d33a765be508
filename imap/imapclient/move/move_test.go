package move_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapclient/move"
	"github.com/mailstead/mailstead/imap/imapclient/quirk"
	"github.com/mailstead/mailstead/imap/imaptest"
)

type plain struct{}

func (plain) Login(ctx context.Context, _ []string, _ *tls.ConnectionState, exchange func(context.Context, sasl.Client) error) error {
	return exchange(ctx, sasl.NewPlainClient("", imaptest.User, imaptest.Password))
}

// newAccount has messages 1 to 5 in INBOX; 5 has \Deleted. Each body names its
// message.
func newAccount() *imaptest.Account {
	a := imaptest.NewAccount()
	a.Create("Archive")
	a.Append("Archive", "Subject: old\r\n\r\n")
	for i := range 5 {
		a.Append("INBOX", fmt.Sprintf("Subject: %d\r\n\r\n", i+1), []string{`\Deleted`}[:i/4]...)
	}
	return a
}

// subjects are those of all messages in a mailbox.
func subjects(a *imaptest.Account, mailbox string) (all []string) {
	a.Change(mailbox, func(b *imaptest.Box) {
		for _, m := range b.Messages {
			all = append(all, strings.TrimSpace(strings.TrimPrefix(m.Body, "Subject: ")))
		}
	})
	slices.Sort(all)
	return all
}

func open(t *testing.T, srv *imaptest.Server, readOnly bool) (*imapclient.Client, error) {
	d := imapclient.Dialer{Net: srv, TLS: imapclient.TLSNever, Auth: plain{}}
	c, err := d.Dial(t.Context(), "", "")
	if err == nil {
		_, err = c.Select(t.Context(), "INBOX", imapclient.SelectOptions{ReadOnly: readOnly})
	}
	return c, err
}

func answer(text string) imaptest.Verb {
	return func(c *imaptest.Conn, cmd *imaptest.Command) error { return c.Tell(cmd, text) }
}

var (
	with    = []string{"IMAP4rev1", "UIDPLUS", "MOVE"}
	without = []string{"IMAP4rev1", "UIDPLUS"}
	bare    = []string{"IMAP4rev1"}
)

// copyTells answers UID COPY with another COPYUID than the true one.
func copyTells(code string) map[string]imaptest.Verb {
	return map[string]imaptest.Verb{"UID COPY": func(c *imaptest.Conn, cmd *imaptest.Command) error {
		c.Server.Account.Append("Archive", "Subject: 1\r\n\r\n")
		c.Server.Account.Append("Archive", "Subject: 3\r\n\r\n")
		return c.Tell(cmd, "OK "+code+"done")
	}}
}

// TestMessages moves 1 and 3 on servers of every kind. Whatever happens, no
// message is lost and no other one is touched.
func TestMessages(t *testing.T) {
	all := []string{"1", "2", "3", "4", "5"}
	for _, tt := range []struct {
		name   string
		srv    *imaptest.Server
		quirks quirk.Effects
		method move.Method
		inbox  []string
		moved  string
		copied string
		err    error
		other  bool // another error
	}{
		{name: "MOVE", srv: &imaptest.Server{Caps: with}, method: move.Move, inbox: []string{"2", "4", "5"}, moved: "1,3"},
		{name: "UIDPLUS", srv: &imaptest.Server{Caps: without}, method: move.CopyAndRemove, inbox: []string{"2", "4", "5"}, moved: "1,3"},
		{name: "neither", srv: &imaptest.Server{Caps: bare}, inbox: all, err: move.ErrNotPossible},
		{name: "UID EXPUNGE known to fail", srv: &imaptest.Server{Caps: without}, quirks: quirk.Effects{NoUIDExpunge: true}, inbox: all, err: move.ErrNotPossible},
		{
			name: "MOVE that only copies", method: move.Move, inbox: all, copied: "", err: move.ErrLeft,
			srv: &imaptest.Server{Caps: with, Verbs: map[string]imaptest.Verb{"UID MOVE": answer("OK [COPYUID 1001 9 9] done")}},
		},
		{
			name: "MOVE refused", method: move.Move, inbox: all, other: true,
			srv: &imaptest.Server{Caps: with, Verbs: map[string]imaptest.Verb{"UID MOVE": answer("NO [OVERQUOTA] no")}},
		},
		{
			name: "MOVE in part", method: move.Move, inbox: []string{"2", "3", "4", "5"}, moved: "1", other: true,
			srv: &imaptest.Server{Caps: with, Verbs: map[string]imaptest.Verb{"UID MOVE": func(c *imaptest.Conn, cmd *imaptest.Command) error {
				tag := cmd.Tag
				cmd.Tag, cmd.Args = "*", strings.Replace(cmd.Args, "1,3", "1", 1)
				if err := c.Default(cmd); err != nil {
					return err
				}
				cmd.Tag = tag
				return c.Tell(cmd, "NO [OVERQUOTA] no")
			}}},
		},
		{
			name: "no COPYUID", method: move.CopyAndRemove, inbox: all, copied: "1,3", err: move.ErrLeft,
			srv: &imaptest.Server{Caps: without, Verbs: copyTells("")},
		},
		{
			name: "COPYUID of another message", method: move.CopyAndRemove, inbox: all, copied: "1,3", err: move.ErrLeft,
			srv: &imaptest.Server{Caps: without, Verbs: copyTells("[COPYUID 1001 2,4 2:3] ")},
		},
		{
			name: "COPYUID of one message", method: move.CopyAndRemove, inbox: []string{"2", "3", "4", "5"}, moved: "1", err: move.ErrLeft,
			srv: &imaptest.Server{Caps: without, Verbs: copyTells("[COPYUID 1001 1 2] ")},
		},
		{
			name: "COPYUID whose sets do not match", method: move.CopyAndRemove, inbox: all, copied: "1,3", err: move.ErrLeft,
			srv: &imaptest.Server{Caps: without, Verbs: copyTells("[COPYUID 1001 1,3 2:4] ")},
		},
		{
			name: "COPYUID with UIDVALIDITY 0", method: move.CopyAndRemove, inbox: all, copied: "1,3", err: move.ErrLeft,
			srv: &imaptest.Server{Caps: without, Verbs: copyTells("[COPYUID 0 1,3 2:3] ")},
		},
		{
			name: "APPENDUID in place of COPYUID", method: move.CopyAndRemove, inbox: all, copied: "1,3", err: move.ErrLeft,
			srv: &imaptest.Server{Caps: without, Verbs: copyTells("[COPYUID 1001 2:3] ")},
		},
		{
			name: "no such mailbox", method: move.CopyAndRemove, inbox: all, other: true,
			srv: &imaptest.Server{Caps: without, Verbs: map[string]imaptest.Verb{"UID COPY": answer("NO [TRYCREATE] no")}},
		},
		{
			name: "UID EXPUNGE refused", method: move.CopyAndRemove, inbox: all, copied: "1,3", other: true,
			srv: &imaptest.Server{Caps: without, Verbs: map[string]imaptest.Verb{"UID EXPUNGE": answer("NO no")}},
		},
		{
			name: "UID EXPUNGE does nothing", method: move.CopyAndRemove, inbox: all, copied: "1,3", err: move.ErrLeft,
			srv: &imaptest.Server{Caps: without, Verbs: map[string]imaptest.Verb{"UID EXPUNGE": answer("OK done")}},
		},
		{
			name: "STORE refused", method: move.CopyAndRemove, inbox: all, copied: "1,3", other: true,
			srv: &imaptest.Server{Caps: without, Verbs: map[string]imaptest.Verb{"UID STORE": answer("NO no")}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.srv.Account = newAccount()
			defer tt.srv.Close()
			c, err := open(t, tt.srv, false)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			res, err := move.Messages(t.Context(), c, imap.UIDSet{{First: 1, Last: 1}, {First: 3, Last: 3}}, "Archive", tt.quirks)
			if tt.err != nil && !errors.Is(err, tt.err) || tt.other && (err == nil || errors.Is(err, move.ErrLeft)) || tt.err == nil && !tt.other && err != nil {
				t.Error(err)
			}
			if res.Method != tt.method || res.Moved.String() != tt.moved || res.Copied.String() != tt.copied {
				t.Errorf("%+v: moved %s, copied %s", res, res.Moved, res.Copied)
			}
			if got := subjects(tt.srv.Account, "INBOX"); !slices.Equal(got, tt.inbox) {
				t.Errorf("INBOX has %v, want %v", got, tt.inbox)
			}
			if f := tt.srv.Account.Flags("INBOX"); !slices.Equal(f[5], []string{`\Deleted`}) || tt.copied != "" && len(f[1])+len(f[3]) > 0 {
				t.Errorf("flags %v", f)
			}
			if tt.moved == "1,3" && !slices.Equal(subjects(tt.srv.Account, "Archive"), []string{"1", "3", "old"}) {
				t.Errorf("Archive has %v", subjects(tt.srv.Account, "Archive"))
			}
		})
	}
}

func TestReadOnly(t *testing.T) {
	srv := &imaptest.Server{Account: newAccount()}
	defer srv.Close()
	c, err := open(t, srv, true)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := move.Messages(t.Context(), c, imap.UIDSet{{First: 1, Last: 1}}, "Archive", quirk.Effects{}); !errors.Is(err, move.ErrNotPossible) {
		t.Error(err)
	}
}

// TestCuts: wherever the connection breaks off, each message is at one of the
// two places at least, and no other message is gone.
func TestCuts(t *testing.T) {
	for _, caps := range [][]string{with, without} {
		for n := 0; n < 1400; n += 7 {
			synctest.Test(t, func(t *testing.T) {
				srv := &imaptest.Server{Account: newAccount(), Caps: caps, Fault: &imaptest.Fault{New: imaptest.CutAfter(n)}}
				defer srv.Close()
				c, err := open(t, srv, false)
				if c == nil {
					return
				}
				defer c.Close()
				if err != nil {
					return
				}
				res, err := move.Messages(t.Context(), c, imap.UIDSet{{First: 1, Last: 1}, {First: 3, Last: 3}}, "Archive", quirk.Effects{})
				c.Close()
				srv.Close()
				inbox, archive := subjects(srv.Account, "INBOX"), subjects(srv.Account, "Archive")
				for _, m := range []string{"1", "3"} {
					if !slices.Contains(inbox, m) && !slices.Contains(archive, m) {
						t.Errorf("cut behind %d: message %s is lost", n, m)
					}
				}
				for _, m := range []string{"2", "4", "5"} {
					if !slices.Contains(inbox, m) {
						t.Errorf("cut behind %d: message %s was taken", n, m)
					}
				}
				if err == nil && res.Moved.String() != "1,3" {
					t.Errorf("cut behind %d: %+v", n, res)
				}
			})
		}
	}
}
