package store

import "context"

// MailboxByName returns the mailbox that has this name now; it may be
// NoSelect. ErrName: the name is not allowed; ErrNoMailbox: there is none.
func MailboxByName(ctx context.Context, a Account, name string) (Mailbox, error) {
	clean, err := CleanName(name)
	if err != nil {
		return Mailbox{}, &Error{Op: "mailbox", Mailbox: name, Err: err}
	}
	return findMailbox(ctx, a, clean, func(m *Mailbox) bool { return m.Name == clean })
}

// MailboxByID returns the state of one mailbox. ErrNoMailbox: there is none.
func MailboxByID(ctx context.Context, a Account, id MailboxID) (Mailbox, error) {
	return findMailbox(ctx, a, id.String(), func(m *Mailbox) bool { return m.ID == id })
}

func findMailbox(ctx context.Context, a Account, name string, match func(*Mailbox) bool) (Mailbox, error) {
	boxes, _, err := a.Mailboxes(ctx, 0)
	if err != nil {
		return Mailbox{}, err
	}
	for i := range boxes {
		if match(&boxes[i]) {
			return boxes[i], nil
		}
	}
	return Mailbox{}, &Error{Op: "mailbox", Mailbox: name, Err: ErrNoMailbox}
}
