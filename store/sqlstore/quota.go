package sqlstore

import "github.com/mailstead/mailstead/store"

// precheck refuses, before the first write, what a later Op of the Change
// would be refused for: then nothing has to be undone, and the other Changes
// of the batch do not run twice. It need not find everything.
func (c *change) precheck() error {
	if len(c.ops) < 2 {
		return nil
	}
	made := make(map[store.MailboxID]bool)
	var bytes, messages int64
	for _, op := range c.ops {
		switch op := op.(type) {
		case store.PutMailbox:
			if !op.Create {
				return nil // what follows is judged on what this does
			}
			made[op.ID] = true
		case store.Append:
			if err := c.accepts(); err != nil {
				return err
			}
			if _, err := c.a.holds(op.Mailbox); err != nil && !made[op.Mailbox] {
				return err
			}
			messages++
			bytes += op.Size + int64(len(op.Prefix))
			if err := c.room(bytes, messages, op.IgnoreQuota); err != nil {
				return err
			}
		case store.PutEntry:
			if err := c.checkEntry(&op); err != nil && (op.Mailbox.IsZero() || !made[op.Mailbox]) {
				return err
			}
		case store.SetFlags, store.ClaimRecent:
		default:
			return nil
		}
	}
	return nil
}

// room judges the quota for what is to be added.
func (c *change) room(bytes, messages int64, ignore bool) error {
	l, u := c.a.info.Limits, c.a.usage
	if !ignore && (over(u.Bytes+bytes, l.Bytes) || over(u.Messages+messages, l.Messages)) {
		return store.ErrOverQuota
	}
	return nil
}

// roomForBoxes judges the quota of mailboxes.
func (c *change) roomForBoxes(n int64) error {
	if over(c.a.usage.Mailboxes+n, c.a.info.Limits.Mailboxes) {
		return store.ErrOverQuota
	}
	return nil
}

func over(used, limit int64) bool { return limit > 0 && used > limit }

// accepts refuses deliveries by the account's state.
func (c *change) accepts() error {
	switch c.a.info.State {
	case store.AccountImporting:
		return store.ErrImporting
	case store.AccountClosed:
		return store.ErrClosedAcct
	}
	return nil
}
