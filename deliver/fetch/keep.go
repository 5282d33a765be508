package fetch

import (
	"slices"
	"time"
)

// choose returns the messages that may go, of those that were fetched.
func (k *Keep) choose(items []listed, quota func() (used, limit int64), now time.Time) []*listed {
	var going, staying []*listed
	var left int64
	for i := range items {
		l := &items[i]
		switch {
		case l.done() && l.rec.Elsewhere && !k.Elsewhere:
		case l.done() && k.goes(l, now):
			going = append(going, l)
			continue
		case l.done():
			staying = append(staying, l)
		}
		left += max(l.Size, 0)
	}
	excess := k.excess(left, quota)
	if excess <= 0 {
		return going
	}
	slices.SortStableFunc(staying, func(a, b *listed) int { return a.rec.Fetched.Compare(b.rec.Fetched) })
	for _, l := range staying {
		if excess <= 0 {
			break
		}
		excess -= max(l.Size, 0)
		going = append(going, l)
	}
	return going
}

// goes reports that a message that was fetched need not stay.
func (k *Keep) goes(l *listed, now time.Time) bool {
	if k.MaxSize > 0 && l.Size > k.MaxSize {
		return true
	}
	return !k.Always && now.Sub(l.rec.Fetched) >= k.For && (!k.UntilSeen || l.Seen)
}

// excess is by how many octets too much stays.
func (k *Keep) excess(left int64, quota func() (used, limit int64)) (n int64) {
	if k.MaxBytes > 0 {
		n = left - k.MaxBytes
	}
	if k.MaxPercent > 0 {
		if used, limit := quota(); limit > 0 {
			n = max(n, min(used, left)-limit/100*int64(k.MaxPercent))
		}
	}
	return n
}
