package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/memstore"
)

var (
	errCut   = errors.New("connection cut")
	errCrash = errors.New("the process is dead")
)

// faults says what fails: each call that could fail asks it.
type faults struct {
	mu    sync.Mutex
	calls int
	fail  func(n int, what string) fault
}

// fault is how a call fails.
type fault int

const (
	none   fault = iota
	before       // nothing happened
	after        // it happened, and the caller does not hear of it
	hang         // nothing happens until the caller gives up
)

func (f *faults) next(what string) fault {
	if f == nil {
		return none
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	if f.fail == nil {
		return none
	}
	return f.fail(f.calls, what)
}

// remote is a mailbox on another host.
type remote struct {
	mu       sync.Mutex
	messages []*letter
	faults   *faults
	opened   int
	kind     string // "pop3": ends with Commit
	openErr  error
	limit    int64 // for Quota; zero = the server does not say
	news     chan struct{}

	connections *counter
}

// counter counts what is open; nil counts nothing.
type counter struct {
	mu      sync.Mutex
	n, most int
}

func (c *counter) add(n int) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += n
	c.most = max(c.most, c.n)
}

type letter struct {
	fetch.Item
	text string
}

// add puts a message there.
func (r *remote) add(id, text string) *letter {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := &letter{fetch.Item{ID: id, Size: int64(len(text))}, text}
	r.messages = append(r.messages, l)
	if r.news != nil {
		select {
		case r.news <- struct{}{}:
		default:
		}
	}
	return l
}

func (r *remote) ids() (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.messages {
		ids = append(ids, l.ID)
	}
	return ids
}

// Open is that of a Source.
func (r *remote) Open(ctx context.Context) (fetch.Session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opened++
	if r.openErr != nil {
		return nil, r.openErr
	}
	s := &session{r: r, marked: map[*letter]bool{}}
	switch r.faults.next("open") {
	case hang:
		<-ctx.Done()
		return nil, ctx.Err()
	case before, after:
		return nil, errCut
	}
	s.list = slices.Clone(r.messages)
	r.connections.add(1)
	return s, nil
}

type session struct {
	r      *remote
	list   []*letter
	marked map[*letter]bool
	dead   bool
}

// meet is what happens to a call.
func (s *session) meet(ctx context.Context, what string) (after bool, err error) {
	if s.dead {
		return false, errCut
	}
	f := s.r.faults.next(what)
	if f != none {
		s.dead = true
	}
	switch f {
	case before:
		return false, errCut
	case hang:
		<-ctx.Done()
		return false, ctx.Err()
	}
	return f == 2, nil
}

func (s *session) List(ctx context.Context) iter.Seq2[fetch.Item, error] {
	return func(yield func(fetch.Item, error) bool) {
		if s.r.kind != "pop3" {
			s.r.mu.Lock()
			s.list = slices.Clone(s.r.messages)
			s.r.mu.Unlock()
		}
		for i, l := range s.list {
			if i%10 == 0 {
				if _, err := s.meet(ctx, "list"); err != nil {
					yield(fetch.Item{}, err)
					return
				}
			}
			it := l.Item
			it.Handle = uint64(i)
			if !yield(it, nil) {
				return
			}
		}
	}
}

func (s *session) find(it *fetch.Item) (*letter, error) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	l := s.list[it.Handle]
	if !slices.Contains(s.r.messages, l) {
		return nil, fetch.ErrGone
	}
	return l, nil
}

func (s *session) Retrieve(ctx context.Context, it *fetch.Item) (io.ReadCloser, error) {
	late, err := s.meet(ctx, "retrieve")
	if err != nil {
		return nil, err
	}
	l, err := s.find(it)
	if err != nil {
		return nil, err
	}
	if late {
		return io.NopCloser(io.MultiReader(strings.NewReader(l.text[:len(l.text)/2]), broken{})), nil
	}
	return io.NopCloser(strings.NewReader(l.text)), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (s *session) Head(ctx context.Context, it *fetch.Item) ([]byte, error) {
	if _, err := s.meet(ctx, "head"); err != nil {
		return nil, err
	}
	l, err := s.find(it)
	if err != nil {
		return nil, err
	}
	head, _, _ := strings.Cut(l.text, "\r\n\r\n")
	return []byte(head + "\r\n"), nil
}

func (s *session) Delete(ctx context.Context, items []fetch.Item) error {
	if _, err := s.meet(ctx, "delete"); err != nil {
		return err
	}
	for i := range items {
		s.marked[s.list[items[i].Handle]] = true
	}
	return nil
}

func (s *session) Commit(ctx context.Context) error {
	late, err := s.meet(ctx, "commit")
	if err != nil {
		return err
	}
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.r.messages = slices.DeleteFunc(s.r.messages, func(l *letter) bool { return s.marked[l] })
	clear(s.marked)
	s.dead = s.r.kind == "pop3"
	if late {
		return errCut
	}
	return nil
}

func (s *session) Wait(ctx context.Context, d time.Duration) error {
	if s.r.news == nil || s.dead {
		return errors.ErrUnsupported
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
	case <-s.r.news:
	}
	return nil
}

func (s *session) Quota(context.Context) (used, limit int64, err error) {
	if s.r.limit == 0 {
		return 0, 0, errors.ErrUnsupported
	}
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	for _, l := range s.r.messages {
		used += l.Size
	}
	return used, s.r.limit, nil
}

func (s *session) Close() error {
	s.r.connections.add(-1)
	s.dead = true
	return nil
}

// world is what a connector has at home.
type world struct {
	t     *testing.T
	store store.Store
	state fetch.State
	queue *queue.Queue
	q     *memqueue.Storage
	mu    sync.Mutex
	seen  []fetch.Event
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, q: &memqueue.Storage{}}
	w.store = memstore.New(memblob.New())
	for _, id := range []store.AccountID{"ann@example.org", "bob@example.org", "connector"} {
		if err := w.store.Create(t.Context(), id, store.AccountInfo{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	w.queue = &queue.Queue{Storage: w.q, Blobs: w.store.Blobs(), Router: &deliver.Router{Remote: &deliver.SmartHost{Addr: "smart.example:25"}, IsLocal: func(string) bool { return false }}}
	w.state = &fetch.EntryState{Account: w.account("connector")}
	return w
}

func (w *world) account(id store.AccountID) store.Account {
	w.t.Helper()
	acct, err := w.store.Open(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return acct
}

func (w *world) directory() deliver.Directory {
	return &deliver.Accounts{Domains: []string{"example.org"}, Exists: func(ctx context.Context, id store.AccountID) (bool, error) {
		_, err := w.store.Open(ctx, id)
		return err == nil, nil
	}}
}

func (w *world) local() *deliver.LocalDelivery {
	return &deliver.LocalDelivery{Store: w.store, Directory: w.directory(), Hostname: "here.example.org"}
}

// collector is one that fetches from r for ann.
func (w *world) collector(r *remote) (*fetch.Collector, *fetch.Source) {
	s := &fetch.Source{Name: "ann@isp", Open: r.Open, Recipients: fetch.To(path("ann@example.org")), Target: w.local()}
	return &fetch.Collector{
		Sources: []*fetch.Source{s}, State: w.state, Blobs: w.store.Blobs(), Hostname: "here.example.org",
		Quarantine: &fetch.Mailbox{Store: w.store, Account: "connector"},
		Logger:     slog.New(slog.DiscardHandler),
		OnEvent: func(e fetch.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.seen = append(w.seen, e)
		},
	}, s
}

// events are those of a kind.
func (w *world) events(k fetch.EventKind) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.seen {
		if e.Kind == k {
			n++
		}
	}
	return n
}

// texts are the messages of a mailbox.
func (w *world) texts(id store.AccountID, name string) (texts []string) {
	w.t.Helper()
	acct := w.account(id)
	box, err := store.MailboxByName(w.t.Context(), acct, name)
	if errors.Is(err, store.ErrNoMailbox) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	for m, err := range acct.Messages(w.t.Context(), box.ID, store.Query{UIDs: store.AllUIDs(), Fields: store.FieldContent}) {
		if err != nil {
			w.t.Fatal(err)
		}
		c, err := acct.Content(w.t.Context(), box.ID, m.UID)
		if err != nil {
			w.t.Fatal(err)
		}
		b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
		c.Close()
		if err != nil {
			w.t.Fatal(err)
		}
		texts = append(texts, string(b))
	}
	return texts
}

// subjects are those of the messages of a mailbox, in order.
func (w *world) subjects(id store.AccountID, name string) (s []string) {
	for _, text := range w.texts(id, name) {
		_, after, _ := strings.Cut("\r\n"+text, "\r\nSubject: ")
		subject, _, _ := strings.Cut(after, "\r\n")
		s = append(s, subject)
	}
	return s
}

func path(a string) smtp.ForwardPath {
	p, err := smtp.ParseForwardPath("<"+a+">", true)
	if err != nil {
		panic(err)
	}
	return p
}

func letterText(subject string) string {
	return fmt.Sprintf("Return-Path: <joe@sender.example>\r\nReceived: from x by isp.example; Mon, 1 Jan 2024 00:00:00 +0000\r\n"+
		"From: joe@sender.example\r\nTo: ann@example.org\r\nMessage-ID: <%s@sender.example>\r\nSubject: %s\r\n\r\nHello %s\r\n", subject, subject, subject)
}

// wants compares lists.
func wants(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}
