package smtppolicy_test

import (
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
)

var _ smtppolicy.Resolver = (*net.Resolver)(nil)

func codes(answers string, weight int) []smtppolicy.Code {
	return []smtppolicy.Code{{Answers: netip.MustParsePrefix(answers), Weight: weight}}
}

func TestDNSBL(t *testing.T) {
	const rev6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2."
	tests := []struct {
		name, addr string
		lists      []smtppolicy.List
		a          map[string][]string
		fail       []string
		want       smtppolicy.Score
		code       int
	}{
		{name: "not listed", addr: "192.0.2.1", lists: []smtppolicy.List{{Zone: "bl.example"}}},
		{
			name: "listed", addr: "192.0.2.1", lists: []smtppolicy.List{{Zone: "bl.example."}},
			a:    map[string][]string{"1.2.0.192.bl.example.": {"127.0.0.2"}},
			want: smtppolicy.Score{Sum: 1, Zones: []string{"bl.example."}}, code: 550,
		},
		{
			name: "IPv6", addr: "2001:db8::1", lists: []smtppolicy.List{{Zone: "bl.example"}},
			a:    map[string][]string{rev6 + "bl.example.": {"127.0.0.2"}},
			want: smtppolicy.Score{Sum: 1, Zones: []string{"bl.example"}}, code: 550,
		},
		{
			name: "mapped IPv4", addr: "::ffff:192.0.2.1", lists: []smtppolicy.List{{Zone: "bl.example"}},
			a:    map[string][]string{"1.2.0.192.bl.example.": {"127.0.0.2"}},
			want: smtppolicy.Score{Sum: 1, Zones: []string{"bl.example"}}, code: 550,
		},
		{
			name: "weights add up, a good list redeems", addr: "192.0.2.1",
			lists: []smtppolicy.List{{Zone: "a.example", Weight: 3}, {Zone: "b.example"}, {Zone: "good.example", Weight: -4}},
			a: map[string][]string{
				"1.2.0.192.a.example.": {"127.0.0.2"}, "1.2.0.192.b.example.": {"127.0.0.4"}, "1.2.0.192.good.example.": {"127.0.0.2"},
			},
			want: smtppolicy.Score{Zones: []string{"a.example", "b.example", "good.example"}},
		},
		{
			name: "codes", addr: "192.0.2.1",
			lists: []smtppolicy.List{{Zone: "a.example", Codes: codes("127.0.0.10/31", 5)}, {Zone: "b.example", Codes: codes("127.0.0.10/31", 5)}},
			a:     map[string][]string{"1.2.0.192.a.example.": {"127.0.0.2", "127.0.0.11"}, "1.2.0.192.b.example.": {"127.0.0.2"}},
			want:  smtppolicy.Score{Sum: 5, Zones: []string{"a.example"}}, code: 550,
		},
		{
			name: "a list that refuses, and one that was given up", addr: "192.0.2.1",
			lists: []smtppolicy.List{{Zone: "a.example"}, {Zone: "b.example"}, {Zone: "c.example"}},
			a: map[string][]string{
				"1.2.0.192.a.example.": {"127.255.255.254"}, "1.2.0.192.b.example.": {"198.51.100.7"}, "1.2.0.192.c.example.": {"127.0.0.1"},
			},
			want: smtppolicy.Score{Failed: []string{"a.example", "b.example", "c.example"}},
		},
		{
			name: "a list that has everything", addr: "192.0.2.1", lists: []smtppolicy.List{{Zone: "a.example"}},
			a:    map[string][]string{"1.2.0.192.a.example.": {"127.0.0.2"}, "1.0.0.127.a.example.": {"127.0.0.2"}},
			want: smtppolicy.Score{Failed: []string{"a.example"}},
		},
		{
			name: "an allow list", addr: "192.0.2.1", lists: []smtppolicy.List{{Zone: "a.example", Weight: 9}, {Zone: "good.example", Allow: true}},
			a:    map[string][]string{"1.2.0.192.a.example.": {"127.0.0.2"}, "1.2.0.192.good.example.": {"127.0.0.2"}},
			want: smtppolicy.Score{Sum: 9, Zones: []string{"a.example", "good.example"}, Allowed: true},
		},
		{
			name: "a failure is no verdict", addr: "192.0.2.1",
			lists: []smtppolicy.List{{Zone: "a.example"}, {Zone: "b.example"}},
			a:     map[string][]string{"1.2.0.192.b.example.": {"127.0.0.2"}}, fail: []string{"1.2.0.192.a.example."},
			want: smtppolicy.Score{Sum: 1, Zones: []string{"b.example"}, Failed: []string{"a.example"}}, code: 550,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dns := &fakeDNS{a: test.a, fail: map[string]bool{}}
			for _, name := range test.fail {
				dns.fail[name] = true
			}
			bl := &smtppolicy.DNSBL{Lists: test.lists, Resolver: dns}
			if got := bl.Check(t.Context(), netip.MustParseAddr(test.addr)); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			if got := smtp.ReplyOf(bl.Connect(t.Context(), peerAt(test.addr))).Code; got != test.code {
				t.Errorf("Connect: %d, want %d", got, test.code)
			}
		})
	}
}

func TestDNSBLRefuse(t *testing.T) {
	dns := &fakeDNS{a: map[string][]string{"1.2.0.192.bl.example.": {"127.0.0.2"}}}
	bl := &smtppolicy.DNSBL{Lists: []smtppolicy.List{{Zone: "bl.example"}}, Resolver: dns}
	_, got := offer(t, bl.Refuse(), peerAt("192.0.2.1"), "a@b.example", "u@x.example", "Postmaster@x.example", "postmaster")
	if want := []int{550, 250, 250}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	user := peerAt("192.0.2.1")
	user.Identity = "u@x.example"
	if _, got := offer(t, bl.Refuse(), user, "a@b.example", "u@x.example"); got[0] != 250 {
		t.Errorf("an authenticated user: %v", got)
	}
	dns.asked = nil
	for _, addr := range []string{"10.1.2.3", "192.168.1.1", "fd00::1", "fe80::1", "127.0.0.1", "::1", "::ffff:10.0.0.1"} {
		if err := bl.Connect(t.Context(), peerAt(addr)); err != nil || len(dns.asked) > 0 {
			t.Errorf("%s: %v, asked %v", addr, err, dns.asked)
		}
	}
	bl = &smtppolicy.DNSBL{Lists: bl.Lists, Resolver: dns, Threshold: 2}
	p := peerAt("192.0.2.1")
	if _, got := offer(t, bl.Refuse(), p, "a@b.example", "u@x.example"); got[0] != 250 || !smtppolicy.IsSuspect(p) {
		t.Errorf("below the threshold: %v, suspect %v", got, smtppolicy.IsSuspect(p))
	}
}

// A resolver that hangs costs its timeout, and slots are given back; answers
// are kept, failures are not; who asks the same at once asks together.
func TestDNSBLTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const name = "1.2.0.192.bl.example."
		dns := &fakeDNS{a: map[string][]string{name: {"127.0.0.2"}}, block: true}
		bl := &smtppolicy.DNSBL{Lists: []smtppolicy.List{{Zone: "bl.example"}}, Resolver: dns, Lookups: 2}
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				if err := bl.Connect(t.Context(), peerAt(fmt.Sprintf("192.0.2.%d", i+1))); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if d := time.Since(start); d != 4*time.Second {
			t.Errorf("took %v", d)
		}
		if dns.most != 2 {
			t.Errorf("%d lookups at once", dns.most)
		}
		dns.block, dns.asked, dns.delay = false, nil, time.Second
		for range 10 {
			wg.Go(func() {
				if bl.Connect(t.Context(), peerAt("192.0.2.1")) == nil {
					t.Error("not refused")
				}
			})
		}
		wg.Wait()
		if dns.asked[name] != 1 {
			t.Errorf("asked %d times", dns.asked[name])
		}
		time.Sleep(10 * time.Minute)
		bl.Connect(t.Context(), peerAt("192.0.2.1"))
		if dns.asked[name] != 2 {
			t.Errorf("asked %d times after the answer's time", dns.asked[name])
		}
	})
}

func TestFCrDNS(t *testing.T) {
	dns := &fakeDNS{
		ptr: map[string][]string{
			"192.0.2.1": {"other.example.", "mail.example."}, "192.0.2.2": {"forged.example."}, "192.0.2.4": {"down.example."},
			"192.0.2.5": {"down.example.", "mail.example."}, "192.0.2.6": {"bad name) by x.example.", "[192.0.2.6]."}, "2001:db8::1": {"six.example."},
		},
		a: map[string][]string{
			"mail.example.": {"192.0.2.1", "192.0.2.5"}, "forged.example.": {"192.0.2.9"}, "six.example.": {"2001:db8::1"},
		},
		fail: map[string]bool{"192.0.2.3": true, "down.example.": true},
	}
	tests := []struct {
		addr, name string
		claimed    bool
		failed     bool
		code       int // where a name is required
	}{
		{addr: "192.0.2.1", name: "mail.example", claimed: true},
		{addr: "192.0.2.2", claimed: true, code: 550},
		{addr: "192.0.2.3", failed: true},
		{addr: "192.0.2.4", claimed: true, failed: true},
		{addr: "192.0.2.5", name: "mail.example", claimed: true},
		{addr: "192.0.2.6", claimed: true, code: 550},
		{addr: "192.0.2.7", code: 550},
		{addr: "2001:db8::1", name: "six.example", claimed: true},
		{addr: "127.0.0.1", code: 0},
	}
	for _, test := range tests {
		f := &smtppolicy.FCrDNS{Resolver: dns}
		p := peerAt(test.addr)
		if err := f.Connect(t.Context(), p); err != nil || p.Name != test.name {
			t.Errorf("%s: name %q, %v", test.addr, p.Name, err)
		}
		if test.addr != "127.0.0.1" {
			h, err := f.Lookup(t.Context(), netip.MustParseAddr(test.addr))
			if h.Name != test.name || h.Claimed != test.claimed || (err != nil) != test.failed {
				t.Errorf("%s: %+v, %v", test.addr, h, err)
			}
		}
		f = &smtppolicy.FCrDNS{Resolver: dns, Require: true}
		if got := smtp.ReplyOf(f.Connect(t.Context(), peerAt(test.addr))).Code; got != test.code {
			t.Errorf("%s: %d, want %d", test.addr, got, test.code)
		}
	}
}

func TestFCrDNSMaxNames(t *testing.T) {
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("h%d.example.", i)
	}
	dns := &fakeDNS{ptr: map[string][]string{"192.0.2.1": names}}
	f := &smtppolicy.FCrDNS{Resolver: dns}
	f.Lookup(t.Context(), netip.MustParseAddr("192.0.2.1"))
	if len(dns.asked) != 11 {
		t.Errorf("%d lookups", len(dns.asked))
	}
}

func TestDNSBLMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("200,000 addresses; not run with -short")
	}
	bl := &smtppolicy.DNSBL{Lists: []smtppolicy.List{{Zone: "bl.example"}}, Resolver: &fakeDNSNone{}, MaxEntries: 4096}
	names := &smtppolicy.FCrDNS{Resolver: &fakeDNSNone{}, MaxEntries: 4096}
	before := heap()
	for i := range uint32(200_000) {
		p := &smtp.Peer{Addr: netip.AddrPortFrom(addr4(i), 25)}
		if bl.Connect(t.Context(), p) != nil {
			t.Fatal("refused")
		}
		if i%16 == 0 {
			names.Connect(t.Context(), p)
		}
	}
	if grown := heap() - before; grown > 2*4096*600 {
		t.Errorf("%d octets for 4096 answers", grown)
	}
}
