package queue

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// ShapeBy is what Shape counts jobs by.
type ShapeBy uint8

// The ways to count.
const (
	ByDestination ShapeBy = iota
	BySender              // the reverse-path, folded
	ByIdentity
)

// ShapeAges are the upper ends of the columns of a Shape; a last column is for
// what is older.
func ShapeAges() [ShapeColumns - 1]time.Duration {
	var ages [ShapeColumns - 1]time.Duration
	for i := range ages {
		ages[i] = 5 * time.Minute << i
	}
	return ages
}

// ShapeColumns is the number of columns: up to 5, 10, 20, … 1,280 minutes, and
// older.
const ShapeColumns = 10

// ShapeRow is one destination or sender.
type ShapeRow struct {
	Key   string
	Total int64
	Ages  [ShapeColumns]int64 // jobs by the time since they were accepted
}

// Shape is the age distribution of the jobs that f selects: one row for each
// destination or sender, the fullest first, at most top of them (zero = all). It
// shows at a glance whether a queue grows at its end or is stuck in its depth.
// It reads all those jobs, and keeps one row for each key in memory.
func Shape(ctx context.Context, s Storage, f Filter, by ShapeBy, now time.Time, top int) ([]ShapeRow, error) {
	rows := make(map[string]*ShapeRow)
	ages := ShapeAges()
	for j, err := range s.List(ctx, f) {
		if err != nil {
			return nil, err
		}
		key := j.Destination
		switch by {
		case BySender:
			key = FoldPath(j.ReversePath.String())
		case ByIdentity:
			key = j.Identity
		}
		r := rows[key]
		if r == nil {
			r = &ShapeRow{Key: key}
			rows[key] = r
		}
		r.Total++
		column := 0
		for column < len(ages) && now.Sub(j.Created) > ages[column] {
			column++
		}
		r.Ages[column]++
	}
	out := make([]ShapeRow, 0, len(rows))
	for _, r := range rows {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b ShapeRow) int {
		return cmp.Or(-cmp.Compare(a.Total, b.Total), cmp.Compare(a.Key, b.Key))
	})
	if top > 0 && len(out) > top {
		out = out[:top]
	}
	return out, nil
}
