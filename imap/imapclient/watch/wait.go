package watch

import (
	"context"
	"net"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapclient/quirk"
)

// leastIdle is how short a learnt IDLE gets.
const leastIdle = 2 * time.Minute

// handler hears of news, which mark mailboxes.
func (r *runner) handler() imapclient.Handler {
	var h imapclient.Handler
	if r.w.Dialer != nil {
		h = r.w.Dialer.Handler
	}
	news := func(flags bool) {
		if r.sel != nil {
			r.sel.dirty, r.sel.flags = true, r.sel.flags || flags
		}
	}
	h.Expunge = func(uint32) { news(false) }
	h.Vanished = func(_ imap.UIDSet, earlier bool) {
		if !earlier {
			news(false)
		}
	}
	h.Fetch = func(m *imapclient.Message) {
		if m.Has(imap.FetchFlags) {
			news(true)
		}
	}
	h.Status = func(s *imap.MailboxStatus) {
		for _, b := range r.boxes {
			if b != r.sel && b.name == s.Name {
				b.dirty, b.flags = true, true
			}
		}
	}
	told := h.Response
	h.Response = func(s imap.StatusResponse) {
		if s.Code == imap.CodeNotificationOverflow {
			r.notify = false
		}
		if told != nil {
			told(s)
		}
	}
	return h
}

// news reports whether a mailbox has to be looked at.
func (r *runner) news() bool {
	if m := r.c.Mailbox(); m != nil && r.sel != nil && int64(m.Exists) != r.sel.st.Len() {
		r.sel.dirty = true
	}
	for _, b := range r.boxes {
		if b.dirty {
			return true
		}
	}
	return false
}

// facts are what is known of the server.
func (r *runner) facts() quirk.Facts {
	f := r.w.Facts
	f.Capabilities = r.c.Capabilities()
	if f.Greeting == "" {
		f.Greeting = r.c.Greeting()
	}
	if f.ID == nil {
		f.ID = r.c.ServerID()
	}
	if host, _, err := net.SplitHostPort(r.w.Addr); err == nil && f.Host == "" {
		f.Host = host
	}
	if tls := r.c.TLS(); f.Host == "" && tls != nil {
		f.Host = tls.ServerName
	}
	return f
}

// wait returns when there are news, or when it is time to look.
func (r *runner) wait(ctx context.Context) error {
	r.startNotify(ctx)
	for !r.news() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := r.listen(ctx, r.until()); err != nil {
			return err
		}
		r.due()
		if err := r.pollOthers(ctx); err != nil {
			return err
		}
	}
	return nil
}

// until is how long to listen.
func (r *runner) until() time.Duration {
	d := r.idleMax
	if q := r.quirks.IdleMax; q > 0 {
		d = min(d, q)
	}
	if !r.canIdle() || len(r.boxes) > 1 && !r.notify {
		d = min(d, orDefault(r.w.Poll, 2*time.Minute))
	}
	return d
}

func (r *runner) canIdle() bool { return r.c.Has(imap.CapIdle) && !r.quirks.NoIdle }

// listen hears what the server tells for some time, or lets it pass and asks.
func (r *runner) listen(ctx context.Context, d time.Duration) error {
	if !r.canIdle() {
		r.pause(ctx, d)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return r.c.Noop(ctx)
	}
	begin := time.Now()
	err := r.c.Idle(ctx, imapclient.IdleOptions{Max: d, Wake: r.news})
	if err != nil && ctx.Err() == nil {
		r.learn(time.Since(begin))
	}
	return err
}

// learn makes the next IDLE shorter than one that ended dead (W3).
func (r *runner) learn(lasted time.Duration) {
	if lasted >= leastIdle {
		r.idleMax = max(leastIdle, min(r.idleMax, lasted)*3/4)
	}
}

// due marks the selected mailbox when it is time to look unasked.
func (r *runner) due() {
	for _, b := range r.boxes {
		if time.Since(b.looked) >= orDefault(r.w.Resync, 30*time.Minute) {
			b.dirty, b.flags = true, true
		}
	}
}

// pollOthers asks for the numbers of the mailboxes that nobody tells of.
func (r *runner) pollOthers(ctx context.Context) error {
	if r.notify {
		return nil
	}
	items := []imap.StatusItem{imap.StatusMessages, imap.StatusUIDNext, imap.StatusUIDValidity, imap.StatusUnseen}
	if r.c.Has(imap.CapCondStore) && !r.quirks.NoCondStore {
		items = append(items, imap.StatusHighestModSeq)
	}
	for _, b := range r.boxes {
		if b == r.sel || b.dirty {
			continue
		}
		s, err := r.c.Status(ctx, b.name, items...)
		if r.c.Err() != nil {
			return err
		}
		if err != nil || s == nil {
			b.dirty = b.status != nil // it was there before: the look tells why
			b.status = nil
			continue
		}
		if old := b.status; old == nil || *old != *s {
			b.dirty, b.flags = true, true
		}
		b.status = s
	}
	return nil
}

// startNotify asks for news of all mailboxes (RFC 5465). A server that refuses
// is polled.
func (r *runner) startNotify(ctx context.Context) {
	if r.notify || len(r.boxes) < 2 || !r.c.Has(imap.CapNotify) || !r.canIdle() {
		return
	}
	events := []string{"MessageNew", "MessageExpunge", "FlagChange"}
	groups := []imap.NotifyGroup{{Filter: "SELECTED", Events: events}}
	var others []string
	for _, b := range r.boxes {
		if b != r.sel {
			others = append(others, b.name)
		}
	}
	groups = append(groups, imap.NotifyGroup{Filter: "MAILBOXES", Mailboxes: others, Events: events})
	r.notify = r.c.Notify(ctx, true, groups...) == nil
}
