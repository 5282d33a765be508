package smtppolicy

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// Greylist defers the first message between a client, a sender and a recipient
// with 450 4.7.1 (RFC 6647): a mail server tries again, a program that only
// sends does not. Clients from which several such triplets have passed are not
// asked again.
//
//	g := &smtppolicy.Greylist{Store: &smtppolicy.MemoryGreyStore{}}
//	cfg.Receiver = smtp.Chain(receiver, deliver.Gate(directory, nil), g.Defer())
//
// It stands behind what refuses recipients for good, so that it need not
// remember them. When the store does not answer, mail passes. The fields are set
// before the first use. Any number of goroutines may call the methods.
type Greylist struct {
	// Store remembers. Required.
	Store GreyStore

	// Delay is how long after the first attempt mail is deferred. Zero = 5 min.
	Delay time.Duration

	// Window is how long a first attempt counts: who tries again later begins
	// anew. Zero = 2 days.
	Window time.Duration

	// Keep is how long what has passed is remembered without further mail.
	// Zero = 35 days.
	Keep time.Duration

	// AutoAllow is how many transactions of a client have to pass before it is
	// not asked again. Zero = 5, negative = never.
	AutoAllow int

	// IPv4 and IPv6 are the lengths of the prefix that is one client: large
	// senders try again from another address of theirs. Zero = 24 and 64.
	IPv4, IPv6 int

	// Client names the client, in place of the prefix: the domain for which
	// SPF says pass, for instance. "" = the prefix. nil = always.
	Client func(ctx context.Context, m *smtp.Mail) string

	// Exempt are never deferred, as loopback is not. Who is authenticated is
	// not either.
	Exempt []netip.Prefix

	// Logger gets the failures of Store; nil = slog.Default().
	Logger *slog.Logger
}

// GreyKey is the hash of what a GreyStore remembers. It does not lead back to
// an address.
type GreyKey [16]byte

// GreyEntry is what a GreyStore knows of a key. The zero value: nothing.
type GreyEntry struct {
	First   time.Time // the first attempt; seconds
	Passed  int       // how often it passed
	Expires time.Time // when it is forgotten; seconds
}

// GreyStore remembers attempts. Any number of goroutines may call it. An entry
// that expires at or before now is as good as none. What is lost in a crash
// costs a delay, no mail.
type GreyStore interface {
	// Lookup returns the entry of a key.
	Lookup(ctx context.Context, key GreyKey, now time.Time) (GreyEntry, error)

	// Attempt returns the entry of each key, in order. Where there is none it
	// makes one with First = now that expires at until. Of two who do that at
	// once, one makes it and both see it.
	Attempt(ctx context.Context, keys []GreyKey, now, until time.Time) ([]GreyEntry, error)

	// Pass adds one to Passed of each key, made where there is none, and lets
	// it expire at until.
	Pass(ctx context.Context, keys []GreyKey, now, until time.Time) error
}

// Defer returns the middleware.
func (g *Greylist) Defer() smtp.Middleware {
	return smtp.JudgeRcpt(func(ctx context.Context, m *smtp.Mail, rs []*smtp.Recipient) []error {
		errs := make([]error, len(rs))
		if m.Peer == nil || m.Peer.Identity != "" || exempt(g.Exempt, m.Peer) {
			return errs
		}
		if err := g.judge(ctx, m, rs, errs); err != nil {
			or(g.Logger, slog.Default()).LogAttrs(ctx, slog.LevelWarn, "smtppolicy: greylist store", slog.Any("error", err))
			clear(errs)
		}
		return errs
	})
}

// judge sets the errors of those who have to wait. An error is the store's.
func (g *Greylist) judge(ctx context.Context, m *smtp.Mail, rs []*smtp.Recipient, errs []error) error {
	now := time.Now().Truncate(time.Second)
	until := now.Add(or(g.Keep, 35*24*time.Hour))
	name := g.client(ctx, m)
	client := greyKey(name)
	if allow := or(g.AutoAllow, 5); allow > 0 {
		e, err := g.Store.Lookup(ctx, client, now)
		if err != nil {
			return err
		}
		if e.Passed >= allow {
			return g.pass(ctx, []GreyKey{client}, []GreyEntry{e}, now, until)
		}
	}
	keys := make([]GreyKey, len(rs))
	for i, r := range rs {
		keys[i] = greyKey(name, greySender(m.ReversePath.Path), strings.ToLower(r.ForwardPath.String()))
	}
	entries, err := g.Store.Attempt(ctx, keys, now, now.Add(or(g.Window, 48*time.Hour)))
	if err != nil {
		return err
	}
	if len(entries) != len(keys) {
		return smtp.ErrStatusCount
	}
	passed, passedEntries := keys[:0], entries[:0]
	first := false
	for i, e := range entries {
		if wait := or(g.Delay, 5*time.Minute) - now.Sub(e.First); e.Passed == 0 && wait > 0 {
			errs[i] = smtp.Errorf(450, smtp.EnhancedCode{Class: 4, Subject: 7, Detail: 1},
				"Greylisted, please try again in %d seconds", int(wait/time.Second))
			continue
		}
		first = first || e.Passed == 0
		passed, passedEntries = append(passed, keys[i]), append(passedEntries, e)
	}
	if first {
		passed, passedEntries = append(passed, client), append(passedEntries, GreyEntry{})
	}
	return g.pass(ctx, passed, passedEntries, now, until)
}

// pass notes what passed, where that is news: for the first time, or when half
// of its time is over.
func (g *Greylist) pass(ctx context.Context, keys []GreyKey, entries []GreyEntry, now, until time.Time) error {
	news := make([]GreyKey, 0, len(keys))
	for i, e := range entries {
		if e.Passed == 0 || e.Expires.Sub(now) < until.Sub(now)/2 {
			news = append(news, keys[i])
		}
	}
	if len(news) == 0 {
		return nil
	}
	return g.Store.Pass(ctx, news, now, until)
}

func (g *Greylist) client(ctx context.Context, m *smtp.Mail) string {
	if g.Client != nil {
		if name := g.Client(ctx, m); name != "" {
			return name
		}
	}
	return network(address(m.Peer), or(g.IPv4, 24), or(g.IPv6, 64)).String()
}

// greyKey is the hash of the parts, of which none can reach into the next.
func greyKey(parts ...string) (k GreyKey) {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	copy(k[:], sum[:])
	return k
}

// greySender is a reverse-path without what mailing lists change in it from
// message to message: numbers, and what stands behind a "+".
func greySender(p smtp.Path) string {
	local, _, _ := strings.Cut(strings.ToLower(p.Local), "+")
	var b strings.Builder
	for i := range len(local) {
		switch c := local[i]; {
		case c < '0' || c > '9':
			b.WriteByte(c)
		case i == 0 || local[i-1] < '0' || local[i-1] > '9':
			b.WriteByte('#')
		}
	}
	return b.String() + "@" + strings.ToLower(p.Domain)
}
