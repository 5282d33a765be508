package imapaccount

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/store"
)

// writer appends to one mailbox, over a connection for APPEND and, when flags change,
// the one that has it selected.
type writer struct {
	*reader
	keywords []string // that the mailbox knows
	any      bool     // and it takes others

	adds []*add
	next chan *add // to the goroutine that appends; nil = none runs
	done chan struct{}
	stop context.CancelFunc
	err  error // of that goroutine, once done is closed
}

// add is one message of the batch.
type add struct {
	m       imapclient.NewMessage
	spool   *spool
	ref     string
	dropped []string
	uid     imap.UID
	err     error
	settled bool // the server has answered
}

// inFlight is how many messages wait for the server.
const inFlight = 32

// Write selects a mailbox.
func (a *Account) Write(ctx context.Context, m *migrate.Mailbox) (migrate.Writer, error) {
	r, err := a.open(ctx, m, false)
	if err != nil {
		return nil, err
	}
	w := &writer{reader: r}
	box := r.c.Mailbox()
	w.keywords, w.any = slices.Clone(box.PermanentFlags.Keywords), box.PermanentFlags.Any
	if box.ReadOnly {
		return nil, errors.Join(fmt.Errorf("%w: %q is read-only", migrate.ErrPermission, r.name), r.Close())
	}
	return w, nil
}

// Atomic is false.
func (w *writer) Atomic() bool { return false }

// Close gives the connection back.
func (w *writer) Close() error {
	w.Discard()
	return w.reader.Close()
}

// Discard ends an APPEND that is under way. What the server has answered is there.
func (w *writer) Discard() {
	if w.next != nil {
		w.stop()
		close(w.next)
		<-w.done
		w.next = nil
	}
	for _, x := range w.adds {
		x.spool.close()
	}
	w.adds = nil
}

// start runs the goroutine that appends what Add hands it.
func (w *writer) start(ctx context.Context) {
	if w.next != nil {
		return
	}
	ctx, w.stop = context.WithCancel(ctx)
	w.next, w.done = make(chan *add, inFlight), make(chan struct{})
	w.err = nil
	go func() {
		defer close(w.done)
		w.err = w.append(ctx)
		for range w.next { // so that Add is not stuck
		}
	}()
}

// append sends messages until next is closed.
func (w *writer) append(ctx context.Context) error {
	var sent []*add
	var mu sync.Mutex // the sequence may be asked from another goroutine than the loop's
	msgs := func(yield func(*imapclient.NewMessage, error) bool) {
		for x := range w.next {
			mu.Lock()
			sent = append(sent, x)
			mu.Unlock()
			if !yield(&x.m, nil) {
				return
			}
		}
	}
	n := 0
	for uid, err := range w.c.AppendAll(ctx, w.name, iter.Seq2[*imapclient.NewMessage, error](msgs)) {
		if err != nil && w.c.Err() != nil {
			return err
		}
		mu.Lock()
		var x *add
		if n < len(sent) {
			x, sent[n] = sent[n], nil
		}
		mu.Unlock()
		if x == nil { // nothing was sent that it could be about
			return cmp.Or(err, imapclient.ErrProtocol)
		}
		n++
		x.settle(uid, err)
	}
	return w.c.Err()
}

func (x *add) settle(uid imap.AppendUID, err error) {
	x.settled, x.err = true, answer(err)
	if set := uid.UIDs.Resolve(0); set.Len() == 1 {
		x.uid = set.Min()
	}
	x.spool.close()
}

// Add takes a message: it is sent while the next ones are read.
func (w *writer) Add(ctx context.Context, m *migrate.Message, body io.Reader) (string, error) {
	s, err := newSpool(body, w.a.o.MaxMemory, w.a.o.TempDir)
	if err != nil {
		return "", err
	}
	if limit := w.a.limit; limit > 0 && s.size > limit {
		s.close()
		return "", fmt.Errorf("%w: %d octets", migrate.ErrTooLarge, s.size)
	}
	head, err := migrate.ReadHeader(s.reader())
	if err != nil {
		s.close()
		return "", err
	}
	x := &add{spool: s, ref: printRef(migrate.MakePrint(head, s.size, m.Received))}
	x.m = imapclient.NewMessage{
		Flags: m.Flags, InternalDate: m.Received, Size: s.size, Body: s.reader(), UTF8: has8bit(head) && w.c.Enabled(imap.CapUTF8Accept),
	}
	x.m.Keywords, x.dropped = w.allowed(m.Keywords)
	w.start(ctx)
	select {
	case w.next <- x:
	case <-w.done:
		s.close()
		return "", fmt.Errorf("%w: %w", migrate.ErrWriter, w.lost())
	case <-ctx.Done():
		s.close()
		return "", ctx.Err()
	}
	w.adds = append(w.adds, x)
	return x.ref, nil
}

func has8bit(b []byte) bool { return slices.ContainsFunc(b, func(c byte) bool { return c >= 0x80 }) }

// lost is why the goroutine ended.
func (w *writer) lost() error {
	if w.err != nil {
		return w.err
	}
	return imapclient.ErrClosed
}

// allowed are the keywords that the mailbox takes.
func (w *writer) allowed(list []string) (kept, dropped []string) {
	for _, k := range list {
		if w.any || store.HasKeyword(w.keywords, k) {
			kept = append(kept, k)
		} else {
			dropped = append(dropped, k)
		}
	}
	return kept, dropped
}

// Commit waits for the answers.
func (w *writer) Commit(_ context.Context, _ []migrate.Note) ([]migrate.Placed, error) {
	if w.next != nil {
		close(w.next)
		<-w.done
		w.stop()
		w.next = nil
	}
	if w.err != nil {
		return nil, w.err
	}
	placed := make([]migrate.Placed, len(w.adds))
	for i, x := range w.adds {
		if !x.settled {
			return nil, w.lost()
		}
		var refused *imapclient.Error
		if errors.As(x.err, &refused) && refused.Temporary() {
			return nil, x.err
		}
		placed[i] = migrate.Placed{Err: x.err, Dropped: x.dropped}
		if x.err == nil && x.uid != 0 {
			placed[i].Ref = migrate.UIDString(x.uid)
		}
	}
	w.adds = nil
	return placed, nil
}

// Alter changes flags and expunges.
func (w *writer) Alter(ctx context.Context, changes []migrate.Alteration, _ []migrate.Note) error {
	sets := make(map[string]*imap.StoreOptions)
	uids := make(map[string]*imap.UIDSet)
	var order []string
	put := func(uid imap.UID, mode imap.StoreMode, flags store.Flags, keywords []string) {
		if mode == imap.StoreAdd {
			keywords, _ = w.allowed(keywords)
		}
		if flags == 0 && len(keywords) == 0 {
			return
		}
		key := fmt.Sprintf("%d %d %s", mode, flags, strings.Join(keywords, " "))
		if sets[key] == nil {
			sets[key] = &imap.StoreOptions{Mode: mode, Flags: flags, Keywords: keywords, Silent: true}
			uids[key] = &imap.UIDSet{}
			order = append(order, key)
		}
		uids[key].Add(uid)
	}
	var gone imap.UIDSet
	for i := range changes {
		c := &changes[i]
		uid, err := uidOf(c.Ref)
		if err != nil {
			return err
		}
		if c.Remove {
			gone.Add(uid)
			put(uid, imap.StoreAdd, store.Deleted, nil)
			continue
		}
		put(uid, imap.StoreAdd, c.Add, c.AddKeywords)
		put(uid, imap.StoreRemove, c.Clear, c.ClearKeywords)
	}
	for _, key := range order {
		if _, err := w.c.Store(ctx, *uids[key], *sets[key]); err != nil {
			return answer(err)
		}
	}
	if len(gone) > 0 && w.a.uidPlus {
		return answer(w.c.UIDExpunge(ctx, gone))
	}
	return nil
}

func uidOf(ref string) (imap.UID, error) {
	var uid uint32
	if _, err := fmt.Sscanf(ref, "%d", &uid); err != nil || uid == 0 {
		return 0, fmt.Errorf("%w: %q is no UID", migrate.ErrState, ref)
	}
	return imap.UID(uid), nil
}

// printRef is the ref of a message whose UID is not known.
func printRef(p migrate.Print) string { return fmt.Sprintf("print-%016x", uint64(p)) }

// Resolve finds messages by their Print; each is found once, the newest first.
func (w *writer) Resolve(ctx context.Context, refs []string) ([]string, error) {
	want := make(map[string][]int)
	for i, ref := range refs {
		want[ref] = append(want[ref], i)
	}
	found := make(map[string][]string)
	for m, err := range w.List(ctx, true) {
		if err != nil {
			return nil, err
		}
		if ref := printRef(m.Print); len(want[ref]) > 0 {
			found[ref] = append(found[ref], m.ID)
		}
	}
	out := make([]string, len(refs))
	for ref, places := range want {
		ids := found[ref]
		ids = ids[max(0, len(ids)-len(places)):]
		for i, id := range ids {
			out[places[i]] = id
		}
	}
	return out, nil
}
