package mirror_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapclient/mirror"
	"github.com/mailstead/mailstead/imap/imapclient/quirk"
	"github.com/mailstead/mailstead/imap/imaptest"
)

// fill gives INBOX n messages.
func fill(srv *imaptest.Server, n int) {
	if srv.Account == nil {
		srv.Account = imaptest.NewAccount()
	}
	for i := range n {
		srv.Account.Append("INBOX", "Subject: x\r\n\r\n", []string{`\Seen`, "kw"}[:i%3%2+i%2]...)
	}
}

// scene is a mailbox of a server in memory, and its picture.
type scene struct {
	t     *testing.T
	srv   *imaptest.Server
	c     *imapclient.Client
	st    *mirror.State
	heard *told
}

func newScene(t *testing.T, srv *imaptest.Server, n int) *scene {
	t.Helper()
	fill(srv, n)
	t.Cleanup(srv.Close)
	return &scene{t, srv, dial(t, srv, ""), &mirror.State{}, &told{t: t, flags: map[imap.UID]mirror.Flags{}}}
}

// sync brings the picture in step, and compares it with the mailbox.
func (s *scene) sync(o mirror.Options) mirror.Result {
	s.t.Helper()
	o.Changed = s.heard.hear
	res, err := mirror.Sync(s.t.Context(), s.c, "INBOX", s.st, o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.heard.equal(s.st, s.srv.Account.Flags("INBOX"))
	return res
}

// TestReset: a new UIDVALIDITY is told, and the picture begins anew (M3).
func TestReset(t *testing.T) {
	for _, caps := range [][]string{nil, {"IMAP4rev1", "ENABLE", "CONDSTORE"}, {"IMAP4rev1"}} {
		s := newScene(t, &imaptest.Server{Caps: caps}, 5)
		s.sync(mirror.Options{})
		s.srv.Account.Expunge("INBOX", 1, 2)
		s.srv.Account.Renumber("INBOX")
		if res := s.sync(mirror.Options{}); !res.Reset || res.New != 3 {
			t.Errorf("%v: %+v", caps, res)
		}
		if res := s.sync(mirror.Options{}); res.Reset || res.New+res.Changed+res.Gone != 0 {
			t.Errorf("%v: %+v", caps, res)
		}
	}
}

// TestNoValidity: without UIDVALIDITY nothing is known from one Sync to the next,
// unless the server is known to keep its UIDs.
func TestNoValidity(t *testing.T) {
	s := newScene(t, &imaptest.Server{Caps: []string{"IMAP4rev1"}}, 3)
	s.srv.Account.Change("INBOX", func(b *imaptest.Box) { b.UIDValidity = 0 })
	s.sync(mirror.Options{})
	if res := s.sync(mirror.Options{}); !res.Reset || res.New != 3 {
		t.Errorf("%+v", res)
	}
	if res := s.sync(mirror.Options{Quirks: quirk.Effects{ZeroValidity: true}}); res.Reset || res.New != 0 {
		t.Errorf("%+v", res)
	}
}

// TestModSeqLies: mailboxes without mod-sequences, in each way to say so, and
// ones whose mod-sequences go back are compared as a whole.
func TestModSeqLies(t *testing.T) {
	t.Run("NOMODSEQ", func(t *testing.T) {
		s := newScene(t, &imaptest.Server{}, 4)
		s.srv.Account.Change("INBOX", func(b *imaptest.Box) { b.NoModSeq = true })
		s.sync(mirror.Options{})
		s.srv.Account.SetFlags("INBOX", 2, `\Flagged`)
		s.srv.Account.Expunge("INBOX", 1)
		if res := s.sync(mirror.Options{}); res.Rung != mirror.Difference || res.Changed != 1 || res.Gone != 1 {
			t.Errorf("%+v", res)
		}
	})
	t.Run("0", func(t *testing.T) {
		s := newScene(t, &imaptest.Server{}, 4)
		s.srv.Account.Change("INBOX", func(b *imaptest.Box) { b.HighestModSeq = 0 })
		if res := s.sync(mirror.Options{}); res.Rung != mirror.Difference || s.st.ModSeq != 0 {
			t.Errorf("%+v", res)
		}
	})
	t.Run("back", func(t *testing.T) {
		s := newScene(t, &imaptest.Server{}, 4)
		s.sync(mirror.Options{})
		s.srv.Account.SetFlags("INBOX", 2, `\Flagged`)
		s.srv.Account.Change("INBOX", func(b *imaptest.Box) {
			b.HighestModSeq = 2
			for i := range b.Messages {
				b.Messages[i].ModSeq = 1
			}
		})
		if res := s.sync(mirror.Options{}); res.Changed != 1 || !res.Compared || s.st.ModSeq != 2 {
			t.Errorf("%+v, mod-sequence %d", res, s.st.ModSeq)
		}
	})
}

// TestForgetfulServer: a server that does not tell what has vanished, or what is
// new, contradicts its own number of messages.
func TestForgetfulServer(t *testing.T) {
	for _, line := range []string{`^\* VANISHED`, `^\* \d+ FETCH \(UID 5 `} {
		s := newScene(t, &imaptest.Server{Fault: &imaptest.Fault{New: imaptest.OnLine(line, false, imaptest.Instead(""))}}, 4)
		s.sync(mirror.Options{})
		s.srv.Account.Append("INBOX", "a: b\r\n\r\n")
		s.srv.Account.Expunge("INBOX", 2)
		if res := s.sync(mirror.Options{}); res.New != 1 || res.Gone != 1 || res.Rung != mirror.QResync {
			t.Errorf("%s: %+v", line, res)
		}
	}
}

// TestRefusedRung: a server that announces QRESYNC and then calls its parameter
// an error is asked without.
func TestRefusedRung(t *testing.T) {
	for word, want := range map[string]mirror.Rung{"QRESYNC": mirror.CondStore, "(": mirror.Difference} {
		s := newScene(t, &imaptest.Server{Verbs: map[string]imaptest.Verb{"EXAMINE": func(c *imaptest.Conn, cmd *imaptest.Command) error {
			if strings.Contains(cmd.Args, word) {
				return c.Tell(cmd, "BAD what?")
			}
			return c.Default(cmd)
		}}}, 4)
		s.sync(mirror.Options{})
		s.srv.Account.SetFlags("INBOX", 2, `\Flagged`)
		if res := s.sync(mirror.Options{}); res.Rung != want {
			t.Errorf("%s: %+v", word, res)
		}
	}
}

// TestQuirks: what a server is known for is not used.
func TestQuirks(t *testing.T) {
	for want, q := range map[mirror.Rung]quirk.Effects{mirror.CondStore: {NoQResync: true}, mirror.Difference: {NoCondStore: true}} {
		s := newScene(t, &imaptest.Server{}, 4)
		s.sync(mirror.Options{Quirks: q})
		s.srv.Account.SetFlags("INBOX", 2)
		s.srv.Account.Expunge("INBOX", 3)
		if res := s.sync(mirror.Options{Quirks: q}); res.Rung != want || res.Gone != 1 || res.Changed != 1 {
			t.Errorf("%+v: %+v", q, res)
		}
	}
}

// TestCommands: what each rung costs when nothing has changed, and when one
// message is new.
func TestCommands(t *testing.T) {
	for _, tt := range []struct {
		highest        mirror.Rung
		quiet, another string
	}{
		{mirror.QResync, "EXAMINE", "EXAMINE"},
		{mirror.CondStore, "EXAMINE", "EXAMINE,UID FETCH"},
		{mirror.Difference, "EXAMINE,UID FETCH,UID SEARCH", "EXAMINE,UID FETCH,UID FETCH,UID SEARCH"},
	} {
		var sent []string
		s := newScene(t, &imaptest.Server{Log: func(out bool, line string) {
			if words := strings.Fields(line); !out && words[1] == "UID" {
				sent = append(sent, "UID "+words[2])
			} else if !out {
				sent = append(sent, words[1])
			}
		}}, 4)
		s.sync(mirror.Options{Highest: tt.highest})
		for i, want := range []string{tt.quiet, tt.another} {
			if i == 1 {
				s.srv.Account.Append("INBOX", "a: b\r\n\r\n")
			}
			sent = nil
			s.sync(mirror.Options{Highest: tt.highest})
			if got := strings.Join(sent, ","); got != want {
				t.Errorf("%v: %s, want %s", tt.highest, got, want)
			}
		}
	}
}

// TestCut: whatever octet the connection breaks off behind, the next connection
// goes on with the state that was saved, and all is told exactly once to
// those who save with what they were told.
func TestCut(t *testing.T) {
	for _, highest := range []mirror.Rung{mirror.QResync, mirror.CondStore, mirror.Difference} {
		for n := 0; n < 3000; n += 37 {
			synctest.Test(t, func(t *testing.T) { cutSync(t, highest, n) })
		}
	}
}

func cutSync(t *testing.T, highest mirror.Rung, n int) {
	srv := &imaptest.Server{}
	s := newScene(t, srv, 20)
	defer srv.Close()
	s.sync(mirror.Options{Highest: highest})
	for uid := range imap.UID(15) {
		srv.Account.SetFlags("INBOX", uid+1, fmt.Sprintf("kw%d", uid%4))
	}
	srv.Account.Expunge("INBOX", 3, 4, 9)
	for range 10 {
		srv.Account.Append("INBOX", "a: b\r\n\r\n", "new")
	}
	srv.Fault = &imaptest.Fault{New: imaptest.CutAfter(n)}
	d := imapclient.Dialer{Net: srv, TLS: imapclient.TLSNever, Auth: plain{}}
	if c, err := d.Dial(t.Context(), "", ""); err == nil {
		_, _ = mirror.Sync(t.Context(), c, "INBOX", s.st, mirror.Options{Highest: highest, Changed: s.heard.hear, Batch: 3})
		c.Close()
	}
	srv.Fault = nil
	s.st, s.c = again(t, s.st), dial(t, srv, "")
	s.sync(mirror.Options{Highest: highest, Batch: 3})
	s.c.Close()
}

// TestChangedFails: what Changed refused is told again, and the rest as well.
func TestChangedFails(t *testing.T) {
	s := newScene(t, &imaptest.Server{}, 10)
	enough := errors.New("enough")
	for range 30 {
		left := 3
		_, err := mirror.Sync(t.Context(), s.c, "INBOX", s.st, mirror.Options{Batch: 2, Changed: func(ch mirror.Change) error {
			if left--; left < 0 {
				return enough
			}
			return s.heard.hear(ch)
		}})
		if err == nil {
			break
		}
		if !errors.Is(err, enough) {
			t.Fatal(err)
		}
		s.srv.Account.Expunge("INBOX", s.st.MaxUID())
	}
	s.sync(mirror.Options{})
}

// TestTooLarge: a mailbox, or flags, without end.
func TestTooLarge(t *testing.T) {
	s := newScene(t, &imaptest.Server{}, 50)
	for _, o := range []mirror.Options{{MaxMessages: 20}, {MaxFlagBytes: 100}} {
		for _, o.Highest = range []mirror.Rung{mirror.QResync, mirror.Difference} {
			if _, err := mirror.Sync(t.Context(), s.c, "INBOX", &mirror.State{}, o); !errors.Is(err, mirror.ErrTooLarge) {
				t.Errorf("%+v: %v", o, err)
			}
		}
	}
	s.sync(mirror.Options{MaxMessages: 50})
}

// TestSkipFlags: flags are looked at only where that costs little.
func TestSkipFlags(t *testing.T) {
	s := newScene(t, &imaptest.Server{}, 5)
	s.sync(mirror.Options{Highest: mirror.Difference})
	s.srv.Account.Append("INBOX", "a: b\r\n\r\n")
	s.srv.Account.Expunge("INBOX", 2)
	if res := s.sync(mirror.Options{Highest: mirror.Difference, SkipFlags: true}); res.New != 1 || res.Gone != 1 {
		t.Errorf("%+v", res)
	}
	s.srv.Account.SetFlags("INBOX", 1, "other")
	o := mirror.Options{Highest: mirror.Difference, SkipFlags: true, Changed: s.heard.hear}
	if res, err := mirror.Sync(t.Context(), s.c, "INBOX", s.st, o); err != nil || res.Changed != 0 {
		t.Errorf("%+v %v", res, err)
	}
	s.sync(mirror.Options{})
}

// TestState: the forms of a state, and octets that are none.
func TestState(t *testing.T) {
	s := newScene(t, &imaptest.Server{}, 30)
	s.srv.Account.Expunge("INBOX", 4, 5, 30)
	s.sync(mirror.Options{})
	data, err := s.st.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	got := again(t, s.st)
	if more, _ := got.MarshalBinary(); !slices.Equal(more, data) {
		t.Error("a state changes when it is read and written")
	}
	if got.UIDAt(1) != 1 || got.UIDAt(4) != 6 || got.UIDAt(27) != 29 || got.UIDAt(28) != 0 || got.UIDAt(0) != 0 {
		t.Error("UIDAt")
	}
	if f, ok := got.Flags(4); ok {
		t.Error(f)
	}
	for i := range data {
		bad := slices.Clone(data)
		bad[i] ^= 0x41
		for _, b := range [][]byte{bad, data[:i]} {
			before := got.Len()
			if err := got.UnmarshalBinary(b); !errors.Is(err, mirror.ErrState) || got.Len() != before {
				t.Fatalf("%x: %v", b, err)
			}
		}
	}
}
