package route

import (
	"context"
	"io"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob"
)

// source is a body that can be read more than once: where it lies in a blob
// store it is read from there, and stays known to receivers on that store.
type source struct {
	open    blob.Blob // nil = spooled
	stored  blob.Stored
	trace   []byte
	spooled *smtp.Spooled
}

func newSource(ctx context.Context, b *smtp.Body) (*source, error) {
	if s, ok := b.Stored().(blob.Stored); ok && s.In != nil {
		open, err := blob.OpenKeyed(ctx, s.In, s.Ref, s.Key)
		if err != nil {
			return nil, err
		}
		return &source{open: open, stored: s, trace: b.Trace()}, nil
	}
	spooled, err := smtp.Spool(b, smtp.SpoolOptions{})
	if err != nil {
		return nil, err
	}
	return &source{spooled: spooled}, nil
}

func (s *source) body() *smtp.Body {
	if s.open == nil {
		return s.spooled.Body()
	}
	return smtp.NewStoredBody(io.NewSectionReader(s.open, 0, s.open.Size()), s.open.Size(), s.stored, s.trace)
}

func (s *source) close() {
	if s.open == nil {
		s.spooled.Close()
		return
	}
	s.open.Close()
}
