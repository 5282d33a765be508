package sqlite_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/segment"
	"github.com/mailstead/mailstead/store/sqlite"
	"github.com/mailstead/mailstead/store/sqlstore"
)

// museum is a data directory, closed, with a segment of each kind: one that was
// rewritten by a compaction, a full one, the last one, and that of a large body.
// Each holds messages of alice and bob.
type museum struct {
	dir    string
	bodies map[museumPiece]string
	refs   map[museumPiece]blob.Ref
}

type museumPiece struct {
	account store.AccountID
	uid     store.UID
}

func (p museumPiece) String() string { return fmt.Sprintf("%s %d", p.account, p.uid) }

func museumOptions() sqlite.Options {
	return sqlite.Options{
		Logger: slog.New(slog.DiscardHandler),
		Blobs:  segment.Options{SegmentSize: 16 << 10, MaxShared: 4 << 10},
	}
}

func openMuseum(t *testing.T, dir string) (*opened, error) {
	t.Helper()
	e, err := sqlite.Open(t.Context(), dir, museumOptions())
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { e.Close() })
	return &opened{e.Store(), e, dir}, nil
}

func newMuseum(t *testing.T) *museum {
	t.Helper()
	m := &museum{dir: t.TempDir(), bodies: map[museumPiece]string{}, refs: map[museumPiece]blob.Ref{}}
	s, err := openMuseum(t, m.dir)
	if err != nil {
		t.Fatal(err)
	}
	ws := map[store.AccountID]*writer{"alice": newWriter(t, s, "alice"), "bob": newWriter(t, s, "bob")}
	n := 0
	put := func(id store.AccountID, size int) {
		n++
		data := append(fmt.Appendf(nil, "Subject: %d\r\n\r\n", n), bytes.Repeat([]byte{byte('a' + n%26)}, size)...)
		op := ws[id].op(t, data, uint64(n))
		r, err := ws[id].a.Apply(t.Context(), store.Change{Ops: []store.Op{op}})
		if err != nil {
			t.Fatal(err)
		}
		p := museumPiece{id, r.Ops[0].Dest.Min()}
		m.bodies[p], m.refs[p] = string(prefix)+string(data), op.Blob
	}
	put("alice", 1000)
	put("alice", 1000)
	for range 5 { // nobody's: the segment is compacted
		op := ws["alice"].op(t, bytes.Repeat([]byte{'x'}, 3000), 0)
		if err := s.Blobs().Delete(t.Context(), op.Blob); err != nil {
			t.Fatal(err)
		}
	}
	put("bob", 9000)
	for range 4 {
		put("alice", 3000)
		put("bob", 3000)
	}
	if st, err := s.engine.Blobs().Compact(t.Context()); err != nil || st.Rewritten != 1 {
		t.Fatalf("Compact: %+v, %v", st, err)
	}
	put("alice", 500)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return m
}

// file returns the file of a kind of segment.
func (m *museum) file(t *testing.T, kind string) string {
	t.Helper()
	pattern, last := "*.00000000.seg", false
	switch kind {
	case "rewritten":
		pattern = "*.00000001.seg"
	case "large":
		pattern = "*.one"
	case "last":
		last = true
	}
	names, _ := filepath.Glob(filepath.Join(m.dir, "blobs", pattern))
	slices.Sort(names)
	if len(names) == 0 || pattern == "*.00000000.seg" && len(names) < 2 {
		t.Fatalf("no segment is %s: %v", kind, names)
	}
	if last {
		return names[len(names)-1]
	}
	return names[0]
}

// in are the messages whose bodies lie in a segment file, in their order there.
func (m *museum) in(file string) (list []museumPiece) {
	for p, ref := range m.refs {
		if strings.HasPrefix(string(ref), "s"+filepath.Base(file)[:10]+".") {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b museumPiece) int { return strings.Compare(string(m.refs[a]), string(m.refs[b])) })
	return list
}

// place is the offset of the record of a message in a file of generation 0.
func (m *museum) place(p museumPiece) int {
	off, _ := strconv.ParseInt(string(m.refs[p])[12:22], 16, 64)
	return int(off)
}

func edit(t *testing.T, name string, change func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, change(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

func flip(off int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[off] ^= 0x10
		return b
	}
}

// TestDamagedSegment damages a segment file in each way: the store opens, the
// messages that are hit are named by their reader's error and by Verify, all
// others are whole, and mail goes on.
func TestDamagedSegment(t *testing.T) {
	if testing.Short() {
		t.Skip("store after store, one after the other")
	}
	const rewritten, large, full, last = "rewritten", "large", "full", "last"
	afterBody := func(b []byte) []byte { // flips in the table of a rewritten segment
		return flip(int(binary.LittleEndian.Uint64(b[40:])) + 3)(b)
	}
	for _, c := range []struct {
		name    string
		segment string
		change  func([]byte) []byte // nil: the file is deleted
		lost    []int               // of the messages in the segment; nil: all
		flip    int                 // an octet of the first one's record is flipped, no change
	}{
		{"body in a full segment", full, nil, []int{0}, 40 + 100},
		{"record header in a full segment", full, nil, []int{}, 9}, // a Ref is enough to find a body
		{"full segment cut within a record", full, func(b []byte) []byte { return b[:64+40+500] }, nil, 0},
		{"full segment cut between records", full, func(b []byte) []byte { return b[:64] }, nil, 0},
		{"full segment empty", full, func(b []byte) []byte { return nil }, nil, 0},
		{"full segment deleted", full, nil, nil, 0},
		{"file header of a full segment", full, flip(20), []int{}, 0},
		{"body in a rewritten segment", rewritten, flip(64 + 40 + 100), []int{0}, 0},
		{"table of a rewritten segment", rewritten, afterBody, nil, 0},
		{"file header of a rewritten segment", rewritten, flip(40), nil, 0},
		{"rewritten segment deleted", rewritten, nil, nil, 0},
		{"large body", large, flip(5000), nil, 0},
		{"large body cut", large, func(b []byte) []byte { return b[:4000] }, nil, 0},
		{"large body deleted", large, nil, nil, 0},
		{"body in the last segment", last, flip(64 + 40 + 20), []int{0}, 0},
		{"last segment deleted", last, nil, nil, 0},
		{"zeros in the place of the last segment", last, func(b []byte) []byte { clear(b); return b }, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMuseum(t)
			name := m.file(t, c.segment)
			pieces := m.in(name)
			if len(pieces) == 0 {
				t.Fatalf("nothing is in %s", name)
			}
			switch {
			case c.flip > 0:
				edit(t, name, flip(m.place(pieces[0])+c.flip))
			case c.change == nil:
				remove(t, name)
			default:
				edit(t, name, c.change)
			}
			lost := map[museumPiece]bool{}
			for i, p := range pieces {
				if c.lost == nil || slices.Contains(c.lost, i) {
					lost[p] = true
				}
			}
			s, err := openMuseum(t, m.dir)
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			m.check(t, s, lost)
		})
	}
}

// check reads everything, verifies, delivers, and looks again.
func (m *museum) check(t *testing.T, s *opened, lost map[museumPiece]bool) {
	t.Helper()
	for range 2 {
		for p, body := range m.bodies {
			got, err := m.read(t, s, p)
			var e *store.Error
			switch {
			case !lost[p] && (err != nil || got != body):
				t.Errorf("%v is whole, and reads %d octets, %v", p, len(got), err)
			case lost[p] && (!errors.Is(err, store.ErrCorrupt) || !errors.As(err, &e) || e.Account != p.account):
				t.Errorf("%v is lost, and reads %d octets, %v; want ErrCorrupt with the account", p, len(got), err)
			case lost[p] && !strings.Contains(err.Error(), "backup"):
				t.Errorf("%v does not say what to do", err)
			}
		}
		found := map[museumPiece]bool{}
		rep, err := s.engine.Verify(t.Context(), func(p *sqlstore.Problem) {
			found[museumPiece{p.Account, p.UID}] = true
			if !errors.Is(p, store.ErrCorrupt) || p.Mailbox != store.Inbox {
				t.Errorf("Verify reports %v", p)
			}
		})
		if err != nil || !maps.Equal(found, lost) || rep.Problems != int64(len(lost)) {
			t.Errorf("Verify finds %v, %v; want %v", found, err, lost)
		}
		w := &writer{s: s}
		if w.a, err = s.Open(t.Context(), "bob"); err != nil {
			t.Fatal(err)
		}
		box, err := store.MailboxByName(t.Context(), w.a, store.Inbox)
		if err != nil {
			t.Fatal(err)
		}
		w.inbox = box.ID
		w.deliver(t, body(2000), uint64(box.UIDNext)+1000)
		if _, err := s.engine.Blobs().Compact(t.Context()); err != nil && !errors.Is(err, blob.ErrCorrupt) {
			t.Errorf("Compact: %v", err)
		}
	}
}

func (m *museum) read(t *testing.T, s *opened, p museumPiece) (string, error) {
	t.Helper()
	a, err := s.Open(t.Context(), p.account)
	if err != nil {
		t.Fatal(err)
	}
	box, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Content(t.Context(), box.ID, p.uid)
	if err != nil {
		return "", err
	}
	defer c.Close()
	b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
	return string(b), err
}

// TestNewerSegment: a segment of a later version refuses the directory, and
// nothing is touched.
func TestNewerSegment(t *testing.T) {
	m := newMuseum(t)
	edit(t, m.file(t, "last"), func(b []byte) []byte { b[8]++; return b })
	if _, err := openMuseum(t, m.dir); !errors.Is(err, store.ErrVersion) {
		t.Fatalf("Open: %v, want ErrVersion", err)
	}
	edit(t, m.file(t, "last"), func(b []byte) []byte { b[8]--; return b })
	s, err := openMuseum(t, m.dir)
	if err != nil {
		t.Fatal(err)
	}
	m.check(t, s, nil)
}

// TestVerifyExpunged: damage to the body of a message that was expunged and is
// kept for 24 hours is reported too; a body that nobody refers to is counted.
func TestVerifyExpunged(t *testing.T) {
	m := newMuseum(t)
	s, err := openMuseum(t, m.dir)
	if err != nil {
		t.Fatal(err)
	}
	before, err := s.engine.Verify(t.Context(), func(p *sqlstore.Problem) { t.Error(p) })
	if err != nil || before.Files != nil {
		t.Fatal(before, err)
	}
	victim := m.in(m.file(t, "full"))[0]
	a, err := s.Open(t.Context(), victim.account)
	if err != nil {
		t.Fatal(err)
	}
	box, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{s: s, a: a, inbox: box.ID}
	w.op(t, body(300), 0) // nobody's
	w.apply(t, store.Expunge{Mailbox: box.ID, UIDs: store.UIDs(victim.uid)})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, m.file(t, "full"), flip(m.place(victim)+40+100))
	if s, err = openMuseum(t, m.dir); err != nil {
		t.Fatal(err)
	}
	var found []museumPiece
	rep, err := s.engine.Verify(context.Background(), func(p *sqlstore.Problem) { found = append(found, museumPiece{p.Account, p.UID}) })
	if err != nil || !slices.Equal(found, []museumPiece{victim}) || rep.Unreferenced != before.Unreferenced+1 || rep.Files == nil {
		t.Errorf("Verify finds %v, %+v, %v; want %v and a body more that nobody refers to", found, rep, err, victim)
	}
}
