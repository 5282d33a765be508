package itest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapclient/mirror"
	"github.com/mailstead/mailstead/imap/imapclient/move"
	"github.com/mailstead/mailstead/imap/imapclient/quirk"
	"github.com/mailstead/mailstead/imap/imapclient/watch"
	"github.com/mailstead/mailstead/store"
)

func (f *foreign) imapClient(t *testing.T) *imapclient.Client {
	t.Helper()
	d := f.imapDialer()
	var trace []string
	d.Timeouts.Command = 20 * time.Second
	d.Trace = func(_ bool, line []byte) { trace = append(trace, strings.TrimSpace(string(line))) }
	c, err := d.Dial(t.Context(), "tcp", f.imap)
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(trace, "\n"))
	}
	t.Cleanup(func() {
		c.Close()
		if t.Failed() {
			t.Logf("dialogue: %s", strings.Join(trace[max(0, len(trace)-20):], "\n"))
		}
	})
	return c
}

func smallLetter() *imapclient.NewMessage {
	const text = "From: <a@example.org>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nSubject: x\r\n\r\nHello.\r\n"
	return &imapclient.NewMessage{Size: int64(len(text)), Body: strings.NewReader(text)}
}

// imapTruth is what a mailbox holds, seen by a session of its own.
func imapTruth(t *testing.T, f *foreign, mailbox string) map[imap.UID]string {
	t.Helper()
	c := f.imapClient(t)
	defer c.Close()
	if _, err := c.Select(t.Context(), mailbox, imapclient.SelectOptions{ReadOnly: true}); err != nil {
		t.Fatal(err)
	}
	all := map[imap.UID]string{}
	for m, err := range c.Fetch(t.Context(), store.AllUIDs(), imap.FetchOptions{Items: imap.FetchFlags}) {
		if err != nil {
			t.Fatal(err)
		}
		all[m.UID] = flagText(mirror.Flags{System: m.Flags.System, Keywords: slices.Sorted(slices.Values(m.Flags.Keywords))})
	}
	return all
}

func flagText(f mirror.Flags) string {
	return string(imap.AppendFlagNames(nil, f.System)) + " " + strings.Join(f.Keywords, " ")
}

// mirrorForeign lets a session change a mailbox at random while the picture is
// brought in step by each rung, and compares it with what a third session sees.
func mirrorForeign(t *testing.T, f *foreign, best mirror.Rung) {
	ctx := t.Context()
	for highest := mirror.QResync; highest <= mirror.Difference; highest++ {
		t.Run(highest.String(), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(highest), 1))
			box := "mirror-" + highest.String()
			other, c := f.imapClient(t), f.imapClient(t)
			if _, err := other.Create(ctx, box); err != nil {
				t.Fatal(err)
			}
			if _, err := other.Select(ctx, box, imapclient.SelectOptions{}); err != nil {
				t.Fatal(err)
			}
			picture := &mirror.State{}
			for step := range 15 {
				for range rnd.IntN(4) {
					changeForeign(t, rnd, other, box)
				}
				if rnd.IntN(6) == 0 {
					c.Close()
					c = f.imapClient(t)
				}
				res, err := mirror.Sync(ctx, c, box, picture, mirror.Options{Highest: highest, Batch: 1 + rnd.IntN(6)})
				if err != nil {
					t.Fatal(err)
				}
				if want := max(highest, best); res.Rung != want {
					t.Errorf("rung %v, want %v", res.Rung, want)
				}
				got := map[imap.UID]string{}
				for uid, flags := range picture.All() {
					got[uid] = flagText(flags)
				}
				if want := imapTruth(t, f, box); !maps.Equal(got, want) {
					t.Fatalf("step %d: the picture is %v, the mailbox %v", step, got, want)
				}
			}
		})
	}
}

func changeForeign(t *testing.T, rnd *rand.Rand, c *imapclient.Client, box string) {
	t.Helper()
	var err error
	first := imap.UID(1 + rnd.IntN(30))
	some := imap.UIDSet{{First: first, Last: first + imap.UID(rnd.IntN(4))}}
	switch rnd.IntN(6) {
	case 0, 1:
		_, err = c.Append(t.Context(), box, smallLetter())
	case 2, 3, 4:
		_, err = c.Store(t.Context(), some, imap.StoreOptions{
			Mode: imap.StoreMode(rnd.IntN(3)), Flags: []imap.Flags{store.Seen, store.Deleted, store.Flagged}[rnd.IntN(3)],
			Keywords: [][]string{nil, {"kw1"}, {"$Forwarded"}}[rnd.IntN(3)],
		})
	case 5:
		err = c.Expunge(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// watchForeign watches two mailboxes; what another session does is told, also
// what it does while the connection is broken.
func watchForeign(t *testing.T, f *foreign) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	other := f.imapClient(t)
	if _, err := other.Create(ctx, "watched"); err != nil {
		t.Fatal(err)
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var conn *imapclient.Client
	w := &watch.Watcher{
		Connect: func(ctx context.Context) (c *imapclient.Client, err error) {
			d := f.imapDialer()
			conn, err = d.Dial(ctx, "tcp", f.imap)
			return conn, err
		},
		Mailboxes: []string{"watched"}, Interval: 10 * time.Millisecond, Backoff: 10 * time.Millisecond,
	}
	var told []string
	stage := 0
	for ev, err := range w.Events(ctx) {
		if err != nil {
			told = append(told, "error")
			continue
		}
		if ev.Kind != watch.InStep {
			told = append(told, fmt.Sprint(ev.Kind, " ", ev.UID))
			continue
		}
		switch {
		case stage == 0:
			_, err := other.Append(ctx, "watched", smallLetter())
			do(err)
			stage = 1
		case stage == 1 && slices.Equal(told, []string{"new 1"}):
			_, err := other.Select(ctx, "watched", imapclient.SelectOptions{})
			do(err)
			_, err = other.Store(ctx, store.UIDs(1), imap.StoreOptions{Flags: store.Flagged | store.Deleted})
			do(err)
			stage = 2
		case stage == 2 && len(told) == 2:
			conn.Close()
			do(other.Expunge(ctx))
			_, err := other.Append(ctx, "watched", smallLetter())
			do(err)
			stage = 3
		case stage == 3 && len(told) == 5:
			if got := strings.Join(told, ", "); got != "new 1, flags 1, error, gone 1, new 2" {
				t.Error(got)
			}
			return
		}
	}
	t.Fatalf("stage %d, told %v", stage, told)
}

// moveForeign moves messages by MOVE, and as if MOVE were not there.
func moveForeign(t *testing.T, f *foreign) {
	ctx := t.Context()
	c := f.imapClient(t)
	for _, box := range []string{"from", "to"} {
		if _, err := c.Create(ctx, box); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		if _, err := c.Append(ctx, "from", smallLetter()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Select(ctx, "from", imapclient.SelectOptions{}); err != nil {
		t.Fatal(err)
	}
	if m := move.Possible(c, quirk.Effects{}); m != move.Move {
		t.Errorf("%v is the way to move", m)
	}
	res, err := move.Messages(ctx, c, store.UIDs(1, 3, 9), "to", quirk.Effects{})
	if err != nil || len(res.Copied) > 0 || len(res.New.Dest) == 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if from, to := imapTruth(t, f, "from"), imapTruth(t, f, "to"); len(from) != 2 || len(to) != 2 || from[2] == "" || from[4] == "" {
		t.Errorf("from %v, to %v", from, to)
	}
}

func TestMirrorDovecot(t *testing.T) {
	needServer(t)
	f, _ := newDovecot(t)
	mirrorForeign(t, f, mirror.QResync)
	watchForeign(t, f)
	moveForeign(t, f)
}

func TestMirrorCyrus(t *testing.T) {
	needServer(t)
	f := newCyrus(t)
	mirrorForeign(t, f, mirror.QResync)
	watchForeign(t, f)
	moveForeign(t, f)
}
