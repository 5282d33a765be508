package mirror_test

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapclient/mirror"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/imap/imaptest"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// plain logs in as the user of imaptest.
type plain struct{}

func (plain) Login(ctx context.Context, _ []string, _ *tls.ConnectionState, exchange func(context.Context, sasl.Client) error) error {
	return exchange(ctx, sasl.NewPlainClient("", imaptest.User, imaptest.Password))
}

// dial connects through net, logged in.
func dial(t testing.TB, via imapclient.ContextDialer, addr string) *imapclient.Client {
	t.Helper()
	d := imapclient.Dialer{Net: via, TLS: imapclient.TLSNever, Auth: plain{}}
	c, err := d.Dial(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// ours is our server with the account alice; hide are capabilities that it does
// not announce.
func ours(t testing.TB, hide ...imap.Capability) (st *memstore.Store, addr string) {
	t.Helper()
	st = memstore.New(nil)
	if err := st.Create(t.Context(), imaptest.User, store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	srv, err := imapserver.New(imapserver.Config{
		Store: st, AllowPlaintextAuth: true,
		Auth: authn.PasswordFunc(func(_ context.Context, _ *authn.Peer, user, _ string) (string, error) { return user, nil }),
		Hide: func(_ *imapserver.Client, cap imap.Capability) bool { return slices.Contains(hide, cap) },
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(l)
	t.Cleanup(func() {
		srv.Close()
		st.Close()
	})
	return st, l.Addr().String()
}

// letter is a message to append.
func letter() *imapclient.NewMessage {
	const text = "Subject: x\r\n\r\nHello.\r\n"
	return &imapclient.NewMessage{Size: int64(len(text)), Body: strings.NewReader(text)}
}

// told is the picture that somebody draws who hears of each change.
type told struct {
	t       testing.TB
	flags   map[imap.UID]mirror.Flags
	changes int
}

func (p *told) hear(ch mirror.Change) error {
	p.changes++
	_, known := p.flags[ch.UID]
	switch ch.Kind {
	case mirror.Reset:
		clear(p.flags)
	case mirror.New:
		if known {
			p.t.Errorf("UID %d is told as new twice", ch.UID)
		}
		p.flags[ch.UID] = ch.Flags
	case mirror.FlagsChanged:
		if !known || p.flags[ch.UID].Equal(ch.Flags) {
			p.t.Errorf("flags of UID %d are told for nothing", ch.UID)
		}
		p.flags[ch.UID] = ch.Flags
	case mirror.Gone:
		if !known {
			p.t.Errorf("UID %d is gone and never was", ch.UID)
		}
		delete(p.flags, ch.UID)
	}
	return nil
}

// equal compares a picture, and what was told, with the truth.
func (p *told) equal(st *mirror.State, want map[imap.UID][]string) {
	p.t.Helper()
	if st.Len() != int64(len(want)) || len(p.flags) != len(want) {
		p.t.Fatalf("the picture has %d messages, %d were told, the server has %d", st.Len(), len(p.flags), len(want))
	}
	for uid, flags := range st.All() {
		names := strings.Fields(string(imap.AppendFlagNames(nil, flags.System)))
		names = append(names, flags.Keywords...)
		slices.Sort(names)
		if !slices.Equal(names, want[uid]) || !p.flags[uid].Equal(flags) {
			p.t.Fatalf("UID %d: the picture has %v, told was %v, the server has %v", uid, names, p.flags[uid], want[uid])
		}
	}
}

// holds is what a mailbox of our server has.
func holds(t testing.TB, st store.Store, mailbox string) map[imap.UID][]string {
	t.Helper()
	a, err := st.Open(t.Context(), imaptest.User)
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.MailboxByName(t.Context(), a, mailbox)
	if err != nil {
		t.Fatal(err)
	}
	all := map[imap.UID][]string{}
	for msg, err := range a.Messages(t.Context(), m.ID, store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		names := append(strings.Fields(string(imap.AppendFlagNames(nil, msg.Flags))), msg.Keywords...)
		slices.Sort(names)
		all[msg.UID] = names
	}
	return all
}
