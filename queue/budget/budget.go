package budget

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/queue"
)

// Kind is the Kind of the entries of counts.
const Kind = "budget"

// Limits of one identity; zero = the default, negative = none.
type Limits struct {
	MessagesPerHour   int // zero = 300
	RecipientsPerHour int // zero = 1,000
	MessagesPerDay    int // zero = 2,000
	RecipientsPerDay  int // zero = 5,000
}

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		v   *int
		def int
	}{{&l.MessagesPerHour, 300}, {&l.RecipientsPerHour, 1000}, {&l.MessagesPerDay, 2000}, {&l.RecipientsPerDay, 5000}} {
		if *f.v == 0 {
			*f.v = f.def
		}
	}
	return l
}

// Used is what an identity has sent.
type Used struct {
	MessagesHour, RecipientsHour int64
	MessagesDay, RecipientsDay   int64
}

// Budget counts what identities send. The fields are set before the first use;
// Storage is required. Any number of goroutines may use it.
type Budget struct {
	Storage queue.Storage

	// Limits are those of an identity; nil, and a zero Limits, = the defaults.
	// It must not block.
	Limits func(identity string) Limits

	Every    time.Duration    // how old other nodes' counts may be; zero = 10 s
	MaxKnown int              // identities in memory; zero = 10,000
	Now      func() time.Time // nil = time.Now

	mu    sync.Mutex
	known map[string]*user
}

// user is what is known of one identity.
type user struct {
	mu     sync.Mutex
	slot   string           // of own in the keys of entries
	own    map[int64]counts // hour → what was admitted here since slot began
	others map[int64]counts // as they were read
	read   time.Time        // zero = never
	used   time.Time        // under Budget.mu
}

type counts struct{ messages, recipients int64 }

func (c counts) add(d counts) counts {
	return counts{c.messages + d.messages, c.recipients + d.recipients}
}

const hours = 24 // of the longest budget

func (b *Budget) now() time.Time {
	if b.Now != nil {
		return b.Now()
	}
	return time.Now()
}

// Admit counts a message, or holds its jobs.
func (b *Budget) Admit(ctx context.Context, jobs []queue.Job) error {
	if len(jobs) == 0 || jobs[0].Identity == "" {
		return nil
	}
	more := counts{messages: 1}
	for i := range jobs {
		if jobs[i].Kind != "" || jobs[i].Hold != "" {
			continue
		}
		more.recipients += int64(len(jobs[i].Recipients))
	}
	if more.recipients == 0 {
		return nil
	}
	identity, now := jobs[0].Identity, b.now()
	u := b.user(identity, now)
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := b.refreshLocked(ctx, u, identity, now); err != nil {
		return err
	}
	if over := b.over(identity, u.totalLocked(now), more); over != "" {
		for i := range jobs {
			if jobs[i].Hold == "" {
				jobs[i].Hold = over
			}
		}
		return nil
	}
	hour := hourOf(now)
	u.own[hour] = u.own[hour].add(more)
	jobs[0].Entries = append(jobs[0].Entries, entry(identity, u.slot, hour, more))
	return nil
}

// Used is what an identity has sent, with what other nodes have told.
func (b *Budget) Used(ctx context.Context, identity string) (Used, error) {
	now := b.now()
	u := b.user(identity, now)
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := b.refreshLocked(ctx, u, identity, now); err != nil {
		return Used{}, err
	}
	return u.totalLocked(now), nil
}

// over says which budget a message would exceed; "" = none.
func (b *Budget) over(identity string, used Used, more counts) string {
	var l Limits
	if b.Limits != nil {
		l = b.Limits(identity)
	}
	l = l.withDefaults()
	for _, c := range []struct {
		limit      int
		used, more int64
		what       string
	}{
		{l.MessagesPerHour, used.MessagesHour, more.messages, "messages an hour"},
		{l.RecipientsPerHour, used.RecipientsHour, more.recipients, "recipients an hour"},
		{l.MessagesPerDay, used.MessagesDay, more.messages, "messages a day"},
		{l.RecipientsPerDay, used.RecipientsDay, more.recipients, "recipients a day"},
	} {
		if c.limit >= 0 && c.used+c.more > int64(c.limit) {
			return fmt.Sprintf("budget: more than %d %s of %s", c.limit, c.what, identity)
		}
	}
	return ""
}

func hourOf(t time.Time) int64 { return t.Unix() / 3600 }

// totalLocked adds up the last hour and the last day.
func (u *user) totalLocked(now time.Time) (t Used) {
	last := hourOf(now)
	part := 1 - float64(now.Unix()%3600)/3600 // that the last 60 minutes have of the hour before
	of := func(h int64) counts { return u.own[h].add(u.others[h]) }
	share := func(h int64) counts {
		c := of(h)
		return counts{int64(part * float64(c.messages)), int64(part * float64(c.recipients))}
	}
	this := of(last)
	hour := this.add(share(last - 1))
	day := this.add(share(last - hours))
	for h := last - hours + 1; h < last; h++ {
		day = day.add(of(h))
	}
	return Used{hour.messages, hour.recipients, day.messages, day.recipients}
}

// user is that of an identity. Where there are too many, the one that was not
// needed for the longest of some is forgotten: what it sent is in the storage.
func (b *Budget) user(identity string, now time.Time) *user {
	b.mu.Lock()
	defer b.mu.Unlock()
	u := b.known[identity]
	if u == nil {
		if b.known == nil {
			b.known = make(map[string]*user)
		}
		limit := b.MaxKnown
		if limit <= 0 {
			limit = 10000
		}
		if len(b.known) >= limit {
			b.forgetLocked()
		}
		u = &user{slot: rand.Text()[:12], own: make(map[int64]counts)}
		b.known[identity] = u
	}
	u.used = now
	return u
}

// forgetLocked forgets the oldest of a few, as chance has them.
func (b *Budget) forgetLocked() {
	oldest, n := "", 0
	for id, u := range b.known {
		if oldest == "" || u.used.Before(b.known[oldest].used) {
			oldest = id
		}
		if n++; n == 16 {
			break
		}
	}
	delete(b.known, oldest)
}

// refreshLocked reads what others counted.
func (b *Budget) refreshLocked(ctx context.Context, u *user, identity string, now time.Time) error {
	every := b.Every
	if every <= 0 {
		every = 10 * time.Second
	}
	if since := now.Sub(u.read); !u.read.IsZero() && 0 <= since && since < every {
		return nil
	}
	others := make(map[int64]counts)
	prefix := prefixOf(identity)
	for e, err := range b.Storage.Entries(ctx, queue.EntryFilter{Kind: Kind, Prefix: prefix}) {
		if err != nil {
			return err
		}
		hour, slot, ok := parse(e.Key[len(prefix):])
		if ok && slot != u.slot {
			others[hour] = others[hour].add(counts{e.Count >> 32, e.Count & math.MaxUint32})
		}
	}
	for h := range u.own {
		if h < hourOf(now)-hours {
			delete(u.own, h)
		}
	}
	u.others, u.read = others, now
	return nil
}

// prefixOf begins the keys of an identity's counts.
func prefixOf(identity string) string {
	if len(identity) > 400 || strings.Contains(identity, "\x00") {
		sum := sha256.Sum256([]byte(identity))
		identity = "\x00" + hex.EncodeToString(sum[:])
	}
	return identity + "\x00"
}

// entry adds to the counts of an hour, messages above 32 bits of recipients. It
// stays for as long as it matters.
func entry(identity, slot string, hour int64, more counts) queue.Entry {
	return queue.Entry{
		Kind: Kind, Key: prefixOf(identity) + strconv.FormatInt(hour, 10) + "/" + slot,
		Count: more.messages<<32 + more.recipients, Expires: time.Unix((hour+hours+2)*3600, 0),
	}
}

// parse reads the rest of a key.
func parse(rest string) (hour int64, slot string, ok bool) {
	text, slot, ok := strings.Cut(rest, "/")
	hour, err := strconv.ParseInt(text, 10, 64)
	return hour, slot, ok && err == nil
}
