package segment

import (
	"context"

	"github.com/mailstead/mailstead/store/blob"
)

var _ blob.Stater = (*Store)(nil)

// Stat implements blob.Stater: it reads the header of the record, and the body
// only to judge a header that does not match.
func (s *Store) Stat(ctx context.Context, t blob.Ref) (size int64, err error) {
	sure := false
	err = s.visit(ctx, t, func(g *segment, r ref) (err error) {
		defer s.release(g)
		size = r.size
		sure, err = g.matches(r)
		return err
	})
	if err != nil {
		return 0, err
	}
	if sure {
		return size, nil
	}
	b, err := s.Open(ctx, t)
	if err != nil {
		return 0, err
	}
	return size, b.Close()
}

// matches reports whether the record of r is alive and has its header.
func (g *segment) matches(r ref) (bool, error) {
	off, err := g.find(r)
	if err != nil {
		return false, err
	}
	var b [recHeaderSize]byte
	if n, _ := g.file.ReadAt(b[:], off); n < len(b) {
		return false, nil
	}
	h, err := parseRecHeader(b[:], g.header.seed)
	return err == nil && h.origin == r.origin && h.size == r.size && h.sum == r.sum, nil
}
