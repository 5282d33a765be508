package store

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
