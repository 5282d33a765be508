package imapserver

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mailstead/mailstead/imap/imaptest"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
	"github.com/mailstead/mailstead/store/view"
)

// clientOctets is what the first client of a script sends, up to TLS.
func clientOctets(s *imaptest.Script) string {
	var b strings.Builder
	for _, st := range s.Steps {
		switch {
		case st.Conn != '1':
		case st.Op == "T":
			return b.String()
		case st.Op == "C":
			b.WriteString(st.Text + "\r\n")
		case st.Op == "R":
			b.WriteString(st.Text)
		}
	}
	return b.String()
}

// snapshot writes down what the accounts of testStore hold.
func snapshot(t *testing.T, st store.Store) string {
	t.Helper()
	var lines []string
	for _, id := range []store.AccountID{"alice", "bob", "carol"} {
		a, err := st.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		boxes, _, err := a.Mailboxes(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range boxes {
			lines = append(lines, fmt.Sprint(id, m.Name, m.Subscribed, m.Role))
			for msg, err := range a.Messages(t.Context(), m.ID, store.Query{}) {
				if err != nil {
					t.Fatal(err)
				}
				lines = append(lines, fmt.Sprint(id, m.Name, msg.UID, msg.Flags, msg.Keywords, msg.Size))
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// cutAt gives a server the first octets of a script and closes. Afterwards
// nothing of the session is left but what was committed, which it returns.
func cutAt(t *testing.T, s *imaptest.Script, in string) string {
	t.Helper()
	st := memstore.New(nil)
	defer st.Close()
	for _, id := range []store.AccountID{"alice", "bob", "carol"} {
		if err := st.Create(t.Context(), id, store.AccountInfo{}); err != nil {
			t.Fatal(err)
		}
	}
	cfg := testConfig(st)
	if err := scriptConfig(&cfg, s, nil); err != nil {
		t.Fatal(err)
	}
	cfg.TLSConfig, cfg.RequireTLS = nil, false
	book := &logBook{}
	cfg.Logger = slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: slog.LevelError}))
	cfg.Views = view.New(st, view.Options{})
	defer cfg.Views.Close()
	cfg.Users = new(Users)
	srv, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	conn := &memoryConn{in: strings.NewReader(in)}
	if err := srv.ServeConn(conn); err != nil {
		t.Fatal(err)
	}
	if n := cfg.Views.Handles(); n != 0 {
		t.Errorf("%d views are held", n)
	}
	for _, id := range []store.AccountID{"alice", "bob", "carol"} {
		if n := cfg.Users.Sessions(id); n != 0 {
			t.Errorf("%d sessions of %s are held", n, id)
		}
	}
	if n := srv.inflating.Load(); n != 0 {
		t.Errorf("%d octets of compression are held", n)
	}
	if out := conn.out.String(); !strings.HasSuffix(out, "\r\n") {
		t.Errorf("the output ends in the middle of a line: %q", out[max(0, len(out)-100):])
	}
	if strings.Contains(book.String(), "imap: panic") && !strings.Contains(in, "LOGIN panic") {
		t.Errorf("%s", book)
	}
	return snapshot(t, st)
}

// TestCut ends every dialogue of testdata at every octet of the client's stream.
// Whatever command is cut there, the server keeps nothing of the session, and
// nothing was committed by a command whose line end did not come.
func TestCut(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	scripts, err := imaptest.Load("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	step := 1
	if testing.Short() {
		step = 37
	}
	for _, s := range scripts {
		in := clientOctets(s)
		if len(in) > 3000 {
			in = in[:3000] // the rest is a literal
		}
		t.Run(s.Name, func(t *testing.T) {
			before := cutAt(t, s, "")
			for n := step; n <= len(in) && !t.Failed(); n += step {
				if step > 1 {
					before = cutAt(t, s, in[:n-1])
				}
				after := cutAt(t, s, in[:n])
				if after != before && in[n-1] != '\n' {
					t.Errorf("%q commits\n%s\nwas\n%s", in[max(0, n-60):n], after, before)
				}
				before = after
			}
			if t.Failed() {
				t.Logf("script %s", s.Name)
			}
		})
	}
}
