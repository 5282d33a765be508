package rows_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/rows"
)

// memTx keeps rows in maps. It fails the call number fail, counted from 1.
type memTx struct {
	boxes   map[store.MailboxID]store.Mailbox
	msgs    map[store.MailboxID]map[store.UID]*store.Message
	entries map[string]store.Entry
	holds   []store.Hold
	dropped bool
	calls   int
	fail    int
}

var errRow = errors.New("row")

func (t *memTx) call() error {
	if t.calls++; t.calls == t.fail {
		return errRow
	}
	return nil
}

func newTx() *memTx {
	t := &memTx{
		boxes: make(map[store.MailboxID]store.Mailbox), msgs: make(map[store.MailboxID]map[store.UID]*store.Message),
		entries: make(map[string]store.Entry),
	}
	_ = t.PutMailbox(store.Mailbox{ID: id(1), Name: store.Inbox, UIDValidity: 7, UIDNext: 1, RecentFrom: 1, HighestModSeq: 1})
	return t
}

func (t *memTx) Usage() (store.Usage, error) {
	return rows.Usage(maps.Values(t.boxes), store.Limits{}), t.call()
}

func (t *memTx) Mailbox(id store.MailboxID) (store.Mailbox, error) { return t.boxes[id], t.call() }

func (t *memTx) Mailboxes() ([]store.Mailbox, error) {
	return slices.Collect(maps.Values(t.boxes)), t.call()
}

func (t *memTx) PutMailbox(m store.Mailbox) error {
	if t.boxes[m.ID] = m; t.msgs[m.ID] == nil {
		t.msgs[m.ID] = make(map[store.UID]*store.Message)
	}
	return t.call()
}

func (t *memTx) Messages(id store.MailboxID, set store.UIDSet) (list []*store.Message, err error) {
	for _, m := range t.msgs[id] {
		if !m.Gone && set.Contains(m.UID) {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(x, y *store.Message) int { return cmp.Compare(x.UID, y.UID) })
	return list, t.call()
}

func (t *memTx) Add(id store.MailboxID, m *store.Message, _ rows.Source) error {
	if t.msgs[id][m.UID] != nil {
		return store.ErrExists
	}
	t.msgs[id][m.UID] = m
	return t.call()
}

func (t *memTx) Update(id store.MailboxID, m *store.Message) error {
	t.msgs[id][m.UID] = m
	return t.call()
}

func (t *memTx) Remove(id store.MailboxID, old *store.Message, at store.ModSeq) error {
	t.msgs[id][old.UID] = &store.Message{UID: old.UID, ModSeq: at, Gone: true}
	return t.call()
}

func (t *memTx) Entry(_ store.MailboxID, key string) (store.Entry, error) {
	return t.entries[key], t.call()
}

func (t *memTx) PutEntry(e store.Entry) error {
	t.entries[e.Key] = e
	return t.call()
}

func (t *memTx) Thread([]uint64, uint64) (store.ThreadID, error) { return store.ThreadID{}, t.call() }

func (t *memTx) Validity(want store.UIDValidity, importing bool) (store.UIDValidity, error) {
	v, err := rows.NextValidity(7, want, importing)
	return v, errors.Join(err, t.call())
}

func (t *memTx) Drop() error {
	t.dropped = true
	return t.call()
}

func (t *memTx) Holds() ([]store.Hold, error) { return t.holds, t.call() }

func id(n byte) store.MailboxID { return store.MailboxID{15: n} }

// every has all Ops; the first append of the list is UID 1 of INBOX.
func every() store.Change {
	value, since := []byte("v"), store.ModSeq(1)
	list := []store.Op{
		store.PutMailbox{ID: id(2), Create: true, Name: "A/B"}, store.PutMailbox{ID: id(3), Create: true, Name: "C"},
	}
	for range 4 {
		list = append(list, store.Append{Mailbox: id(1), Blob: "b", Size: 10, ThreadKeys: []uint64{1}, Keywords: []string{"k"}})
	}
	return store.Change{Ops: append(
		list,
		store.SetFlags{Mailbox: id(1), UIDs: store.UIDs(1, 2, 9), Flags: store.Seen, UnchangedSince: &since},
		store.SetFlags{Mailbox: id(1), UIDs: store.UIDs(1, 2, 9), Flags: store.Deleted},
		store.Expunge{Mailbox: id(1), UIDs: store.UIDs(1, 3), OnlyDeleted: true},
		store.Copy{Source: id(1), UIDs: store.UIDs(2, 4), Dest: id(2)},
		store.Copy{Source: id(1), UIDs: store.UIDs(2), Dest: id(3), Move: true},
		store.ClaimRecent{Mailbox: id(1)}, store.PutEntry{Mailbox: id(2), Key: "k", Value: value},
		store.PutMailbox{ID: id(2), Name: "D"}, store.PutMailbox{ID: id(3), Delete: true},
		store.PutMailbox{ID: id(1), Name: "Old"}, store.PutAccount{Limits: &store.Limits{Bytes: 100}},
	)}
}

// TestRun: one Change of all Ops, with one ModSeq and exact counters.
func TestRun(t *testing.T) {
	tx, a := newTx(), &rows.Account{ModSeq: 41}
	r, err := rows.Run(tx, a, every())
	if err != nil {
		t.Fatal(err)
	}
	if r.ModSeq != 42 || a.ModSeq != 42 || a.Info.Limits.Bytes != 100 {
		t.Errorf("result %d, account %+v", r.ModSeq, a)
	}
	if o := r.Ops[6]; o.Modified.String() != "1:2" || o.Missing.String() != "9" || len(o.Changed) > 0 {
		t.Errorf("UNCHANGEDSINCE: %+v", o)
	}
	if o := r.Ops[8]; o.Changed.String() != "1" {
		t.Errorf("Expunge: %+v", o)
	}
	for _, b := range tx.boxes {
		n, size := int64(0), int64(0)
		for _, m := range tx.msgs[b.ID] {
			if m.ModSeq != 42 {
				t.Errorf("%s UID %d has ModSeq %d", b.Name, m.UID, m.ModSeq)
			}
			if !m.Gone {
				n, size = n+1, size+m.Size
			}
		}
		if b.Messages != n || b.Bytes != size {
			t.Errorf("%s counts %d and %d, has %d and %d", b.Name, b.Messages, b.Bytes, n, size)
		}
	}
	if b := tx.boxes[id(3)]; !b.Gone {
		t.Errorf("the deleted mailbox is %+v", b)
	}
}

// TestRunFails: an error of the backend ends Run, whichever call it is.
func TestRunFails(t *testing.T) {
	k := 1
	for ; ; k++ {
		tx := newTx()
		tx.calls, tx.fail = 0, k
		_, err := rows.Run(tx, &rows.Account{ModSeq: 1}, every())
		if tx.calls < k {
			break
		}
		if !errors.Is(err, errRow) {
			t.Errorf("call %d fails, and Run returns %v", k, err)
		}
	}
	if k < 40 {
		t.Errorf("%d calls", k)
	}
}

// TestRunHeld: a Tx with holds obeys them.
func TestRunHeld(t *testing.T) {
	for _, op := range []store.Op{
		store.DropAccount{}, store.PutMailbox{ID: id(2), Delete: true}, store.PutMailbox{ID: id(1), Name: "Old"},
	} {
		tx, a := newTx(), &rows.Account{}
		if _, err := rows.Run(tx, a, store.Change{Ops: every().Ops[:10]}); err != nil {
			t.Fatal(err)
		}
		tx.holds = []store.Hold{{Name: "h", Mailbox: id(1)}, {Name: "i", Mailbox: id(2)}}
		if _, err := rows.Run(tx, a, store.Change{Ops: []store.Op{op}}); !errors.Is(err, store.ErrHeld) || tx.dropped {
			t.Errorf("%T returns %v", op, err)
		}
		r, err := rows.Run(tx, a, store.Change{Ops: []store.Op{store.Expunge{Mailbox: id(1), UIDs: store.AllUIDs()}}})
		if err != nil || len(r.Ops[0].Changed) > 0 || r.Ops[0].Held.String() != "2:4" {
			t.Errorf("Expunge: %+v, %v", r, err)
		}
	}
}

func TestNextValidity(t *testing.T) {
	now := store.UIDValidity(time.Now().Unix())
	for _, test := range []struct {
		last, want store.UIDValidity
		importing  bool
		least      store.UIDValidity
		err        error
	}{
		{least: now},
		{last: 1<<32 - 2, least: 1<<32 - 1},
		{last: 1<<32 - 1, err: store.ErrLimit},
		{last: 5, want: 6, least: 6},
		{last: 5, want: 5, err: store.ErrConflict},
		{last: 5, want: 3, importing: true, least: 3},
	} {
		got, err := rows.NextValidity(test.last, test.want, test.importing)
		if !errors.Is(err, test.err) || got < test.least || got-test.least > 60 {
			t.Errorf("%+v: %d, %v", test, got, err)
		}
	}
}

func TestEach(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seq := rows.Each(ctx, func() ([]int, error) { return []int{1, 2, 3}, nil })
	var got []string
	for v, err := range seq {
		got = append(got, fmt.Sprint(v, err))
		if v == 2 {
			cancel()
		}
	}
	if want := []string{"1 <nil>", "2 <nil>", "0 context canceled"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for v, err := range rows.Each(t.Context(), func() ([]int, error) { return []int{1}, errRow }) {
		if v != 0 || !errors.Is(err, errRow) {
			t.Errorf("%d, %v", v, err)
		}
	}
	for range rows.Each(t.Context(), func() ([]int, error) { return []int{1, 2}, nil }) {
		break
	}
}
