package fetch

import (
	"context"
	"errors"
	"strings"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// Quarantine keeps what nobody gets. Any number of goroutines may use it.
type Quarantine interface {
	// Keep returns when the message is on stable storage. once is the same for
	// each attempt at it.
	Keep(ctx context.Context, m *Message, reason, once string, body *smtp.Body) error
}

// Mailbox is a Quarantine in a mailbox of a store, which it makes where it is not
// there. A field X-Quarantine in front says why, X-Fetched-From whence. Store and
// Account are required.
type Mailbox struct {
	Store   store.Store
	Account store.AccountID
	Name    string // "" = Quarantine
}

// Keep implements Quarantine. The quota does not count.
func (q *Mailbox) Keep(ctx context.Context, m *Message, reason, once string, body *smtp.Body) error {
	acct, err := q.Store.Open(ctx, q.Account)
	if err != nil {
		return err
	}
	id, err := q.mailbox(ctx, acct)
	if err != nil {
		return err
	}
	n := store.NewMessage{
		Mailbox: id, Received: m.Item.Received, BodySize: body.Size(), Body: body, IgnoreQuota: true,
		Prefix: append([]byte("X-Quarantine: "+printable(reason)+"\r\nX-Fetched-From: "+printable(m.Source)+"\r\n"), body.Trace()...),
	}
	if s, ok := body.Stored().(blob.Stored); ok {
		n.Blob, n.From, n.Key = s.Ref, s.In, s.Key
	}
	_, err = store.AppendMessage(ctx, q.Store, acct, once, n)
	return err
}

func (q *Mailbox) mailbox(ctx context.Context, acct store.Account) (store.MailboxID, error) {
	name := q.Name
	if name == "" {
		name = "Quarantine"
	}
	box, err := store.MailboxByName(ctx, acct, name)
	if !errors.Is(err, store.ErrNoMailbox) {
		return box.ID, err
	}
	put := store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: name}
	_, err = acct.Apply(ctx, store.Change{Ops: []store.Op{put}})
	if errors.Is(err, store.ErrExists) { // another source was first
		box, err = store.MailboxByName(ctx, acct, name)
		return box.ID, err
	}
	return put.ID, err
}

// printable is s as the value of a field: printable ASCII, at most 500 octets.
func printable(s string) string {
	s = s[:min(len(s), 500)]
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
