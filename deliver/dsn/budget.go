package dsn

import (
	"hash/maphash"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/queue"
)

// budget bounds the DSNs to those for whom nothing vouches, over an hour: for an
// address, a domain, a network that brings the messages, and in all. It takes
// the same memory whatever is forged, so there is no number of senders from which
// on it knows nobody else: keys that share a slot share what they get.
type budget struct {
	mu    sync.Mutex // guards what follows; a leaf
	began time.Time
	seed  maphash.Seed
	slots [3][budgetSlots]uint32
	used  [3]int // slots that are not zero
	total int
}

const budgetSlots = 1 << 13

// The kinds of slots.
const (
	byAddress = iota
	byDomain
	byNetwork
)

// The limits beside that of an address, as its multiples.
const (
	domainShare = 10  // of a domain, and of a network
	totalShare  = 100 // in all, before only a fair share of it is left for each network
)

// take counts a DSN, and reports whether it may be sent. What may not is not
// counted, so a flood that is held off does not grow.
func (b *budget) take(j *queue.Job, now time.Time, limit int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if since := now.Sub(b.began); b.began.IsZero() || since >= time.Hour || since < 0 {
		b.began, b.total = now, 0
		b.slots, b.used = [3][budgetSlots]uint32{}, [3]int{}
		b.seed = maphash.MakeSeed() // those that met by chance part
	}
	address := strings.ToLower(j.ReversePath.String())
	keys := [3]string{byAddress: address, byDomain: strings.ToLower(j.ReversePath.Domain), byNetwork: network(j.Peer.Addr)}
	limits := [3]int{byAddress: limit, byDomain: domainShare * limit, byNetwork: domainShare * limit}
	var at [3]int
	for kind, key := range keys {
		at[kind] = int(maphash.String(b.seed, key) % budgetSlots)
		if int(b.slots[kind][at[kind]]) >= limits[kind] {
			return false
		}
	}
	had := int(b.slots[byNetwork][at[byNetwork]])
	if all := totalShare * limit; b.total >= all && had >= max(1, all/max(1, b.used[byNetwork])) {
		return false
	}
	b.total++
	for kind, i := range at {
		if b.slots[kind][i]++; b.slots[kind][i] == 1 {
			b.used[kind]++
		}
	}
	return true
}

// network is the part of an address that one owner mostly has: what forges sender
// after sender cannot forge where it comes from.
func network(addr string) string {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return addr
	}
	bits := 24
	if a = a.Unmap(); a.Is6() {
		bits = 48
	}
	p, _ := a.WithZone("").Prefix(bits)
	return p.String()
}
