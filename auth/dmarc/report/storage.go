package report

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
)

// ErrFull: there is no room for what is to be counted.
var ErrFull = errors.New("report: storage is full")

// Storage keeps what was counted until it is reported. Its methods may be called
// from any number of goroutines.
type Storage interface {
	// Add adds to the counts: all of them or, with an error, none, unless the
	// error says that nobody knows. What there is no room for is dropped, and
	// how many messages that are is returned.
	Add(ctx context.Context, counted []Counted) (dropped int64, err error)
	// Due returns up to limit reports of days before one, those of the earliest
	// days first, behind a key in that order; the zero Key is before all.
	Due(ctx context.Context, before Day, after Key, limit int) ([]Key, error)
	// Load returns a report with Policy and Records, in no order; nil where
	// nothing was counted.
	Load(ctx context.Context, key Key) (*Report, error)
	// Delete forgets a report, whether it is there or not.
	Delete(ctx context.Context, key Key) error
}

// Hash tells records apart: it is the same for two that differ in Count alone.
func (r *Record) Hash() (sum [sha256.Size]byte) {
	w := recordHash{h: sha256.New()}
	w.text(r.SourceIP.String(), r.Disposition, r.DKIM, r.SPF, r.HeaderFrom, r.EnvelopeFrom, r.EnvelopeTo)
	w.number(len(r.Reasons))
	for _, x := range r.Reasons {
		w.text(x.Type, x.Comment)
	}
	for _, list := range [...][]Result{r.DKIMResults, r.SPFResults} {
		w.number(len(list))
		for _, x := range list {
			w.text(x.Domain, x.Result, x.Selector, x.Scope, x.Text)
		}
	}
	w.h.Sum(sum[:0])
	return sum
}

type recordHash struct {
	h   hash.Hash
	buf []byte
}

func (w *recordHash) number(n int) {
	w.buf = binary.BigEndian.AppendUint64(w.buf[:0], uint64(n))
	w.h.Write(w.buf)
}

func (w *recordHash) text(list ...string) {
	for _, s := range list {
		w.buf = append(binary.BigEndian.AppendUint64(w.buf[:0], uint64(len(s))), s...)
		w.h.Write(w.buf)
	}
}

// less is the order of Due.
func (k Key) less(other Key) bool {
	return k.Day < other.Day || k.Day == other.Day && k.Domain < other.Domain
}

// size is the memory that a record takes, about.
func (r *Record) size() int64 {
	const overhead = 300
	n := overhead + len(r.HeaderFrom) + len(r.EnvelopeFrom) + len(r.EnvelopeTo)
	for _, x := range r.Reasons {
		n += 32 + len(x.Type) + len(x.Comment)
	}
	for _, list := range [...][]Result{r.DKIMResults, r.SPFResults} {
		for _, x := range list {
			n += 80 + len(x.Domain) + len(x.Result) + len(x.Selector) + len(x.Scope) + len(x.Text)
		}
	}
	return int64(n)
}
