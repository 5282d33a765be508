package mirror_test

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapclient/mirror"
	"github.com/mailstead/mailstead/store"
)

// rungs are the ways down the ladder: by what the server offers, and by what the
// client wants.
var rungs = map[string]struct {
	hide    []imap.Capability
	highest mirror.Rung
	want    mirror.Rung
}{
	"QRESYNC":                 {nil, mirror.QResync, mirror.QResync},
	"CONDSTORE is offered":    {[]imap.Capability{imap.CapQResync}, mirror.QResync, mirror.CondStore},
	"CONDSTORE is wanted":     {nil, mirror.CondStore, mirror.CondStore},
	"nothing is offered":      {[]imap.Capability{imap.CapQResync, imap.CapCondStore, imap.CapESearch, imap.CapIMAP4rev2}, mirror.QResync, mirror.Difference},
	"difference is wanted":    {nil, mirror.Difference, mirror.Difference},
	"QRESYNC without ESEARCH": {[]imap.Capability{imap.CapESearch, imap.CapIMAP4rev2}, mirror.QResync, mirror.QResync},
}

// TestModel: whatever another session does to a mailbox, the picture equals the
// store behind each Sync, on every rung; across connections, too, and when
// the state was saved meanwhile.
func TestModel(t *testing.T) {
	seeds := 12
	if testing.Short() {
		seeds = 3
	}
	for name, r := range rungs {
		for seed := range seeds {
			t.Run(name+"/"+strconv.Itoa(seed), func(t *testing.T) {
				t.Parallel()
				rnd := rand.New(rand.NewPCG(uint64(seed), 7))
				st, addr := ours(t, r.hide...)
				other, c := dial(t, nil, addr), dial(t, nil, addr)
				if _, err := other.Create(t.Context(), "other"); err != nil {
					t.Fatal(err)
				}
				if _, err := other.Select(t.Context(), "INBOX", imapclient.SelectOptions{}); err != nil {
					t.Fatal(err)
				}
				picture, heard := &mirror.State{}, &told{t: t, flags: map[imap.UID]mirror.Flags{}}
				for range 40 {
					for range rnd.IntN(4) {
						change(t, rnd, other)
					}
					if rnd.IntN(5) == 0 {
						c.Close()
						c, picture = dial(t, nil, addr), again(t, picture)
					}
					res, err := mirror.Sync(t.Context(), c, "INBOX", picture, mirror.Options{Highest: r.highest, Changed: heard.hear, Batch: 1 + rnd.IntN(5)})
					if err != nil {
						t.Fatal(err)
					}
					if res.Rung != r.want {
						t.Fatalf("rung %v, want %v", res.Rung, r.want)
					}
					heard.equal(picture, holds(t, st, "INBOX"))
				}
			})
		}
	}
}

// again is the state as it is read from where it was saved.
func again(t *testing.T, st *mirror.State) *mirror.State {
	t.Helper()
	data, err := st.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	read := &mirror.State{}
	if err := read.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	return read
}

// change does something to the mailbox that c has selected.
func change(t *testing.T, rnd *rand.Rand, c *imapclient.Client) {
	t.Helper()
	ctx := t.Context()
	some := func() (uids imap.UIDSet) {
		first := imap.UID(1 + rnd.IntN(40))
		uids.AddRange(first, first+imap.UID(rnd.IntN(4)))
		return uids
	}
	var err error
	switch rnd.IntN(8) {
	case 0, 1, 2:
		m := letter()
		m.Flags = imap.Flags(rnd.IntN(32)) & store.AllFlags
		_, err = c.Append(ctx, "INBOX", m)
	case 3, 4, 5:
		_, err = c.Store(ctx, some(), imap.StoreOptions{
			Mode: imap.StoreMode(rnd.IntN(3)), Flags: []imap.Flags{store.Seen, store.Deleted, store.Flagged}[rnd.IntN(3)],
			Keywords: [][]string{nil, {"kw1"}, {"$Forwarded", "kw2"}}[rnd.IntN(3)], Silent: rnd.IntN(2) == 0,
		})
	case 6:
		err = c.Expunge(ctx)
	case 7:
		_, err = c.Move(ctx, some(), "other")
	}
	if err != nil {
		t.Fatal(err)
	}
}
