package backup

import (
	"context"
	"sync/atomic"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// Holder keeps the collector away while backups run: it holds every blob for
// so long. A program has one, among the Holders of its blob.Collector, and
// gives it to each Backup. The zero value is ready.
type Holder struct{ running atomic.Int64 }

var _ blob.Holder = (*Holder)(nil)

// Holds implements blob.Holder.
func (h *Holder) Holds(_ context.Context, refs []blob.Ref) ([]blob.Ref, error) {
	if h.running.Load() > 0 {
		return refs, nil
	}
	return nil, nil
}

// begin holds until the func that it returns is called. nil holds nothing.
func (h *Holder) begin() (end func()) {
	if h == nil {
		return func() {}
	}
	h.running.Add(1)
	return func() { h.running.Add(-1) }
}

func holdsOf(list []store.Hold) []Hold {
	var out []Hold
	for _, h := range list {
		x := Hold{Name: h.Name, Reason: h.Reason, Until: h.Until, Keep: h.Keep}
		if !h.Mailbox.IsZero() {
			x.Mailbox = h.Mailbox.String()
		}
		for _, r := range h.UIDs {
			x.UIDs = append(x.UIDs, [2]uint32{uint32(r.First), uint32(r.Last)})
		}
		out = append(out, x)
	}
	return out
}
