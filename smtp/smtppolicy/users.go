package smtppolicy

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// Users bounds what each authenticated account submits, so that a stolen
// password sends little before somebody notices. Who is not authenticated is not
// judged: see Throttle.
//
// The zero value uses the defaults. Fields are set before the first use. Any
// number of goroutines may call the methods. What was used lies in memory, and a
// restart forgets it.
type Users struct {
	// Messages and Recipients are the rates, all of which hold. nil = 500
	// messages an hour and 2,000 a day; 2,000 recipients an hour and 10,000 a
	// day. Empty, but not nil = no limit.
	Messages, Recipients []Rate

	// Exempt reports mail that is neither judged nor counted; nil = none.
	Exempt func(*smtp.Mail) bool

	// MaxUsers bounds the memory: accounts remembered, 300 octets each. Beyond
	// it the one that was idle for longest is forgotten. Zero = 65536.
	MaxUsers int

	mu    sync.Mutex // guards what follows
	start time.Time
	table *lru[string, budget]
}

// budget is what one account has used of each rate; see usage.
type budget struct {
	messages, recipients []time.Duration
}

var errBudget = errors.New("smtppolicy: limit of this account")

func (u *Users) messages() []Rate {
	if u.Messages != nil {
		return u.Messages
	}
	return []Rate{{N: 500, Per: time.Hour}, {N: 2000, Per: 24 * time.Hour}}
}

func (u *Users) recipients() []Rate {
	if u.Recipients != nil {
		return u.Recipients
	}
	return []Rate{{N: 2000, Per: time.Hour}, {N: 10_000, Per: 24 * time.Hour}}
}

// Limit returns a middleware that refuses messages and recipients beyond the
// rates: MAIL with 450 4.7.1, RCPT with 452 4.7.1. A recipient is counted when
// the next receiver has accepted it, a message when it has a recipient, and both
// stay counted when the message is refused later.
func (u *Users) Limit() smtp.Middleware {
	return func(next smtp.Receiver) smtp.Receiver { return &userLimit{u, next} }
}

type userLimit struct {
	u    *Users
	next smtp.Receiver
}

func (l *userLimit) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	account, judged := l.u.account(m)
	if !judged {
		return l.next.Begin(ctx, m)
	}
	if n, _ := l.u.left(account); n == 0 {
		return nil, refusal(450, smtp.EnhancedCode{Class: 4, Subject: 7, Detail: 1}, "You have sent too many messages, try again later", errBudget)
	}
	tx, err := l.next.Begin(ctx, m)
	if err != nil {
		return nil, err
	}
	return &userTransaction{Transaction: tx, u: l.u, account: account}, nil
}

type userTransaction struct {
	smtp.Transaction
	u       *Users
	account string
	counted bool // the message
}

// Rcpt passes on as many as there is room for.
func (t *userTransaction) Rcpt(ctx context.Context, rs []*smtp.Recipient) []error {
	_, room := t.u.left(t.account)
	n := min(room, len(rs))
	var errs []error
	if n > 0 {
		errs = t.Transaction.Rcpt(ctx, rs[:n])
	}
	accepted := 0
	for _, err := range errs {
		if err == nil {
			accepted++
		}
	}
	if accepted > 0 {
		messages := 1
		if t.counted {
			messages = 0
		}
		t.counted = true
		t.u.charge(t.account, messages, accepted)
	}
	for range rs[n:] {
		errs = append(errs, refusal(452, smtp.EnhancedCode{Class: 4, Subject: 7, Detail: 1}, "You have sent to too many recipients, try again later", errBudget))
	}
	return errs
}

// Take counts a message with its recipients, whatever is left, and reports
// whether it was within the rates. It is for those who hold what is beyond in
// place of refusing it.
func (u *Users) Take(m *smtp.Mail, recipients int) bool {
	account, judged := u.account(m)
	if !judged {
		return true
	}
	messages, rcpts := u.left(account)
	u.charge(account, 1, recipients)
	return messages > 0 && rcpts >= recipients
}

// account is who a message is counted for.
func (u *Users) account(m *smtp.Mail) (string, bool) {
	if m.Peer == nil || m.Peer.Identity == "" || u.Exempt != nil && u.Exempt(m) {
		return "", false
	}
	return m.Peer.Identity, true
}

// left is how many messages and recipients an account has room for.
func (u *Users) left(account string) (messages, recipients int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	b, now := u.budget(account), time.Since(u.start)
	return room(u.messages(), b.messages, now), room(u.recipients(), b.recipients, now)
}

func room(rates []Rate, full []time.Duration, now time.Duration) int {
	n := 1 << 30
	for i, r := range rates {
		if r.N > 0 {
			n = min(n, r.room(full[i], now))
		}
	}
	return n
}

func (u *Users) charge(account string, messages, recipients int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	b, now := u.budget(account), time.Since(u.start)
	charge(u.messages(), b.messages, now, messages)
	charge(u.recipients(), b.recipients, now, recipients)
}

// charge counts n events, but no more than a whole period ahead.
func charge(rates []Rate, full []time.Duration, now time.Duration, n int) {
	for i, r := range rates {
		if r.N > 0 {
			full[i] = min(r.charge(full[i], now, n), now+r.per())
		}
	}
}

// budget is that of an account. The caller holds mu.
func (u *Users) budget(account string) *budget {
	if u.table == nil {
		u.start = time.Now()
		u.table = newLRU[string, budget](or(u.MaxUsers, 1<<16))
	}
	b := u.table.add(account)
	if b.messages == nil {
		b.messages = make([]time.Duration, len(u.messages())+1)
		b.recipients = make([]time.Duration, len(u.recipients())+1)
	}
	return b
}
