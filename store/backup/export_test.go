package backup

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup/format"
)

// DirOn is a Dir on a file system of the test's.
func DirOn(fs vfs.FS, path string) *Dir { return format.NewDirOn(fs, path) }

// Dump is an account as a backup has it, a line each, in the form of dump in
// the tests.
func (a *Archive) Dump(ctx context.Context, id string, account store.AccountID) ([]string, error) {
	m, err := a.Manifest(ctx, id)
	if err != nil {
		return nil, err
	}
	c, err := format.NewCodec()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ch, err := format.OpenChain(ctx, a.Target, c, a.Limits.WithDefaults(), m.Entry(account, ""), strict)
	if err != nil {
		return nil, err
	}
	defer ch.Close()
	boxes, gone, err := ch.Mailboxes()
	if err != nil {
		return nil, err
	}
	out := []string{fmt.Sprintf("modseq %d", m.Entry(account, "").ModSeq)}
	for _, box := range slices.Concat(boxes, gone) {
		out = append(out, MailboxLine(box))
		if box.Gone || box.NoSelect {
			continue
		}
		for m, err := range ch.Messages(box) {
			if err != nil {
				return nil, err
			}
			out = append(out, MessageLine(box.ID, &m.Message, m.Body))
		}
	}
	live := map[store.MailboxID]bool{{}: true}
	for _, box := range boxes {
		live[box.ID] = true
	}
	for e, err := range ch.Entries() {
		if err != nil {
			return nil, err
		}
		if live[e.Mailbox] {
			out = append(out, EntryLine(e))
		}
	}
	slices.Sort(out)
	return out, nil
}

// MailboxLine, MessageLine and EntryLine are all that there is to know.
// RecentFrom is left out: it may be lost.
func MailboxLine(m store.Mailbox) string {
	if m.RecentFrom = 0; m.Gone {
		m = store.Mailbox{ID: m.ID, Name: m.Name, ModSeq: m.ModSeq, Gone: true}
	}
	return fmt.Sprintf("mailbox %+v", m)
}

// MessageLine is a line of a message.
func MessageLine(box store.MailboxID, m *store.Message, body Hash) string {
	if m.Gone {
		return fmt.Sprintf("message %s %010d gone at %d", box, m.UID, m.ModSeq)
	}
	return fmt.Sprintf("message %s %010d at %d: %05b %v size %d received %s saved %d ids %s %s key %x prefix %q body %s",
		box, m.UID, m.ModSeq, m.Flags, m.Keywords, m.Size, m.Received.Format(time.RFC3339), m.Saved.Unix(),
		m.EmailID, m.ThreadID, m.Key, m.Prefix, body)
}

// EntryLine is a line of an entry.
func EntryLine(e store.Entry) string {
	if e.Gone {
		return fmt.Sprintf("entry %s %q gone at %d", e.Mailbox, e.Key, e.ModSeq)
	}
	return fmt.Sprintf("entry %s %q at %d: %q expires %d", e.Mailbox, e.Key, e.ModSeq, e.Value, e.Expires.Unix())
}
