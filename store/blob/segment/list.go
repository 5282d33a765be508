package segment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/mailstead/mailstead/store/blob"
)

func (s *Store) listBlobs(ctx context.Context, after blob.Ref) iter.Seq2[blob.Info, error] {
	return func(yield func(blob.Info, error) bool) {
		var from ref
		if after != "" {
			var ok bool
			if from, ok = parseRef(after); !ok {
				from = startAfter(after)
			}
		}
		for _, number := range s.numbers(from.number) {
			w := walk{s: s, ctx: ctx, headersOnly: true}
			if number == from.number {
				w.from = from.origin
			}
			if !s.walkCurrent(&w, number, func(g *segment, st step) bool {
				info := blob.Info{Ref: refOf(g, st.rec).text(), Size: st.rec.size, Created: time.Unix(st.rec.created, 0)}
				return info.Ref <= after || yield(info, nil)
			}) {
				return
			}
			if w.err != nil && (!yield(blob.Info{}, w.err) || ctx.Err() != nil) {
				return
			}
		}
	}
}

// startAfter places a text that is no Ref of ours among them.
func startAfter(after blob.Ref) ref {
	if after < "s" {
		return ref{}
	}
	if len(after) >= 11 {
		if n, ok := parseHex(string(after[1:11])); ok && after[0] == 's' {
			return ref{number: n}
		}
	}
	return ref{}
}

func refOf(g *segment, h recHeader) ref {
	return ref{number: g.number, origin: h.origin, size: h.size, sum: h.sum}
}

// numbers returns the numbers of the segments from one on, ascending.
func (s *Store) numbers(from uint64) []uint64 {
	var ns []uint64
	for _, g := range s.list() {
		if g.number >= from {
			ns = append(ns, g.number)
		}
	}
	slices.SortFunc(ns, cmp.Compare)
	return ns
}

// walk goes over the living records of a segment.
type walk struct {
	s           *Store
	ctx         context.Context
	headersOnly bool
	from        int64  // an origin to start at; zero is the beginning
	err         error  // of the file system, or blob.ErrCorrupt for what is unreadable as a whole
	damaged     []step // ranges that are no records, or whose bodies do not match
}

// walkCurrent walks over the current generation of a segment. It reports
// false when visit did.
func (s *Store) walkCurrent(w *walk, number uint64, visit func(*segment, step) bool) bool {
	for range 8 {
		if s.closed.Load() {
			w.err = blob.ErrClosed
			return true
		}
		g := s.lookup(number)
		if g == nil {
			return true
		}
		err := s.acquire(g)
		if gone(err) && s.lookup(number) != g {
			continue
		}
		if err != nil {
			w.err = fmt.Errorf("segment: %s: %w", g.name(), err)
			return true
		}
		defer s.release(g)
		return w.over(g, visit)
	}
	w.err = errors.New("segment: replaced again and again")
	return true
}

// over walks over g, to which the caller has a reference.
func (w *walk) over(g *segment, visit func(*segment, step) bool) bool {
	g.mu.RLock()
	damage, dead := g.damage, g.dead // bury replaces dead, it never changes it
	g.mu.RUnlock()
	if damage != nil {
		w.err = fmt.Errorf("segment: %s: %w: %w", g.name(), blob.ErrCorrupt, damage)
		return true
	}
	sc := &scanner{f: g.file, g: g, off: g.startAt(w.from), end: g.end.Load()}
	var buf []byte
	if !w.headersOnly {
		buf = make([]byte, chunkFor(sc.end))
	}
	for {
		if w.err = w.ctx.Err(); w.err != nil {
			return true
		}
		st, ok, err := sc.next()
		if err != nil {
			w.err = fmt.Errorf("segment: %s: %w", g.name(), err)
			return true
		}
		if !ok {
			return true
		}
		if st.damaged {
			g.mu.RLock()
			known := g.isAside(st)
			g.mu.RUnlock()
			if !known {
				w.damaged = append(w.damaged, st)
			}
			continue
		}
		if _, gone := slices.BinarySearchFunc(dead, st.rec.origin, byOrigin); gone {
			continue
		}
		if !w.headersOnly {
			if err := checkBody(g.file, st.off, st.rec, buf); isIO(err) {
				w.err = fmt.Errorf("segment: %s: %w", g.name(), err)
				return true
			} else if err != nil {
				w.damaged = append(w.damaged, st)
				continue
			}
		}
		if !visit(g, st) {
			return false
		}
	}
}

// startAt returns where to start reading to meet every record from an origin
// on: there, if a record of that origin is or was there, else the beginning.
func (g *segment) startAt(origin int64) int64 {
	off, ok := g.locate(origin)
	if !ok || off < fileHeaderSize {
		return fileHeaderSize
	}
	if h, err := readRecHeader(g.file, off, g.header.seed); err != nil || h.origin != origin {
		return fileHeaderSize
	}
	return off
}

// Damage is one place that Verify found to be wrong.
type Damage struct {
	Ref    blob.Ref // "" where the record's own header is unreadable
	File   string   // base name
	Offset int64
	Octets int64
}

// VerifyReport is what Verify found.
type VerifyReport struct {
	Blobs   int64 // good ones
	Bytes   int64 // in them
	Damaged []Damage
}

// Verify reads every living blob and compares its checksum. It changes
// nothing: damaged octets stay where they are, and Open returns
// blob.ErrCorrupt for them. What was set aside before is not found again: it
// is in Recovery and the quarantine. The error is blob.ErrCorrupt when there is any
// damage, or the failures of the file system.
func (s *Store) Verify(ctx context.Context) (VerifyReport, error) {
	var rep VerifyReport
	var errs []error
	for _, number := range s.numbers(0) {
		w := walk{s: s, ctx: ctx}
		s.walkCurrent(&w, number, func(_ *segment, st step) bool {
			rep.Blobs++
			rep.Bytes += st.rec.size
			return true
		})
		if w.err != nil {
			errs = append(errs, w.err)
		}
		if err := ctx.Err(); err != nil {
			return rep, err
		}
		rep.Damaged = append(rep.Damaged, s.describe(number, w.damaged)...)
	}
	if len(rep.Damaged) > 0 {
		errs = append(errs, fmt.Errorf("segment: %d damaged places: %w", len(rep.Damaged), blob.ErrCorrupt))
	}
	return rep, errors.Join(errs...)
}

// describe reports damaged ranges of a segment.
func (s *Store) describe(number uint64, steps []step) (ds []Damage) {
	g := s.lookup(number)
	if g == nil {
		return nil
	}
	for _, st := range steps {
		d := Damage{File: g.name(), Offset: st.off, Octets: st.len}
		if !st.damaged {
			d.Ref = refOf(g, st.rec).text()
		}
		s.log.Error("segment store: damage", "file", d.File, "offset", d.Offset, "octets", d.Octets, "ref", string(d.Ref))
		ds = append(ds, d)
	}
	return ds
}
