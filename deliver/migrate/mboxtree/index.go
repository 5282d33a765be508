package mboxtree

import (
	"bufio"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/mbox"
)

// entry is one message of a file.
type entry struct {
	off, end int64 // of the separator, and of what follows the message
	size     int64 // with CRLF
	date     int64
	digest   migrate.Digest
	print    migrate.Print
	nth      uint32 // of those that have the same date and digest
	flags    store.Flags
	own      string // X-Migrate-Id
	keywords []string
}

// id is the date, and the digest or the own name.
func (e *entry) id() string {
	date := fmt.Sprintf("%010d-", min(max(e.date, 0), 9_999_999_999))
	if e.own != "" {
		return date + e.own
	}
	return fmt.Sprintf("%s%s-%05d", date, hex.EncodeToString(e.digest[:]), e.nth)
}

// index is what a file held when it was read.
type index struct {
	list []entry // in order of the file
	size int64
	time time.Time
}

// readIndex reads a file up to size.
func readIndex(ctx context.Context, f vfs.File, size int64, format mbox.Format) (*index, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	x := &index{size: min(size, info.Size()), time: info.ModTime()}
	r := mbox.NewReader(io.NewSectionReader(f, 0, x.size), mbox.Options{Format: format})
	in := bufio.NewReaderSize(nil, 64<<10)
	var exam migrate.Examiner
	skipped := false
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m, err := r.Next()
		if len(x.list) > 0 && !skipped {
			end := x.size
			if m != nil {
				end = m.Offset
			}
			x.list[len(x.list)-1].end = end
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		in.Reset(m)
		meta, body, err := split(in)
		if err != nil {
			return nil, err
		}
		facts, err := exam.Examine(body, m.Date)
		if err != nil {
			return nil, err
		}
		if skipped = meta.skip; skipped {
			continue
		}
		x.list = append(x.list, entry{
			off: m.Offset, size: facts.Size, date: m.Date.Unix(), digest: facts.Digest, print: facts.Print,
			flags: meta.flags, own: meta.id, keywords: meta.keywords,
		})
	}
	x.number()
	return x, nil
}

// number tells equal messages apart.
func (x *index) number() {
	order := x.order()
	for i := 1; i < len(order); i++ {
		a, b := order[i-1], order[i]
		if a.own == b.own && a.date == b.date && a.digest == b.digest {
			b.nth = a.nth + 1
		}
	}
}

// order lists the entries in order of their ids.
func (x *index) order() []*entry {
	out := make([]*entry, len(x.list))
	for i := range x.list {
		out[i] = &x.list[i]
	}
	slices.SortStableFunc(out, func(a, b *entry) int {
		if c := cmp.Compare(max(a.date, 0), max(b.date, 0)); c != 0 {
			return c
		}
		return cmp.Compare(a.id(), b.id())
	})
	return out
}
