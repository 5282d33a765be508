package faulty

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqlstore"
)

// ledger is what one account was told, and what it tried in vain.
type ledger struct {
	o     *opened
	a     store.Account
	box   store.MailboxID
	n     int
	acked map[store.UID]entry
	last  store.UID
}

type entry struct {
	body   []byte
	flags  store.Flags
	unsure bool // of the flags
}

func newLedger(t *testing.T, o *opened) *ledger {
	t.Helper()
	if err := o.Create(t.Context(), "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	l := &ledger{acked: map[store.UID]entry{}}
	l.at(t, o)
	return l
}

// at goes on with another handle on the same data.
func (l *ledger) at(t *testing.T, o *opened) {
	t.Helper()
	a, err := o.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	box, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	l.o, l.a, l.box = o, a, box.ID
}

// append adds a message of about size octets.
func (l *ledger) append(ctx context.Context, size int) error {
	l.n++
	body := fmt.Appendf(nil, "Subject: %d\r\n\r\n", l.n)
	for len(body) < size {
		body = fmt.Appendf(body, "line %d of message %d\r\n", len(body), l.n)
	}
	r, err := store.AppendMessage(ctx, l.o, l.a, "", store.NewMessage{Mailbox: l.box, Body: bytes.NewReader(body), BodySize: -1})
	if err == nil {
		l.last = r.Ops[0].Dest.Max()
		l.acked[l.last] = entry{body: body}
	}
	return err
}

func (l *ledger) apply(ctx context.Context, ops ...store.Op) (store.Result, error) {
	return l.a.Apply(ctx, store.Change{Ops: ops})
}

// copy copies the newest message.
func (l *ledger) copy(ctx context.Context) error {
	r, err := l.apply(ctx, store.Copy{Source: l.box, UIDs: store.UIDs(l.last), Dest: l.box})
	if err == nil {
		from := l.acked[l.last]
		l.last = r.Ops[0].Dest.Max()
		l.acked[l.last] = from
	}
	return err
}

// flag toggles \Flagged of the newest message.
func (l *ledger) flag(ctx context.Context) error {
	e := l.acked[l.last]
	e.flags ^= store.Flagged
	_, err := l.apply(ctx, store.SetFlags{Mailbox: l.box, UIDs: store.UIDs(l.last), Flags: e.flags, Mode: store.FlagsReplace})
	if errors.Is(err, store.ErrUnknown) {
		e.unsure = true
	}
	if err == nil || e.unsure {
		l.acked[l.last] = e
	}
	return err
}

// expunge removes some other message. Where the outcome is unknown it is
// nobody's message any more.
func (l *ledger) expunge(ctx context.Context) error {
	for uid := range l.acked {
		if uid == l.last {
			continue
		}
		_, err := l.apply(ctx, store.Expunge{Mailbox: l.box, UIDs: store.UIDs(uid)})
		if err == nil || errors.Is(err, store.ErrUnknown) {
			delete(l.acked, uid)
		}
		return err
	}
	return nil
}

func (l *ledger) create(ctx context.Context) error {
	l.n++
	_, err := l.apply(ctx, store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: fmt.Sprintf("box %d", l.n)})
	return err
}

func (l *ledger) entry(ctx context.Context) error {
	l.n++
	_, err := l.apply(ctx, store.PutEntry{Key: fmt.Sprintf("key %d", l.n), Value: make([]byte, 5000)})
	return err
}

// steps are what a ledger can do, by name.
func (l *ledger) steps() map[string]func(context.Context) error {
	sized := func(n int) func(context.Context) error {
		return func(ctx context.Context) error { return l.append(ctx, n) }
	}
	return map[string]func(context.Context) error{
		"append": sized(4000), "append a large message": sized(2 << 20), "copy": l.copy, "flag": l.flag,
		"expunge": l.expunge, "create": l.create, "entry": l.entry,
	}
}

// fill makes some of everything, all of which must succeed.
func (l *ledger) fill(t *testing.T) {
	t.Helper()
	for range 5 {
		if err := l.append(t.Context(), 3000); err != nil {
			t.Fatal(err)
		}
	}
	for name, step := range l.steps() {
		if err := step(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// check holds the store against the ledger. Where may is true there may be
// messages beyond it: their outcome is unknown.
func (l *ledger) check(t *testing.T, may bool) {
	t.Helper()
	seen := 0
	for m, err := range l.a.Messages(t.Context(), l.box, store.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		want, ok := l.acked[m.UID]
		if !ok {
			if !may {
				t.Errorf("message %d was refused, and is there", m.UID)
			}
			continue
		}
		seen++
		if m.Flags != want.flags && !want.unsure {
			t.Errorf("message %d has flags %b, acknowledged %b", m.UID, m.Flags, want.flags)
		}
		if got, err := l.read(t.Context(), m.UID); err != nil || !bytes.Equal(got, want.body) {
			t.Errorf("message %d: %d octets, %v; want %d", m.UID, len(got), err, len(want.body))
		}
	}
	if seen != len(l.acked) {
		t.Errorf("%d of %d acknowledged messages are there", seen, len(l.acked))
	}
	sound(t, l.o)
}

func (l *ledger) read(ctx context.Context, uid store.UID) ([]byte, error) {
	c, err := l.a.Content(ctx, l.box, uid)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
}

// sound verifies the store and its bodies.
func sound(t *testing.T, o *opened) {
	t.Helper()
	if err := o.engine.Store().Verify(t.Context(), func(p *sqlstore.Problem) { t.Error(p) }); err != nil {
		t.Error(err)
	}
	if _, err := o.engine.Blobs().Verify(t.Context()); err != nil && !errors.Is(err, blob.ErrClosed) {
		t.Error(err)
	}
}

// survives cuts the power in both models and looks for everything.
func (l *ledger) survives(t *testing.T, d *disk, may bool) {
	t.Helper()
	for _, model := range []any{"strict", 1, 2, 3} {
		after := *l
		after.acked = maps.Clone(l.acked)
		after.at(t, open(t, d, d.cut(t, model, l.o.dir)))
		after.check(t, may)
		after.fill(t)
	}
}
