package fetch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

// handTime is how long what has begun may go on when the Collector ends.
const handTime = 30 * time.Second

// The waits behind failures: doubled each time, up to these.
const (
	firstWait = 30 * time.Second
	maxWait   = time.Hour
	firstAuth = 15 * time.Minute
	maxAuth   = 24 * time.Hour
)

// worker runs one source.
type worker struct {
	c    *Collector
	s    *Source
	kick chan struct{} // holds one

	troubles troubles // of the goroutine that visits

	mu sync.Mutex
	st Status // guarded by mu
}

// Run fetches until ctx ends, and returns when nothing is under way any more: a
// message that is being handed over is, up to 30 s, and what the server was told
// to delete is confirmed. The error is ErrConfig, or nil. Only one Run or Once is
// called at a time.
func (c *Collector) Run(ctx context.Context) error {
	if err := c.begin(); err != nil {
		return err
	}
	var wg sync.WaitGroup
	for _, w := range c.workers {
		wg.Go(func() { w.run(ctx) })
	}
	wg.Wait()
	return nil
}

// Once makes passes at each source until there is nothing more to fetch, and
// returns the errors of those that failed, joined, or ErrConfig.
func (c *Collector) Once(ctx context.Context) error {
	if err := c.begin(); err != nil {
		return err
	}
	errs := make([]error, len(c.workers))
	var wg sync.WaitGroup
	for i, w := range c.workers {
		wg.Go(func() {
			errs[i] = w.once(ctx)
			w.set(func(st *Status) { st.Phase = Stopped })
			if errs[i] != nil {
				errs[i] = fmt.Errorf("%s: %w", w.s.Name, errs[i])
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// once makes passes until there is nothing more to fetch. Where a session was lost
// at a message, another one fetches those behind it.
func (w *worker) once(ctx context.Context) error {
	var lost error
	for more := true; more && ctx.Err() == nil; {
		var err error
		known := len(w.troubles)
		if more, err = w.visit(ctx, false); err == nil {
			continue
		}
		if lost = errors.Join(lost, err); len(w.troubles) == known || len(w.troubles) > maxLost {
			break
		}
		more = true
	}
	return lost
}

// maxLost is how many sessions may be lost at messages in one call of Once.
const maxLost = 3

// begin checks the configuration and makes the workers.
func (c *Collector) begin() error {
	if err := c.check(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slots = newSlots(cmp.Or(max(0, c.PerHost), 2), cmp.Or(max(0, c.Sessions), 50))
	c.workers = nil
	for _, s := range c.Sources {
		c.workers = append(c.workers, &worker{c: c, s: s, kick: make(chan struct{}, 1), troubles: troubles{}, st: Status{Source: s.Name}})
	}
	return nil
}

// check reports ErrConfig, with all faults.
func (c *Collector) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.State == nil || c.Blobs == nil || c.Hostname == "" {
		bad("State, Blobs and Hostname are required")
	}
	names := make(map[string]bool)
	for i, s := range c.Sources {
		switch {
		case s.Name == "" || len(s.Name) > MaxName || slices.ContainsFunc([]rune(s.Name), func(r rune) bool { return r < ' ' || r == 0x7f }):
			bad("source %d: name %.200q", i+1, s.Name)
		case names[s.Name]:
			bad("source %q is there twice", s.Name)
		case s.Open == nil || s.Recipients == nil || s.Target == nil:
			bad("source %q: Open, Recipients and Target are required", s.Name)
		}
		names[s.Name] = true
	}
	if errs == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrConfig, errors.Join(errs...))
}

// Kick makes it the turn of a source now, whatever it waits for but a free
// connection; false = there is none of that name, or the Collector never ran.
func (c *Collector) Kick(source string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.workers {
		if w.s.Name == source {
			select {
			case w.kick <- struct{}{}:
			default:
			}
			return true
		}
	}
	return false
}

// Status says how each source stands, in the order of Sources; nil before the
// first Run.
func (c *Collector) Status() []Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Status
	for _, w := range c.workers {
		w.mu.Lock()
		all = append(all, w.st)
		w.mu.Unlock()
	}
	return all
}

func (w *worker) set(f func(*Status)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f(&w.st)
	w.st.Changed = w.c.now()
}

// run visits the source, again and again.
func (w *worker) run(ctx context.Context) {
	defer w.set(func(st *Status) { st.Phase, st.Next = Stopped, time.Time{} })
	// Sources that start together spread over a part of their time.
	wait := time.Duration(rand.Int64N(int64(min(w.every()/10, 10*time.Second)) + 1))
	for w.sleep(ctx, wait) {
		more, err := w.visit(ctx, w.s.Idle)
		if wait = w.next(err); more && err == nil {
			wait = 0
		}
	}
}

// sleep waits for d or a kick; false = ctx ended.
func (w *worker) sleep(ctx context.Context, d time.Duration) bool {
	w.set(func(st *Status) { st.Phase, st.Next = Waiting, w.c.now().Add(d) })
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-w.kick:
	case <-t.C:
	}
	return ctx.Err() == nil
}

func (w *worker) every() time.Duration {
	if w.s.Every > 0 {
		return w.s.Every
	}
	return 5 * time.Minute
}

// next is the wait behind a visit.
func (w *worker) next(err error) time.Duration {
	w.mu.Lock()
	failed := w.st.Failed
	w.mu.Unlock()
	d := w.every()
	switch {
	case err == nil || errors.Is(err, ErrBusy):
	case errors.Is(err, ErrAuth):
		d = max(d, doubled(firstAuth, maxAuth, failed))
	default:
		d = max(d, doubled(min(firstWait, 2*d), maxWait, failed))
	}
	return d + time.Duration(rand.Int64N(int64(d/10)+1))
}

// doubled is first, doubled for each failure behind the first, up to most.
func doubled(first, most time.Duration, failed int) time.Duration {
	return min(most, first<<min(max(failed-1, 0), 16))
}

// visit makes passes in one session: with idle, each time there is new mail. more
// says that there is more to do at once.
func (w *worker) visit(ctx context.Context, idle bool) (more bool, err error) {
	slot, err := w.c.slots.take(ctx, w.s.host())
	if err != nil {
		return false, nil // ctx ended
	}
	defer slot.release()
	w.set(func(st *Status) { st.Phase, st.Next = Passing, time.Time{} })
	defer func() {
		if ctx.Err() != nil && err != nil && errors.Is(err, context.Cause(ctx)) {
			err = nil
		}
		w.note(ctx, err)
	}()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("fetch: panic: %v\n%s", v, debug.Stack())
		}
	}()
	return w.session(ctx, idle, slot)
}

// session opens a session and makes passes until it is over.
func (w *worker) session(ctx context.Context, idle bool, slot *holder) (more bool, err error) {
	hand, end := whileLonger(ctx, handTime)
	defer end()
	hand, dog := watch(hand, w.c.stall())
	defer dog.end()
	ctx, end = both(hand, ctx)
	defer end()
	ses, err := w.s.Open(ctx)
	if err != nil {
		return false, dog.reason(err)
	}
	defer ses.Close()
	for {
		p := &pass{c: w.c, s: w.s, ses: ses, ctx: ctx, hand: hand, touch: dog.touch, emit: w.emit, troubles: w.troubles}
		err := dog.reason(p.run())
		w.passed(p, err)
		if err != nil || p.more || !idle || ctx.Err() != nil {
			return p.more, err
		}
		dog.stop()
		if !w.idle(ctx, ses, slot) {
			return false, nil
		}
		dog.touch()
		w.set(func(st *Status) { st.Phase = Passing })
	}
}

// idle waits on the connection; false = the session is over, or somebody else
// wants the connection.
func (w *worker) idle(ctx context.Context, ses Session, slot *holder) bool {
	slot.idles(true)
	defer slot.idles(false)
	w.set(func(st *Status) { st.Phase = Idling })
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var asked sync.WaitGroup
	yield := false
	asked.Go(func() {
		select {
		case <-ctx.Done():
			return
		case <-slot.wanted:
			yield = true
		case <-w.kick:
		}
		cancel()
	})
	err := ses.Wait(ctx, w.every())
	kicked := ctx.Err() != nil
	cancel()
	asked.Wait()
	return !yield && (err == nil || kicked && errors.Is(err, context.Canceled))
}

// passed counts a pass.
func (w *worker) passed(p *pass, err error) {
	left := 0
	for i := range p.items {
		if !p.items[i].done() {
			left++
		}
	}
	w.set(func(st *Status) { st.Listed, st.Left = len(p.items), left })
	if err == nil {
		w.emit(Event{Kind: EventPassed})
	}
}

// note keeps the outcome of a visit.
func (w *worker) note(ctx context.Context, err error) {
	w.set(func(st *Status) {
		st.Err = err
		if err == nil {
			st.Last, st.Failed = w.c.now(), 0
		} else {
			st.Failed++
		}
	})
	if err != nil {
		w.emit(Event{Kind: EventFailed, Err: err})
	}
}

// emit counts an event, logs it, and tells of it.
func (w *worker) emit(e Event) {
	e.Source, e.Time = w.s.Name, w.c.now()
	w.set(func(st *Status) { st.Counts.add(&e) })
	level := slog.LevelInfo
	switch e.Kind {
	case EventPassed, EventRemoved:
		level = slog.LevelDebug
	case EventFailed, EventDeferred, EventReused, EventSkipped, EventQuarantined:
		level = slog.LevelWarn
	}
	if log := w.c.log(); log.Enabled(context.Background(), level) {
		log.LogAttrs(context.Background(), level, "fetch: "+e.Kind.String(), e.attrs()...)
	}
	if w.c.OnEvent != nil {
		w.c.OnEvent(e)
	}
}

func (e *Event) attrs() []slog.Attr {
	a := []slog.Attr{slog.String("source", e.Source)}
	add := func(name, value string) {
		if value != "" {
			a = append(a, slog.String(name, value))
		}
	}
	add("message", e.Mail)
	add("id", e.Item.ID)
	add("step", e.Step)
	add("reason", e.Reason)
	for i := range e.Recipients[:min(len(e.Recipients), 10)] {
		add("to", e.Recipients[i].String())
	}
	if e.Bytes > 0 {
		a = append(a, slog.Int64("bytes", e.Bytes))
	}
	if e.Err != nil {
		a = append(a, slog.Any("error", e.Err))
	}
	return a
}

func (n *Counts) add(e *Event) {
	switch e.Kind {
	case EventFetched:
		n.Fetched++
	case EventQuarantined:
		n.Quarantined++
	case EventDeferred:
		n.Deferred++
	case EventSkipped:
		n.Skipped++
	case EventRemoved:
		n.Removed++
	}
	n.Bytes += e.Bytes
}

func (c *Collector) log() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	return slog.Default()
}

func (c *Collector) stall() time.Duration {
	if c.Stall > 0 {
		return c.Stall
	}
	return 10 * time.Minute
}
