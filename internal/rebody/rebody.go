// Package rebody reads the body of a message more than once: from where it
// lies, if it lies in a blob store, else from a copy.
package rebody

import (
	"context"
	"io"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob"
)

// Source is a body that was read to its clean end. Any number of goroutines may
// call Body; Close comes last.
type Source struct {
	open    blob.Blob // nil = spooled
	stored  blob.Stored
	trace   []byte
	spooled *smtp.Spooled
}

// New makes a Source of b. The error is that of the body or of where it lies; then
// nobody has the message.
func New(ctx context.Context, b *smtp.Body) (*Source, error) {
	if s, ok := b.Stored().(blob.Stored); ok && s.In != nil {
		open, err := blob.OpenKeyed(ctx, s.In, s.Ref, s.Key)
		if err != nil {
			return nil, err
		}
		return &Source{open: open, stored: s, trace: b.Trace()}, nil
	}
	spooled, err := smtp.Spool(b, smtp.SpoolOptions{})
	if err != nil {
		return nil, err
	}
	return &Source{spooled: spooled, trace: spooled.Trace()}, nil
}

// Body is a new Body from the start, which knows where it lies.
func (s *Source) Body() *smtp.Body {
	if s.open == nil {
		return s.spooled.Body()
	}
	return smtp.NewStoredBody(io.NewSectionReader(s.open, 0, s.open.Size()), s.open.Size(), s.stored, s.trace)
}

// Head is the first octets of the message, trace fields included: n of them, or
// as many as there are.
func (s *Source) Head(n int) ([]byte, error) {
	head := append(make([]byte, 0, n), s.trace[:min(n, len(s.trace))]...)
	rest, err := io.ReadAll(io.LimitReader(s.Body(), int64(n-len(head))))
	return append(head, rest...), err
}

// Trace is the header fields in front of the body, newest first.
func (s *Source) Trace() []byte { return s.trace }

// Close frees what the Source holds.
func (s *Source) Close() error {
	if s.open == nil {
		return s.spooled.Close()
	}
	return s.open.Close()
}
