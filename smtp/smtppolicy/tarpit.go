package smtppolicy

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

type suspectKey struct{}

// Suspect marks a peer that a policy finds suspicious, for a Tarpit.
func Suspect(p *smtp.Peer) { p.SetValue(suspectKey{}, true) }

// IsSuspect reports whether Suspect was called for the connection of p.
func IsSuspect(p *smtp.Peer) bool { return p.Value(suspectKey{}) != nil }

// Tarpit answers slowly: suspects (see Suspect), and who has named several
// recipients that were refused. That costs a spammer time and hosts that
// wait nothing. A session that waits holds its goroutine and a small buffer,
// no other resource, and only a few may wait at once.
//
//	t := &smtppolicy.Tarpit{}
//	cfg.Pause, cfg.Closed = t.Pause, t.Closed
//	cfg.Receiver = smtp.Chain(receiver, t.Count())
//
// The zero value uses the defaults. Fields are set before the first use. Any
// number of goroutines may call the methods.
type Tarpit struct {
	// Delay stands before each command. Zero = 5 s.
	Delay time.Duration

	// Most is what all delays of a session come to. Zero = 5 min.
	Most time.Duration

	// Sessions are held at once; further ones are not delayed. Zero = 100.
	Sessions int

	// Refused is how many recipients of a session may be refused for good
	// before it is delayed. Zero = 3, negative = any number.
	Refused int

	// Exempt are not delayed, as loopback is not. Who is authenticated is not
	// either.
	Exempt []netip.Prefix

	mu   sync.Mutex // guards what follows, and every tarpitted
	held int
}

// tarpitted is what a Tarpit knows of a session.
type tarpitted struct {
	held    bool
	spent   time.Duration
	refused int
}

type tarpitKey struct{ t *Tarpit }

// Held is how many sessions are delayed now.
func (t *Tarpit) Held() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.held
}

// Pause is for the hook Pause.
func (t *Tarpit) Pause(p *smtp.Peer, verb string) time.Duration {
	s, _ := p.Value(tarpitKey{t}).(*tarpitted)
	if s == nil && !IsSuspect(p) || verb == "" || verb == "QUIT" || p.Identity != "" || exempt(t.Exempt, p) {
		return 0
	}
	if s == nil {
		s = t.session(p)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	allowed := or(t.Refused, 3)
	switch {
	case !IsSuspect(p) && (allowed < 0 || s.refused <= allowed):
		return 0
	case s.spent >= or(t.Most, 5*time.Minute):
		return 0
	case !s.held && t.held >= or(t.Sessions, 100):
		return 0
	case !s.held:
		s.held = true
		t.held++
	}
	s.spent += or(t.Delay, 5*time.Second)
	return or(t.Delay, 5*time.Second)
}

// session makes the state of a session. Only its own goroutine does.
func (t *Tarpit) session(p *smtp.Peer) *tarpitted {
	s, _ := p.Value(tarpitKey{t}).(*tarpitted)
	if s == nil {
		s = &tarpitted{}
		p.SetValue(tarpitKey{t}, s)
	}
	return s
}

// Closed is for the hook Closed.
func (t *Tarpit) Closed(p *smtp.Peer) {
	s, _ := p.Value(tarpitKey{t}).(*tarpitted)
	if s == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.held {
		s.held = false
		t.held--
	}
}

// Count returns the middleware that counts refused recipients. It is the first
// of a chain, so that it sees what the others say.
func (t *Tarpit) Count() smtp.Middleware {
	return func(next smtp.Receiver) smtp.Receiver { return &rcptCounter{t, next} }
}

type rcptCounter struct {
	t    *Tarpit
	next smtp.Receiver
}

func (c *rcptCounter) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	tx, err := c.next.Begin(ctx, m)
	if err != nil || m.Peer == nil {
		return tx, err
	}
	return &countedTransaction{tx, c.t, m.Peer}, nil
}

type countedTransaction struct {
	smtp.Transaction
	t    *Tarpit
	peer *smtp.Peer
}

func (c *countedTransaction) Rcpt(ctx context.Context, rs []*smtp.Recipient) []error {
	errs := c.Transaction.Rcpt(ctx, rs)
	refused := 0
	for _, err := range errs {
		if smtp.IsPermanent(err) {
			refused++
		}
	}
	if refused > 0 {
		s := c.t.session(c.peer)
		c.t.mu.Lock()
		s.refused += refused
		c.t.mu.Unlock()
	}
	return errs
}
