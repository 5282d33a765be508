package watch

import (
	"context"
	"errors"
	"time"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapclient/mirror"
	"github.com/mailstead/mailstead/imap/imapclient/quirk"
)

// maxQueue is how many events wait for the loop; a look at a mailbox pauses then.
const maxQueue = 50_000

// errPause ends a look whose events have to be told first.
var errPause = errors.New("watch: events wait")

// box is a mailbox that is watched.
type box struct {
	name    string
	st      *mirror.State
	fresh   bool // nothing was known: what is there is not told
	dirty   bool // there may be news
	flags   bool // of flags, too
	looked  time.Time
	idle    int // looks in a row that found nothing
	saved   bool
	highest mirror.Rung // higher ones broke the connection
	status  *imap.MailboxStatus
}

// runner is one run of Events.
type runner struct {
	w       *Watcher
	yield   func(Event, error) bool
	stopped bool
	backoff backoff
	boxes   []*box

	idleMax time.Duration // learnt
	queue   []mirror.Change

	// of the session
	c      *imapclient.Client
	quirks quirk.Effects
	sel    *box // selected
	notify bool // NOTIFY is on
}

func newRunner(w *Watcher, yield func(Event, error) bool) *runner {
	r := &runner{w: w, yield: yield, idleMax: min(orDefault(w.IdleMax, 9*time.Minute), 29*time.Minute)}
	r.backoff = backoff{
		first: orDefault(w.Backoff, time.Second), most: orDefault(w.MaxBackoff, 5*time.Minute),
		authFirst: orDefault(w.AuthBackoff, time.Minute), authMost: orDefault(w.MaxAuthBackoff, time.Hour),
	}
	names := w.Mailboxes
	if names == nil {
		names = []string{imap.Inbox}
	}
	for _, n := range names {
		r.boxes = append(r.boxes, &box{name: n, saved: true})
	}
	return r
}

// tell hands something to the loop.
func (r *runner) tell(ev Event, err error) bool {
	if !r.stopped && !r.yield(ev, err) {
		r.stopped = true
	}
	return !r.stopped
}

// pause waits, unless ctx ends.
func (r *runner) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// session is one connection.
func (r *runner) session(ctx context.Context) (err error) {
	if err := r.load(ctx); err != nil {
		return err
	}
	if r.c, err = r.connect(ctx); err != nil {
		return err
	}
	defer r.leave(ctx)
	r.sel, r.notify = nil, false
	r.c.SetHandler(r.handler())
	r.quirks = r.w.Quirks
	known, _ := quirk.Of(r.facts())
	r.quirks = r.quirks.Join(known)
	if r.quirks.NeedsID && r.c.ServerID() == nil {
		if _, err := r.c.ID(ctx, map[string]string{"name": "mailstead"}); r.c.Err() != nil {
			return err
		}
	}
	for _, b := range r.boxes {
		b.dirty, b.flags = true, true
	}
	for {
		if err := r.lookAll(ctx); err != nil {
			return err
		}
		r.backoff.reset()
		if err := r.wait(ctx); err != nil {
			return err
		}
	}
}

// load reads the states that were saved.
func (r *runner) load(ctx context.Context) (err error) {
	for _, b := range r.boxes {
		if b.st != nil {
			continue
		}
		var st *mirror.State
		if r.w.Load != nil {
			if st, err = r.w.Load(ctx, b.name); err != nil {
				return err
			}
		}
		if b.fresh = st == nil; b.fresh {
			st = &mirror.State{}
		}
		b.st = st
	}
	return nil
}

func (r *runner) connect(ctx context.Context) (*imapclient.Client, error) {
	if r.w.Connect != nil {
		return r.w.Connect(ctx)
	}
	return r.w.Dialer.Dial(ctx, "tcp", r.w.Addr)
}

// leave ends the connection, politely if that is quick.
func (r *runner) leave(ctx context.Context) {
	if r.c.Err() == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = r.c.Logout(ctx)
	}
	r.c.Close()
}

// lookAll looks at each mailbox that may have news; the first one is selected in
// the end.
func (r *runner) lookAll(ctx context.Context) error {
	for i := len(r.boxes) - 1; i >= 0; i-- {
		b := r.boxes[i]
		for b.dirty || i == 0 && r.sel != b {
			if err := r.look(ctx, b); err != nil {
				return err
			}
		}
	}
	return nil
}

// look brings one mailbox in step, and tells what has changed.
func (r *runner) look(ctx context.Context, b *box) error {
	if rest := r.rest(b); rest > 0 {
		r.pause(ctx, rest)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	flags := b.flags || time.Since(b.looked) >= orDefault(r.w.Resync, 30*time.Minute)
	b.dirty, b.flags, b.looked = false, false, time.Now()
	r.sel = b
	before := len(r.queue)
	res, err := mirror.Sync(ctx, r.c, b.name, b.st, mirror.Options{
		ReadWrite: r.w.ReadWrite, Highest: b.highest, Quirks: r.quirks, SkipFlags: !flags,
		Changed: func(ch mirror.Change) error {
			if len(r.queue) >= maxQueue {
				return errPause
			}
			if b.saved = false; !b.fresh || r.w.Existing {
				r.queue = append(r.queue, ch)
			}
			return nil
		},
	})
	if res.Again {
		b.dirty, b.flags = true, true
	}
	if errors.Is(err, errPause) {
		b.dirty, b.flags, err = true, true, nil
	}
	if err != nil && r.c.Err() != nil {
		if errors.Is(err, imapclient.ErrProtocol) || errors.Is(err, imapclient.ErrLimit) {
			b.highest = min(res.Rung+1, mirror.Difference)
		}
		b.dirty, b.flags = true, true
		return err
	}
	if b.idle++; len(r.queue) > before {
		b.idle = 0
	}
	if err2 := r.drain(ctx, b, err); err2 != nil {
		return err2
	}
	return nil
}

// rest is how long to wait before a mailbox is looked at again: looks that find
// nothing get rarer.
func (r *runner) rest(b *box) time.Duration {
	if b.looked.IsZero() || len(r.queue) > 0 {
		return 0
	}
	least := orDefault(r.w.Interval, time.Second)
	if b.idle > 2 {
		least = min(least<<min(b.idle-2, 20), orDefault(r.w.Poll, 2*time.Minute))
	}
	return least - time.Since(b.looked)
}

// drain tells the loop what is queued, and saves the state. err is why the look failed, if it did.
func (r *runner) drain(ctx context.Context, b *box, err error) error {
	queue := r.queue
	r.queue = nil
	for _, ch := range queue {
		ev := Event{Kind: Kind(ch.Kind), Mailbox: b.name, UIDValidity: ch.UIDValidity, UID: ch.UID, Flags: ch.Flags, Client: r.c}
		if !r.tell(ev, nil) {
			return errStopped
		}
	}
	if err != nil {
		b.dirty = false // again at the next poll
		if !r.tell(Event{Mailbox: b.name, Client: r.c}, err) {
			return errStopped
		}
		return r.c.Err()
	}
	if b.dirty { // paused
		return r.c.Err()
	}
	b.fresh = false
	if !b.saved && r.w.Save != nil {
		if err := r.w.Save(ctx, b.name, b.st); err != nil {
			return err
		}
	}
	b.saved = true
	if !r.tell(Event{Kind: InStep, Mailbox: b.name, UIDValidity: b.st.UIDValidity, Client: r.c}, nil) {
		return errStopped
	}
	return r.c.Err()
}
