package store

import (
	"math"
	"math/bits"
)

// Check holds what an account has after a Change against its limits, given
// what it had before. Only what grew is judged, so that who is above already
// may do all that does not grow (I10). ErrOverQuota.
func (u Usage) Check(before Usage) error {
	over := func(now, was, limit int64) bool { return limit > 0 && now > limit && now > was }
	if over(u.Bytes, before.Bytes, u.Limits.Bytes) || over(u.Messages, before.Messages, u.Limits.Messages) ||
		over(u.Mailboxes, before.Mailboxes, u.Limits.Mailboxes) {
		return ErrOverQuota
	}
	return nil
}

// Percent is how full the account is: the greatest of the shares of its limits
// that are used, rounded down. Zero without limits; it may exceed 100. Package
// quotawatch reports when it passes thresholds.
func (u Usage) Percent() int {
	return max(percent(u.Bytes, u.Limits.Bytes), percent(u.Messages, u.Limits.Messages), percent(u.Mailboxes, u.Limits.Mailboxes))
}

func percent(used, limit int64) int {
	if limit <= 0 || used <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(used), 100)
	if hi >= uint64(limit) {
		return math.MaxInt32
	}
	n, _ := bits.Div64(hi, lo, uint64(limit))
	return int(min(n, math.MaxInt32))
}
