package rows

import (
	"time"

	"github.com/mailstead/mailstead/store"
)

// holds are those of a backend that keeps any.
func (r *run) holds() ([]store.Hold, error) {
	if h, ok := r.Tx.(Holder); ok {
		return h.Holds()
	}
	return nil, nil
}

// free takes those messages out of list that a hold covers. moving: a hold on
// the whole account does not count.
func (r *run) free(id store.MailboxID, list []*store.Message, moving bool) (free []*store.Message, held store.UIDSet, err error) {
	holds, err := r.holds()
	if err != nil || len(holds) == 0 {
		return list, nil, err
	}
	now := time.Now()
	for _, m := range list {
		if covered(holds, id, m, now, moving) {
			held.Add(m.UID)
		} else {
			free = append(free, m)
		}
	}
	return free, held, nil
}

func covered(holds []store.Hold, id store.MailboxID, m *store.Message, now time.Time, moving bool) bool {
	for _, h := range holds {
		if h.Covers(id, m.UID, m.Saved, now) && !(moving && h.Mailbox.IsZero()) {
			return true
		}
	}
	return false
}

// mayDelete refuses to delete a mailbox, whose messages are list, while a hold
// needs it.
func (r *run) mayDelete(id store.MailboxID, list []*store.Message) error {
	holds, err := r.holds()
	if err != nil {
		return err
	}
	for _, h := range holds {
		if h.Keep == 0 && h.Mailbox == id && h.Active(time.Now()) {
			return store.ErrHeld
		}
	}
	return r.noneHeld(id, list, false)
}

// mayMove refuses a rename of INBOX that would move messages out of a hold.
func (r *run) mayMove(id store.MailboxID) error {
	list, err := r.Messages(id, store.AllUIDs())
	if err != nil {
		return err
	}
	return r.noneHeld(id, list, true)
}

func (r *run) noneHeld(id store.MailboxID, list []*store.Message, moving bool) error {
	_, held, err := r.free(id, list, moving)
	if err == nil && len(held) > 0 {
		err = store.ErrHeld
	}
	return err
}

// mayDrop refuses to drop the account while a hold needs it.
func (r *run) mayDrop() error {
	holds, err := r.holds()
	if err != nil || len(holds) == 0 {
		return err
	}
	for _, h := range holds {
		if h.Keep == 0 && h.Active(time.Now()) {
			return store.ErrHeld
		}
	}
	live, err := r.live(store.PutMailbox{})
	if err != nil {
		return err
	}
	for _, m := range live {
		list, err := r.Messages(m.ID, store.AllUIDs())
		if err == nil {
			err = r.mayDelete(m.ID, list)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
