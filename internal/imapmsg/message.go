package imapmsg

import (
	"context"
	"slices"
	"time"

	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/store"
)

// Mailbox names the mailbox that messages are read from.
type Mailbox struct {
	Account store.Account
	ID      store.MailboxID
}

// Message is one message while it is fetched or searched. Its zero value with a
// Mailbox is empty until Reset. It is not safe for concurrent use.
type Message struct {
	Mailbox *Mailbox

	m       *store.Message
	fields  store.Fields  // what m holds
	content store.Content // nil until it was needed
	meta    store.Meta
	hasHead bool       // meta is there, of which the parts may be missing
	hasMeta bool       // all of it is there
	root    *mime.Part // the parts as Meta has them; nil until they were needed
}

// Reset turns to another message; fields is what the store was asked for. The
// one before must be closed. m must stay valid until Close.
func (m *Message) Reset(sm *store.Message, fields store.Fields) {
	*m = Message{Mailbox: m.Mailbox, m: sm, fields: fields}
}

// Find returns a message by its UID, to be read and closed by the caller.
// [store.ErrNoMessage], and the errors of [store.Account] Messages.
func Find(ctx context.Context, box *Mailbox, uid store.UID) (*Message, error) {
	const fields = store.FieldContent | store.FieldMeta
	for sm, err := range box.Account.Messages(ctx, box.ID, store.Query{UIDs: store.UIDs(uid), Fields: fields}) {
		if err != nil {
			return nil, err
		}
		kept := *sm // it is read when the loop is over
		kept.Keywords, kept.Key = slices.Clone(sm.Keywords), slices.Clone(sm.Key)
		kept.Prefix, kept.Meta = slices.Clone(sm.Prefix), slices.Clone(sm.Meta)
		m := &Message{Mailbox: box}
		m.Reset(&kept, fields)
		return m, nil
	}
	return nil, store.ErrNoMessage
}

// Close gives the octets back.
func (m *Message) Close() {
	if m.content != nil {
		m.content.Close()
		m.content = nil
	}
}

// Received is the INTERNALDATE; known where the store was asked for
// [store.FieldDates].
func (m *Message) Received() time.Time { return m.m.Received }

// Saved is the SAVEDATE (RFC 8514); zero where the storage does not know. Known
// as Received is.
func (m *Message) Saved() time.Time { return m.m.Saved }

// EmailID names the content (RFC 8474 §5.1); known where the store was asked
// for [store.FieldIDs].
func (m *Message) EmailID() store.EmailID { return m.m.EmailID }

// ThreadID names the conversation (RFC 8474 §5.2); known as EmailID is.
func (m *Message) ThreadID() store.ThreadID { return m.m.ThreadID }

// Content returns the octets of the message, prefix and blob, open until
// Close. Errors are those of [store.Account] Content.
func (m *Message) Content(ctx context.Context) (store.Content, error) {
	if m.content != nil {
		return m.content, nil
	}
	var content store.Content
	var err error
	if m.fields&store.FieldContent != 0 {
		content, err = store.OpenContent(ctx, m.Mailbox.Account, m.Mailbox.ID, m.m)
	} else {
		content, err = m.Mailbox.Account.Content(ctx, m.Mailbox.ID, m.m.UID)
	}
	if err != nil {
		return nil, err
	}
	m.content = content
	return content, nil
}

// HasMetaHead reports whether MetaHead needs no octets of the message. The
// store was asked for [store.FieldMeta].
func (m *Message) HasMetaHead() bool {
	if !m.hasHead {
		m.meta, m.hasHead = store.DecodeMetaHead(m.m.Meta)
	}
	return m.hasHead
}

// MetaHead is Meta of which the parts may be missing, which costs less.
func (m *Message) MetaHead(ctx context.Context) (*store.Meta, error) {
	if m.HasMetaHead() {
		return &m.meta, nil
	}
	return m.Meta(ctx)
}

// Meta returns the stored Meta, or computes it where it is not stored, and
// offers it to the store. It is valid until Reset.
func (m *Message) Meta(ctx context.Context) (*store.Meta, error) {
	if !m.hasMeta {
		if err := m.readMeta(ctx); err != nil {
			return nil, err
		}
		m.hasHead, m.hasMeta = true, true
	}
	return &m.meta, nil
}

func (m *Message) readMeta(ctx context.Context) error {
	meta, ok := store.DecodeMeta(m.m.Meta)
	if !ok {
		if err := m.needPrefix(ctx); err != nil {
			return err
		}
		var err error
		if meta, err = store.LoadMeta(ctx, m.Mailbox.Account, m.Mailbox.ID, m.m); err != nil {
			return err
		}
	}
	m.meta = meta
	return nil
}

// needPrefix asks the store again for a message whose Meta was all that seemed
// to be needed.
func (m *Message) needPrefix(ctx context.Context) error {
	if m.fields&store.FieldContent != 0 {
		return nil
	}
	q := store.Query{UIDs: store.UIDs(m.m.UID), Fields: store.FieldContent}
	for full, err := range m.Mailbox.Account.Messages(ctx, m.Mailbox.ID, q) {
		if err != nil {
			return err
		}
		known := *m.m
		known.Blob, known.Key, known.Prefix = full.Blob, slices.Clone(full.Key), slices.Clone(full.Prefix)
		m.m, m.fields = &known, m.fields|store.FieldContent
		return nil
	}
	return store.ErrNoMessage
}

// Prefix is the number of octets in front of the blob; known where the store
// was asked for [store.FieldContent], or once Meta was computed.
func (m *Message) Prefix() int64 { return int64(len(m.m.Prefix)) }

// Parts returns the tree of the message's parts, with places that count from
// the start of the blob (I1). Meta must have returned without an error.
func (m *Message) Parts() *mime.Part {
	if m.root == nil {
		m.root, _ = partTree(m.meta.Parts)
	}
	return m.root
}

// partTree makes the tree out of the parts in the order of the walk.
func partTree(spans []store.Span) (*mime.Part, []store.Span) {
	s := spans[0]
	spans = spans[1:]
	p := &mime.Part{
		Header: mime.Span{Start: s.Header, End: s.Body},
		Body:   mime.Span{Start: s.Body, End: s.End},
	}
	switch s.Kind {
	case store.PartMultipart:
		p.Type = []byte("multipart")
		for range s.Parts {
			var child *mime.Part
			child, spans = partTree(spans)
			p.Children = append(p.Children, child)
		}
	case store.PartMessage:
		p.Message, spans = partTree(spans)
	}
	return p, spans
}
