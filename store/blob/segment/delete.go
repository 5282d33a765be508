package segment

import (
	"context"
	"errors"
	"fmt"

	"github.com/mailstead/mailstead/store/blob"
)

// Delete implements blob.Blobs: it writes tombstones, one sync for all Refs
// of one segment. The space is free after the next Compact.
func (s *Store) Delete(ctx context.Context, refs ...blob.Ref) error {
	if err := s.usable(); err != nil {
		return err
	}
	perSegment := make(map[uint64][]ref)
	var order []uint64
	for _, t := range refs {
		r, ok := parseRef(t)
		if !ok {
			continue // never one of ours, so it is not there
		}
		if perSegment[r.number] == nil {
			order = append(order, r.number)
		}
		perSegment[r.number] = append(perSegment[r.number], r)
	}
	if err := s.lockMaint(ctx); err != nil {
		return err
	}
	defer s.unlockMaint()
	var errs []error
	newFiles := false
	for _, number := range order {
		if err := ctx.Err(); err != nil {
			errs = append(errs, err)
			break
		}
		isNew, err := s.deleteFrom(number, perSegment[number])
		if err != nil {
			errs = append(errs, fmt.Errorf("segment: delete from %d: %w", number, err))
		}
		newFiles = newFiles || isNew
	}
	if newFiles {
		if err := s.fs.SyncDir(s.dir); err != nil {
			errs = append(errs, s.fail(err))
		}
	}
	return errors.Join(errs...)
}

// lockMaint takes the right to write tombstones and to replace segments.
func (s *Store) lockMaint(ctx context.Context) error {
	select {
	case s.maint <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return blob.ErrClosed
	}
	if err := s.usable(); err != nil {
		s.unlockMaint()
		return err
	}
	return nil
}

func (s *Store) unlockMaint() { <-s.maint }

// deleteFrom marks records of one segment dead. isNew: the directory is to be
// synced.
func (s *Store) deleteFrom(number uint64, refs []ref) (isNew bool, err error) {
	g := s.lookup(number)
	if g == nil {
		return false, nil
	}
	if err := s.acquire(g); err != nil {
		return false, err
	}
	defer s.release(g)
	var ts []tombstone
	for _, r := range refs {
		if g.tombLocked(r.origin) != nil { // maint keeps the dead as they are
			continue
		}
		off, ok := g.locate(r.origin)
		if !ok || off+recordLen(r.size) > g.end.Load() {
			continue
		}
		h, err := readRecHeader(g.file, off, g.header.seed)
		if isIO(err) {
			return false, err
		}
		if err == nil && (h.origin != r.origin || h.size != r.size || h.sum != r.sum) {
			continue // some other record: the Ref is not there
		}
		ts = append(ts, tombstone{origin: r.origin, size: recordLen(r.size)})
	}
	if len(ts) == 0 {
		return false, nil
	}
	return s.bury(g, ts)
}
