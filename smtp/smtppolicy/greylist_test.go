package smtppolicy_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/smtp/smtppolicy/greytest"
)

func TestMemoryGreyStore(t *testing.T) {
	greytest.Run(t, func(*testing.T) smtppolicy.GreyStore { return &smtppolicy.MemoryGreyStore{} })
}

// What one does after the other, and the replies to its recipients.
func TestGreylist(t *testing.T) {
	type step struct {
		after  time.Duration
		addr   string
		sender string
		to     []string
		want   []int
	}
	const ann, list = "ann@a.example", "list+x1234-7@l.example"
	one, two := []string{"u@x.example"}, []string{"u@x.example", "v@x.example"}
	tests := []struct {
		name  string
		grey  smtppolicy.Greylist
		steps []step
	}{
		{"deferred, then known", smtppolicy.Greylist{}, []step{
			{0, "192.0.2.1", ann, one, []int{450}},
			{time.Minute, "192.0.2.1", ann, one, []int{450}},
			{4*time.Minute - time.Second, "192.0.2.1", ann, one, []int{450}},
			{time.Second, "192.0.2.99", ann, []string{"U@X.example"}, []int{250}}, // another address of the same farm
			{34 * 24 * time.Hour, "192.0.2.1", ann, one, []int{250}},
			{34 * 24 * time.Hour, "192.0.2.1", ann, one, []int{250}}, // prolonged by the one before
			{36 * 24 * time.Hour, "192.0.2.1", ann, one, []int{450}},
		}},
		{"too late is too late", smtppolicy.Greylist{}, []step{
			{0, "192.0.2.1", ann, one, []int{450}},
			{48 * time.Hour, "192.0.2.1", ann, one, []int{450}},
			{5 * time.Minute, "192.0.2.1", ann, one, []int{250}},
		}},
		{"each recipient for itself", smtppolicy.Greylist{}, []step{
			{0, "192.0.2.1", ann, one, []int{450}},
			{5 * time.Minute, "192.0.2.1", ann, two, []int{250, 450}},
		}},
		{"mailing lists count their messages", smtppolicy.Greylist{}, []step{
			{0, "192.0.2.1", list, one, []int{450}},
			{5 * time.Minute, "192.0.2.1", "list+y99-1@L.example", one, []int{250}},
		}},
		{"a client is allowed", smtppolicy.Greylist{AutoAllow: 2}, []step{
			{0, "192.0.2.1", "1a@a.example", one, []int{450}},
			{0, "192.0.2.1", "b@a.example", one, []int{450}},
			{0, "192.0.2.1", "c@a.example", one, []int{450}},
			{5 * time.Minute, "192.0.2.1", "1a@a.example", one, []int{250}},
			{0, "192.0.2.1", "1a@a.example", one, []int{250}}, // known: no news of the client
			{0, "192.0.2.1", "d@a.example", one, []int{450}},
			{0, "192.0.2.1", "b@a.example", one, []int{250}},
			{0, "192.0.2.1", "d@a.example", two, []int{250, 250}},
			{0, "198.51.100.1", "d@a.example", one, []int{450}},
		}},
		{"never allowed", smtppolicy.Greylist{AutoAllow: -1}, []step{
			{0, "192.0.2.1", "a@a.example", one, []int{450}},
			{5 * time.Minute, "192.0.2.1", "a@a.example", one, []int{250}},
			{0, "192.0.2.1", "b@a.example", one, []int{450}},
		}},
		{"by domain", smtppolicy.Greylist{Client: func(_ context.Context, m *smtp.Mail) string { return m.ReversePath.Domain }}, []step{
			{0, "192.0.2.1", ann, one, []int{450}},
			{5 * time.Minute, "198.51.100.1", ann, one, []int{250}},
		}},
		{"exempt", smtppolicy.Greylist{Exempt: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, []step{
			{0, "192.0.2.1", ann, one, []int{250}},
			{0, "127.0.0.1", ann, one, []int{250}},
			{0, "198.51.100.1", ann, one, []int{450}},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := test.grey
				g.Store = &smtppolicy.MemoryGreyStore{}
				for i, s := range test.steps {
					time.Sleep(s.after)
					if _, got := offer(t, g.Defer(), peerAt(s.addr), s.sender, s.to...); !slices.Equal(got, s.want) {
						t.Errorf("step %d: %v, want %v", i, got, s.want)
					}
				}
			})
		})
	}
}

type brokenStore struct{ smtppolicy.GreyStore }

func (brokenStore) Lookup(context.Context, smtppolicy.GreyKey, time.Time) (smtppolicy.GreyEntry, error) {
	return smtppolicy.GreyEntry{}, errors.New("no database")
}

type passFails struct{ smtppolicy.GreyStore }

func (passFails) Pass(context.Context, []smtppolicy.GreyKey, time.Time, time.Time) error {
	return errors.New("no database")
}

// A store that fails lets mail pass.
func TestGreylistFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		half := &smtppolicy.Greylist{Store: passFails{&smtppolicy.MemoryGreyStore{}}}
		offer(t, half.Defer(), peerAt("192.0.2.1"), "a@b.example", "u@x.example")
		time.Sleep(5 * time.Minute)
		if _, got := offer(t, half.Defer(), peerAt("192.0.2.1"), "a@b.example", "u@x.example", "new@x.example"); !slices.Equal(got, []int{250, 250}) {
			t.Error(got)
		}
	})
	g := &smtppolicy.Greylist{Store: brokenStore{}}
	if _, got := offer(t, g.Defer(), peerAt("192.0.2.1"), "a@b.example", "u@x.example"); got[0] != 250 {
		t.Error(got)
	}
}

// A million triplets take no more memory than the limit says, and displace
// nothing that has passed.
func TestGreylistMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("a million addresses; not run with -short")
	}
	store := &smtppolicy.MemoryGreyStore{MaxEntries: 4096}
	now := time.Now()
	known := smtppolicy.GreyKey{1}
	store.Pass(t.Context(), []smtppolicy.GreyKey{known}, now, now.Add(time.Hour))
	g := (&smtppolicy.Greylist{Store: store}).Defer()(accept())
	before := heap()
	p := peerAt("192.0.2.1")
	for i := range uint32(1_000_000) {
		p.Addr = netip.AddrPortFrom(addr4(i), 25)
		m := &smtp.Mail{ID: "id", Peer: p, ReversePath: smtp.ReversePath{Path: smtp.Path{Local: "u" + strconv.Itoa(int(i)), Domain: "b.example"}}}
		tx, _ := g.Begin(t.Context(), m)
		if tx.Rcpt(t.Context(), []*smtp.Recipient{{}})[0] == nil {
			t.Fatal("not deferred")
		}
	}
	if grown := heap() - before; grown > 4096*400 {
		t.Errorf("%d octets for 4096 entries", grown)
	}
	if e, _ := store.Lookup(t.Context(), known, now); e.Passed != 1 {
		t.Error("what has passed was displaced")
	}
}

func BenchmarkGreylist(b *testing.B) {
	g := (&smtppolicy.Greylist{Store: &smtppolicy.MemoryGreyStore{}}).Defer()(accept())
	p := peerAt("192.0.2.1")
	rs := []*smtp.Recipient{{ForwardPath: smtp.ForwardPath{Path: smtp.Path{Local: "u", Domain: "x.example"}}}}
	m := &smtp.Mail{ID: "id", Peer: p, ReversePath: smtp.ReversePath{Path: smtp.Path{Local: "u", Domain: "b.example"}}}
	b.ReportAllocs()
	for i := range b.N {
		p.Addr = netip.AddrPortFrom(addr4(uint32(i)), 25)
		tx, _ := g.Begin(b.Context(), m)
		tx.Rcpt(b.Context(), rs)
	}
}
