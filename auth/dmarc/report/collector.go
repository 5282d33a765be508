package report

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/mailstead/mailstead/internal/reportmail"
)

const (
	maxReports = 10_000
	maxCounted = 10_000
	maxMemory  = 64 << 20
)

// Collector counts messages in memory. It is a Storage by itself, or gathers
// what another one keeps: see Flush and Run. The zero value is ready. It must
// not be copied.
type Collector struct {
	// MaxReports bounds the reports of all days; 0 = 10,000.
	MaxReports int

	// MaxRecords bounds the records of a report; 0 = 10,000.
	MaxRecords int

	// MaxBytes bounds the memory of all, about; 0 = 64 MiB.
	MaxBytes int64

	// Logger is told of what Run cannot keep; nil = nobody.
	Logger *slog.Logger

	mu      sync.Mutex // guards what follows; a leaf
	reports map[Key]*counts
	bytes   int64
	dropped int64
}

var _ Storage = (*Collector)(nil)

// counts is a report in the making.
type counts struct {
	policy  Policy
	records map[[sha256.Size]byte]*Record
	bytes   int64
}

// Count counts a message, if its domain wants to know of it. It does not wait
// for anything. Two kinds of messages that pass are not counted: reports, and
// those with the null reverse-path. So nobody is reported to about reports; what
// fails and says that it is one is counted.
func (c *Collector) Count(m *Message) {
	counted, ok := m.counted()
	if !ok {
		return
	}
	id := counted.Record.Hash()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.addLocked(&counted, id) {
		c.dropped++
	}
}

// Dropped is how many messages were not counted, as there was no room.
func (c *Collector) Dropped() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dropped
}

// addLocked adds to the counts, if there is room.
func (c *Collector) addLocked(counted *Counted, id [sha256.Size]byte) bool {
	const overhead = 600
	r := c.reports[counted.Key]
	if r != nil {
		if have := r.records[id]; have != nil {
			have.Count += counted.Record.Count
			r.policy = counted.Policy
			return true
		}
	}
	size := counted.Record.size()
	more := size
	if r == nil {
		more += overhead + int64(len(counted.Domain))
	}
	switch {
	case r == nil && len(c.reports) >= orDefault(c.MaxReports, maxReports),
		r != nil && len(r.records) >= orDefault(c.MaxRecords, maxCounted),
		c.bytes+more > orDefault(c.MaxBytes, int64(maxMemory)):
		return false
	}
	if r == nil {
		r = &counts{records: make(map[[sha256.Size]byte]*Record)}
		if c.reports == nil {
			c.reports = make(map[Key]*counts)
		}
		c.reports[counted.Key] = r
	}
	record := counted.Record
	r.policy, r.records[id] = counted.Policy, &record
	r.bytes += more
	c.bytes += more
	return true
}

// Add implements Storage.
func (c *Collector) Add(_ context.Context, list []Counted) (dropped int64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range list {
		if !c.addLocked(&list[i], list[i].Record.Hash()) {
			dropped += list[i].Record.Count
		}
	}
	c.dropped += dropped
	return dropped, nil
}

// Due implements Storage.
func (c *Collector) Due(_ context.Context, before Day, after Key, limit int) ([]Key, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var keys []Key
	for key := range c.reports {
		if key.Day < before && after.less(key) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b Key) int {
		if a.less(b) {
			return -1
		}
		return 1
	})
	return keys[:min(len(keys), limit)], nil
}

// Load implements Storage.
func (c *Collector) Load(_ context.Context, key Key) (*Report, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.reports[key]
	if r == nil {
		return nil, nil
	}
	rep := &Report{Policy: r.policy, Records: make([]Record, 0, len(r.records))}
	for _, record := range r.records {
		rep.Records = append(rep.Records, *record)
	}
	return rep, nil
}

// Delete implements Storage.
func (c *Collector) Delete(_ context.Context, key Key, loaded *Report) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.reports[key]
	if r == nil {
		return nil
	}
	if loaded != nil {
		c.subtractLocked(r, loaded)
	}
	if loaded == nil || len(r.records) == 0 {
		c.bytes -= r.bytes
		delete(c.reports, key)
	}
	return nil
}

// subtractLocked takes what was loaded off the counts.
func (c *Collector) subtractLocked(r *counts, loaded *Report) {
	for i := range loaded.Records {
		id := loaded.Records[i].Hash()
		have := r.records[id]
		if have == nil {
			continue
		}
		if have.Count -= loaded.Records[i].Count; have.Count <= 0 {
			delete(r.records, id)
			r.bytes -= have.size()
			c.bytes -= have.size()
		}
	}
}

// flushBatch is how many records are handed over at once.
const flushBatch = 1000

// Flush hands all that was counted to a Storage. What it does not take stays,
// and is handed over the next time.
func (c *Collector) Flush(ctx context.Context, s Storage) error {
	c.mu.Lock()
	reports := c.reports
	c.reports, c.bytes = nil, 0
	c.mu.Unlock()
	var batch []Counted
	var failed error
	hand := func() {
		if failed == nil {
			dropped, err := s.Add(ctx, batch)
			c.mu.Lock()
			c.dropped += dropped
			c.mu.Unlock()
			failed = err
		}
		if failed != nil {
			_, _ = c.Add(ctx, batch)
		}
		batch = batch[:0]
	}
	for key, r := range reports {
		for _, record := range r.records {
			if batch = append(batch, Counted{Key: key, Policy: r.policy, Record: *record}); len(batch) == flushBatch {
				hand()
			}
		}
	}
	if len(batch) > 0 {
		hand()
	}
	if failed != nil {
		return fmt.Errorf("report: flush: %w", failed)
	}
	return nil
}

// Run flushes every interval (0 = 1 min) until ctx ends, and once more then. A
// process that is killed loses what was counted since the last time.
func (c *Collector) Run(ctx context.Context, s Storage, interval time.Duration) {
	reportmail.EachMinute(ctx, interval, func(ctx context.Context) {
		if err := c.Flush(ctx, s); err != nil && c.Logger != nil {
			c.Logger.WarnContext(ctx, "counts for DMARC reports cannot be kept", "err", err)
		}
	})
}

func orDefault[T int | int64 | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}
