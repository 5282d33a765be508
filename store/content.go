package store

import "context"

// ContentOpener is the optional capability of an Account that opens a message
// by what Messages told of it, without looking it up again.
type ContentOpener interface {
	// OpenContent does what Content does. m was read with FieldContent; it is
	// not kept.
	OpenContent(ctx context.Context, id MailboxID, m *Message) (Content, error)
}

// OpenContent opens a message that Messages yielded with FieldContent. Readers
// of many messages use it: a store that can saves one look at its tables for
// each. Fallback: Account.Content.
func OpenContent(ctx context.Context, a Account, id MailboxID, m *Message) (Content, error) {
	if o, ok := As[ContentOpener](a); ok {
		return o.OpenContent(ctx, id, m)
	}
	return a.Content(ctx, id, m.UID)
}
