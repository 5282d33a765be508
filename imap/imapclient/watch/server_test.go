package watch_test

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapclient/watch"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/imap/imaptest"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// TestNotify: our server offers NOTIFY, so that news of all mailboxes come at
// once, by one connection (RFC 5465).
func TestNotify(t *testing.T) {
	st := memstore.New(nil)
	if err := st.Create(t.Context(), imaptest.User, store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	srv, err := imapserver.New(imapserver.Config{
		Store: st, AllowPlaintextAuth: true,
		Auth: authn.PasswordFunc(func(_ context.Context, _ *authn.Peer, user, _ string) (string, error) { return user, nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(l)
	defer st.Close()
	defer srv.Close()

	var notifies atomic.Int64
	d := imapclient.Dialer{TLS: imapclient.TLSNever, Auth: plain("x"), Trace: func(sent bool, line []byte) {
		if sent && strings.Contains(string(line), "NOTIFY SET") {
			notifies.Add(1)
		}
	}}
	other, err := d.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Create(t.Context(), "Büro"); err != nil {
		t.Fatal(err)
	}
	append := func(mailbox string) {
		if _, err := other.Append(t.Context(), mailbox, &imapclient.NewMessage{Size: int64(len(letter)), Body: strings.NewReader(letter)}); err != nil {
			t.Error(err)
		}
	}
	w := &watch.Watcher{Dialer: &d, Addr: l.Addr().String(), Mailboxes: []string{"INBOX", "Büro"}, Interval: time.Millisecond}
	steps, told := 0, []string{}
	for ev, err := range w.Events(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if ev.Kind != watch.InStep {
			told = appendTold(told, ev)
			continue
		}
		switch steps++; {
		case steps == 2: // both have been looked at
			append("Büro")
		case len(told) == 1 && told[0] == "Büro new":
			append("INBOX")
		case len(told) == 2:
			if told[1] != "INBOX new" || notifies.Load() != 1 {
				t.Errorf("told %v; %d NOTIFY", told, notifies.Load())
			}
			return
		}
	}
}

func appendTold(told []string, ev watch.Event) []string {
	name := ev.Mailbox
	if name == imap.Inbox {
		name = "INBOX"
	}
	return append(told, name+" "+ev.Kind.String())
}
