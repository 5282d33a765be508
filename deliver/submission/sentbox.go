package submission

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// sentRole is the special use of RFC 6154.
const sentRole = `\Sent`

// deliver puts a copy into the mailbox, once.
func (s *Sent) deliver(ctx context.Context, id store.AccountID, m *smtp.Mail, b *smtp.Body) error {
	acct, err := s.Store.Open(ctx, id)
	if errors.Is(err, store.ErrNoAccount) {
		return &smtp.Error{Reply: smtp.NewReply(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "No such account"), Err: err}
	}
	if err != nil {
		return err
	}
	message, err := newMessage(m, b)
	if err != nil {
		return err
	}
	for range 2 { // another copy may make the mailbox at the same time
		err = s.apply(ctx, acct, m, message)
		if !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrNoMailbox) {
			break
		}
	}
	if errors.Is(err, store.ErrOverQuota) {
		return full(err)
	}
	return err
}

// newMessage takes the body by reference: it lies in the queue's Blobs.
func newMessage(m *smtp.Mail, b *smtp.Body) (store.NewMessage, error) {
	msg := store.NewMessage{Flags: store.Seen, Received: m.Received, Prefix: b.Trace()}
	s, ok := b.Stored().(blob.Stored)
	if !ok {
		return msg, errNotStored
	}
	msg.Blob, msg.From, msg.Key = s.Ref, s.In, s.Key
	return msg, nil
}

var errNotStored = errors.New("submission: body of a sent copy that is in no queue")

// apply is one Change: the mailbox, where there is none, and the message.
func (s *Sent) apply(ctx context.Context, acct store.Account, m *smtp.Mail, msg store.NewMessage) error {
	boxes, _, err := acct.Mailboxes(ctx, 0)
	if err != nil {
		return err
	}
	name := s.Mailbox
	if name == "" {
		name = "Sent"
	}
	change := store.Change{Once: "sent\x00" + m.Once}
	box, found := sentBox(boxes, name)
	switch {
	case found:
		there, err := s.there(ctx, acct, box, m, msg)
		if err != nil || there {
			return err
		}
	case s.NoCreate:
		return nil
	default:
		box.ID = store.NewMailboxID()
		role, subscribed := sentRole, true
		change.Ops = append(change.Ops, store.PutMailbox{ID: box.ID, Create: true, Name: name, Role: &role, Subscribed: &subscribed})
	}
	msg.Mailbox = box.ID
	op, err := store.PrepareAppend(ctx, s.Store, msg)
	if err != nil {
		return err
	}
	change.Ops = append(change.Ops, op)
	_, err = acct.Apply(ctx, change)
	return err
}

// sentBox is the mailbox with the special use, else that of the name.
func sentBox(boxes []store.Mailbox, name string) (store.Mailbox, bool) {
	var named store.Mailbox
	for i := range boxes {
		switch b := &boxes[i]; {
		case b.NoSelect || b.Gone:
		case b.Role == sentRole:
			return *b, true
		case b.Name == name:
			named = *b
		}
	}
	return named, !named.ID.IsZero()
}

// maxLook bounds how many messages are looked at for the client's own copy: the
// newest.
const maxLook = 100

// there reports whether the mailbox has the client's own copy.
func (s *Sent) there(ctx context.Context, acct store.Account, box store.Mailbox, m *smtp.Mail, msg store.NewMessage) (bool, error) {
	if s.Window <= 0 || box.UIDNext <= 1 {
		return false, nil
	}
	id, err := messageIDOf(ctx, msg)
	if err != nil || id == "" {
		return false, err
	}
	first := store.UID(1)
	if box.UIDNext > maxLook {
		first = box.UIDNext - maxLook
	}
	since := m.Received.Add(-s.Window).Truncate(time.Second)
	var candidates []store.UID
	for c, err := range acct.Messages(ctx, box.ID, store.Query{UIDs: store.UIDSet{{First: first, Last: 1<<32 - 1}}, Fields: store.FieldDates}) {
		if err != nil {
			return false, err
		}
		if !c.Gone && !c.Saved.Before(since) {
			candidates = append(candidates, c.UID)
		}
	}
	for _, uid := range candidates {
		c, err := acct.Content(ctx, box.ID, uid)
		if errors.Is(err, store.ErrExpunged) {
			continue
		}
		if err != nil {
			return false, err
		}
		got, err := messageID(io.NewSectionReader(c, 0, c.Size()))
		c.Close()
		if err != nil || got == id {
			return err == nil, err
		}
	}
	return false, nil
}

// messageIDOf is that of a copy: its prefix has none.
func messageIDOf(ctx context.Context, msg store.NewMessage) (string, error) {
	b, err := blob.OpenKeyed(ctx, msg.From, msg.Blob, msg.Key)
	if err != nil {
		return "", err
	}
	defer b.Close()
	return messageID(io.NewSectionReader(b, 0, b.Size()))
}

// maxHeader bounds what is read of a header.
const maxHeader = 256 << 10

// messageID reads a message up to its Message-ID; "" = it has none.
func messageID(r io.Reader) (string, error) {
	in := bufio.NewReader(io.LimitReader(r, maxHeader))
	var field []byte
	for {
		line, err := in.ReadBytes('\n')
		if folded := len(line) > 0 && (line[0] == ' ' || line[0] == '\t'); !folded {
			for f := range mime.Fields(field) {
				if f.Is("message-id") {
					return string(mime.AppendUnfolded(nil, f.Value)), nil
				}
			}
			field = field[:0]
		}
		field = append(field, line...)
		switch {
		case err == io.EOF && len(line) == 0, len(bytes.TrimRight(line, "\r\n")) == 0 && len(line) > 0:
			return "", nil
		case err != nil && err != io.EOF:
			return "", err
		}
	}
}
