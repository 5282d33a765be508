package imapthread

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/mailstead/mailstead/internal/imapmsg"
	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/internal/mimetext"
	"github.com/mailstead/mailstead/store"
)

const (
	maxHeader     = 1 << 20 // octets of a header that are looked at
	maxReferences = 1000    // of a message: the last ones, which are the nearest
)

// Source is where the messages of a mailbox are read from.
type Source struct {
	imapmsg.Mailbox

	// Progress is called before each message, with the number of those read and
	// of those to read; nil = nobody asks. Its error ends the reading.
	Progress func(done, total int64) error
}

// Read returns the threads of messages; those that are not there any more are
// left out. ORDEREDSUBJECT is made from what the store keeps, the others need
// the headers, one at a time. Errors are those of the store, and Progress's.
func Read(ctx context.Context, in Source, uids store.UIDSet, a Algorithm) (*Threads, error) {
	r := &reader{ctx: ctx, t: New(a), msg: imapmsg.Message{Mailbox: &in.Mailbox}}
	if len(uids) == 0 { // for the store that means all
		return r.t.Threads(), nil
	}
	q := store.Query{UIDs: uids, Fields: store.FieldDates | store.FieldMeta | store.FieldContent}
	done, total := int64(0), uids.Len()
	for m, err := range in.Account.Messages(ctx, in.ID, q) {
		if err == nil && in.Progress != nil {
			err = in.Progress(done, total)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		done++
		r.msg.Reset(m, q.Fields)
		err = r.add(m)
		r.msg.Close()
		if err != nil && !errors.Is(err, store.ErrExpunged) && !errors.Is(err, store.ErrNoMessage) {
			return nil, err
		}
	}
	return r.t.Threads(), nil
}

// reader reads what threads are made of.
type reader struct {
	ctx   context.Context // of Read, which the reader does not outlive
	t     *Threader
	msg   imapmsg.Message
	block []byte // of a header
	value []byte // of a field, unfolded
	ids   []byte // of references, one behind the other
	ends  []int
}

func (r *reader) add(sm *store.Message) error {
	meta, err := r.msg.MetaHead(r.ctx)
	if err != nil {
		return err
	}
	m := Message{UID: sm.UID, Sent: meta.SentDate, Subject: meta.BaseSubject}
	if m.Sent.IsZero() {
		m.Sent = sm.Received
	}
	if r.t.algorithm != OrderedSubject {
		if err := r.header(&m, meta.HeaderSize); err != nil {
			return err
		}
	}
	r.t.Add(m)
	return nil
}

// header reads the fields that only the header has.
func (r *reader) header(m *Message, size int64) error {
	content, err := r.msg.Content(r.ctx)
	if err != nil {
		return err
	}
	size = min(size, content.Size()-r.msg.Prefix(), maxHeader)
	if int64(cap(r.block)) < size {
		r.block = make([]byte, size)
	}
	r.block = r.block[:size]
	if n, err := content.ReadAt(r.block, r.msg.Prefix()); int64(n) < size && err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	r.fields(m, r.block)
	return nil
}

// fields takes the fields of a header; of those that there are several of, the
// first counts.
func (r *reader) fields(m *Message, block []byte) {
	var id, refs, reply, subject []byte
	for f := range mime.Fields(block) {
		for _, want := range []struct {
			name string
			to   *[]byte
		}{{"message-id", &id}, {"references", &refs}, {"in-reply-to", &reply}, {"subject", &subject}} {
			if *want.to == nil && f.Is(want.name) {
				*want.to = f.Value
			}
		}
	}
	if subject != nil {
		r.value = mime.AppendUnfolded(r.value[:0], subject)
		_, m.Reply = mimetext.Subject(r.value)
	}
	r.ids, r.ends = r.ids[:0], r.ends[:0]
	r.take(refs, maxReferences)
	if len(r.ends) == 0 {
		r.take(reply, 1)
	}
	r.value = mime.AppendUnfolded(r.value[:0], id)
	for id := range mime.MessageIDs(r.value) {
		m.ID = append(m.ID, id...)
		break
	}
	m.References = r.references()
}

// take keeps the ids of a field: the last ones, or the first one of In-Reply-To
// (RFC 5256 §3).
func (r *reader) take(field []byte, limit int) {
	if field == nil {
		return
	}
	r.value = mime.AppendUnfolded(r.value[:0], field)
	for id := range mime.MessageIDs(r.value) {
		r.ids = append(r.ids, id...)
		if r.ends = append(r.ends, len(r.ids)); limit == 1 {
			return
		}
	}
}

// references yields the ids taken, the last maxReferences of them.
func (r *reader) references() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := max(0, len(r.ends)-maxReferences); i < len(r.ends); i++ {
			start := 0
			if i > 0 {
				start = r.ends[i-1]
			}
			if !yield(r.ids[start:r.ends[i]]) {
				return
			}
		}
	}
}
