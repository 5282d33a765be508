package pop3account

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/pop3/pop3client"
	"github.com/mailstead/mailstead/store"
)

// Options of an Account.
type Options struct {
	// Name names the account for ever, without secrets: "pop3://ann@host/".
	Name string

	// Dial makes a connection and logs in, as a Dialer does.
	Dial func(ctx context.Context) (*pop3client.Client, error)

	// Mailbox is the name of the mailbox in the target; nil = INBOX.
	Mailbox []string
}

// Account is a maildrop as a migrate.Source. Make one with New.
type Account struct{ o Options }

// New is the maildrop that o.Dial logs into. It does not connect.
func New(o Options) *Account {
	if len(o.Mailbox) == 0 {
		o.Mailbox = []string{store.Inbox}
	}
	return &Account{o}
}

// Name is that of the options.
func (a *Account) Name() string { return a.o.Name }

// MaxOpen is 1: a maildrop is locked.
func (a *Account) MaxOpen() int { return 1 }

// Close does nothing: a Reader closes its connection.
func (a *Account) Close() error { return nil }

// Mailboxes is the maildrop.
func (a *Account) Mailboxes(context.Context) ([]migrate.Mailbox, error) {
	return []migrate.Mailbox{{Path: a.o.Mailbox, Key: "maildrop", Messages: -1, Bytes: -1}}, nil
}

// Open connects and locks the maildrop.
func (a *Account) Open(ctx context.Context, _ *migrate.Mailbox) (migrate.Reader, error) {
	c, err := a.o.Dial(ctx)
	var refused *pop3client.Error
	switch {
	case errors.As(err, &refused) && refused.BadCredentials(), errors.Is(err, pop3client.ErrNoAuth), errors.Is(err, pop3client.ErrTLSRequired):
		return nil, fmt.Errorf("%w: %w", migrate.ErrLogin, err)
	case err != nil:
		return nil, err
	}
	return &reader{c: c}, nil
}

// reader reads the maildrop.
type reader struct{ c *pop3client.Client }

// Close says QUIT. Nothing is deleted, whatever the server answers.
func (r *reader) Close() error {
	if r.c.Usable() {
		_ = r.c.Quit(context.Background()) // bounded by the client's timeouts
	}
	return r.c.Close()
}

// List yields the messages by unique-id.
func (r *reader) List(ctx context.Context, prints bool) iter.Seq2[*migrate.Message, error] {
	return func(yield func(*migrate.Message, error) bool) {
		list, err := r.list(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, m := range list {
			if prints {
				if err := r.print(ctx, m); err != nil {
					yield(nil, err)
					return
				}
			}
			if !yield(m, nil) {
				return
			}
		}
	}
}

// maxUniqueID is the longest unique-id that is used as it is (RFC 1939 §7 allows 70).
const maxUniqueID = 200

func (r *reader) list(ctx context.Context) ([]*migrate.Message, error) {
	drop, err := r.c.Maildrop(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]*migrate.Message, 0, len(drop.Messages))
	for i := range drop.Messages {
		m := &drop.Messages[i]
		x := &migrate.Message{ID: "u" + m.UniqueID, Size: m.Size, Hint: m.Number}
		if m.UniqueID == "" || m.Fault != 0 || len(m.UniqueID) > maxUniqueID {
			if x.ID, err = r.hash(ctx, m); err != nil {
				return nil, err
			}
		}
		list = append(list, x)
	}
	return number(list), nil
}

// number tells messages with equal IDs apart.
func number(list []*migrate.Message) []*migrate.Message {
	seen := make(map[string]int)
	for _, m := range list {
		id := m.ID
		if seen[id]++; seen[id] > 1 {
			m.ID = fmt.Sprintf("%s-%06d", id, seen[id])
		}
	}
	slices.SortFunc(list, func(a, b *migrate.Message) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(list, func(a, b *migrate.Message) bool { return a.ID == b.ID })
}

// hash is the ID of a message without a unique-id that can be used.
func (r *reader) hash(ctx context.Context, m *pop3client.Message) (string, error) {
	head, err := r.header(ctx, m.Number)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	sum.Write(head)
	fmt.Fprintf(sum, "\x00%d", m.Size)
	return "h" + hex.EncodeToString(sum.Sum(nil)[:16]), nil
}

func (r *reader) header(ctx context.Context, number int) ([]byte, error) {
	body, err := r.c.Top(ctx, number, 0)
	if err != nil {
		return nil, fmt.Errorf("the server does not give the header of message %d, which has no unique-id: %w", number, err)
	}
	head, err := migrate.ReadHeader(body)
	return head, errors.Join(err, body.Close())
}

func (r *reader) print(ctx context.Context, m *migrate.Message) error {
	number, _ := m.Hint.(int)
	head, err := r.header(ctx, number)
	if err != nil {
		return err
	}
	m.Received = migrate.DateOf(head)
	m.Print = migrate.MakePrint(head, m.Size, m.Received)
	return nil
}

// Fetch yields bodies, and asks for the next ones meanwhile.
func (r *reader) Fetch(ctx context.Context, ms []*migrate.Message) iter.Seq2[*migrate.Body, error] {
	return func(yield func(*migrate.Body, error) bool) {
		numbers := make([]int, len(ms))
		for i, m := range ms {
			numbers[i], _ = m.Hint.(int)
		}
		n := 0
		for body, err := range r.c.RetrEach(ctx, numbers) {
			var refused *pop3client.Error
			switch {
			case n == len(ms), err != nil && !errors.As(err, &refused):
				yield(nil, cmp.Or(err, io.ErrUnexpectedEOF))
				return
			case err != nil:
				err = fmt.Errorf("%w: %w", migrate.ErrBroken, err)
				if !yield(&migrate.Body{ID: ms[n].ID, Err: err}, nil) {
					return
				}
			case !yield(&migrate.Body{ID: ms[n].ID, Reader: body}, nil):
				return
			}
			n++
		}
	}
}
