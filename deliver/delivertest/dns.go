package delivertest

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
)

// DNS is a dnsx.Resolver over names that a test sets. A name that was not set
// does not exist. Records replace earlier ones of their type; they may change
// while the DNS is asked.
type DNS struct {
	mu    sync.Mutex // guards what follows
	names map[string]*node
	asked map[question]int
}

var _ dnsx.Resolver = (*DNS)(nil)

type question struct {
	name string
	t    dnsx.Type
}

// node is what a name has.
type node struct {
	records map[dnsx.Type]dnsx.Answer
	alias   string // CNAME; "" = none
	secure  bool
	lie     Lie
}

// Lie is what is said of a name in place of the truth; nil and no error: the
// truth. It may block until ctx ends.
type Lie func(ctx context.Context, t dnsx.Type) (*dnsx.Answer, error)

// The TTL of all records.
const ttl = time.Minute

// maxLinks bounds a chain of CNAMEs, as dnsx does.
const maxLinks = 8

// canonical is a name in lower case without the dot at its end.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// set changes what a name has.
func (d *DNS) set(name string, f func(*node)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name = canonical(name)
	n := d.names[name]
	if n == nil {
		n = &node{records: make(map[dnsx.Type]dnsx.Answer)}
		d.names[name] = n
	}
	f(n)
}

// MX sets MX records, each "preference host"; the host "." is the null MX
// (RFC 7505). One that cannot be read panics: it is the test's.
func (d *DNS) MX(name string, records ...string) {
	var a dnsx.Answer
	for _, r := range records {
		pref, host, _ := strings.Cut(r, " ")
		p, err := strconv.ParseUint(pref, 10, 16)
		if err != nil {
			panic(fmt.Sprintf("delivertest: MX %q: %v", r, err))
		}
		a.MX = append(a.MX, dnsx.Exchange{Preference: uint16(p), Host: strings.TrimSuffix(host, ".")})
	}
	d.set(name, func(n *node) { n.records[dnsx.MX] = a })
}

// Addrs sets A and AAAA records.
func (d *DNS) Addrs(name string, addrs ...string) {
	var four, six []netip.Addr
	for _, text := range addrs {
		if a := netip.MustParseAddr(text); a.Is4() {
			four = append(four, a)
		} else {
			six = append(six, a)
		}
	}
	d.set(name, func(n *node) {
		n.records[dnsx.A], n.records[dnsx.AAAA] = dnsx.Answer{Addrs: four}, dnsx.Answer{Addrs: six}
	})
}

// TXT sets TXT records.
func (d *DNS) TXT(name string, texts ...string) {
	d.set(name, func(n *node) { n.records[dnsx.TXT] = dnsx.Answer{Texts: texts} })
}

// TLSA sets TLSA records (RFC 6698), of a name like _25._tcp.mx.example.net.
func (d *DNS) TLSA(name string, records ...dnsx.Association) {
	d.set(name, func(n *node) { n.records[dnsx.TLSA] = dnsx.Answer{TLSA: records} })
}

// CNAME makes a name an alias; "" = it is none any more.
func (d *DNS) CNAME(name, target string) {
	d.set(name, func(n *node) { n.alias = canonical(target) })
}

// Secure says that DNSSEC was validated for these names.
func (d *DNS) Secure(names ...string) {
	for _, name := range names {
		d.set(name, func(n *node) { n.secure = true })
	}
}

// Lie makes a name answer as lie says; nil = the truth again.
func (d *DNS) Lie(name string, lie Lie) { d.set(name, func(n *node) { n.lie = lie }) }

// Fails is a Lie: the error of this kind, such as dnsx.ErrServFail. Types names
// the questions; none = all.
func Fails(kind error, types ...dnsx.Type) Lie {
	return func(_ context.Context, t dnsx.Type) (*dnsx.Answer, error) {
		if !asks(types, t) {
			return nil, nil
		}
		return nil, &dnsx.Error{Type: t, Kind: kind}
	}
}

// Silent is a Lie: nobody answers, for as long as a stub resolver waits.
func Silent(wait time.Duration, types ...dnsx.Type) Lie {
	return func(ctx context.Context, t dnsx.Type) (*dnsx.Answer, error) {
		if !asks(types, t) {
			return nil, nil
		}
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		return nil, &dnsx.Error{Type: t, Kind: dnsx.ErrTimeout, Err: ctx.Err()}
	}
}

func asks(types []dnsx.Type, t dnsx.Type) bool {
	for _, want := range types {
		if want == t {
			return true
		}
	}
	return len(types) == 0
}

// Asked is how often a name was asked for.
func (d *DNS) Asked(name string, t dnsx.Type) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[question{canonical(name), t}]
}

// Lookup implements dnsx.Resolver.
func (d *DNS) Lookup(ctx context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	at := canonical(name)
	fail := func(kind error) error { return &dnsx.Error{Name: canonical(name), Type: t, Kind: kind, TTL: ttl} }
	d.mu.Lock()
	d.asked[question{at, t}]++
	d.mu.Unlock()
	if ctx.Err() != nil {
		return nil, fail(dnsx.ErrTimeout)
	}
	secure := true
	for range maxLinks + 1 {
		n, ok := d.find(at)
		if !ok {
			return nil, fail(dnsx.ErrNXDomain)
		}
		secure = secure && n.secure
		if n.lie != nil {
			if a, err := n.lie(ctx, t); a != nil || err != nil {
				return a, err
			}
		}
		if n.alias != "" && t != dnsx.CNAME {
			at = n.alias
			continue
		}
		a := n.records[t]
		if n.alias != "" {
			a.Names = []string{n.alias}
		}
		if len(a.Addrs)+len(a.Texts)+len(a.MX)+len(a.Names)+len(a.TLSA) == 0 {
			return nil, fail(dnsx.ErrNoData)
		}
		a.Name, a.TTL, a.Secure = at, ttl, secure
		return &a, nil
	}
	return nil, fail(dnsx.ErrServFail)
}

// find is a copy of what a name has.
func (d *DNS) find(name string) (node, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[name]
	if n == nil {
		return node{}, false
	}
	found := *n
	found.records = make(map[dnsx.Type]dnsx.Answer, len(n.records))
	for t, a := range n.records {
		found.records[t] = a
	}
	return found, true
}
