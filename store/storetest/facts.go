package storetest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/store"
)

// Facts are what a copy of an account that was made through Import has to keep,
// a sorted line each: mailboxes with UIDVALIDITY and counters, messages with
// UID, ModSeq, state and a hash of their octets, entries. They leave out what
// an import chooses itself: where bodies lie and their keys, ids of INBOX and of
// NoSelect names, ModSeqs of mailboxes and entries, and the counters that move
// ahead; and tombstones, which lie below the purge mark there. Two engines with the same mail have the same Facts.
func Facts(ctx context.Context, a store.Account) ([]string, error) {
	boxes, _, err := a.Mailboxes(ctx, 0)
	if err != nil {
		return nil, err
	}
	names := map[store.MailboxID]string{{}: ""}
	var out []string
	for i := range boxes {
		m := &boxes[i]
		names[m.ID] = m.Name
		id := m.ID.String()
		if m.NoSelect || m.Name == store.Inbox {
			id = "-"
		}
		out = append(out, fmt.Sprintf("mailbox %q %s validity %d role %q subscribed %v noselect %v messages %d unseen %d deleted %d bytes %d",
			m.Name, id, m.UIDValidity, m.Role, m.Subscribed, m.NoSelect, m.Messages, m.Unseen, m.Deleted, m.Bytes))
		if m.NoSelect {
			continue
		}
		if out, err = messageFacts(ctx, a, m, out); err != nil {
			return nil, err
		}
	}
	for e, err := range a.Entries(ctx, store.EntryQuery{All: true}) {
		if err != nil {
			return nil, err
		}
		if e.Mailbox.IsZero() && strings.HasPrefix(e.Key, "backup/") {
			continue // a restore's own marks
		}
		out = append(out, fmt.Sprintf("entry %q %q: %q expires %d", names[e.Mailbox], e.Key, e.Value, e.Expires.Unix()))
	}
	slices.Sort(out)
	return out, nil
}

func messageFacts(ctx context.Context, a store.Account, box *store.Mailbox, out []string) ([]string, error) {
	for m, err := range a.Messages(ctx, box.ID, store.Query{Fields: allFields}) {
		if err != nil {
			return nil, err
		}
		c, err := a.Content(ctx, box.ID, m.UID)
		if err != nil {
			return nil, err
		}
		sum := sha256.New()
		_, err = io.Copy(sum, io.NewSectionReader(c, 0, c.Size()))
		c.Close()
		if err != nil {
			return nil, err
		}
		out = append(out, fmt.Sprintf("message %q %d at %d: %05b %v size %d received %s saved %s ids %s %s prefix %q octets %x",
			box.Name, m.UID, m.ModSeq, m.Flags, m.Keywords, m.Size, m.Received.Format(time.RFC3339), m.Saved.UTC().Format(time.RFC3339),
			m.EmailID, m.ThreadID, m.Prefix, sum.Sum(nil)))
	}
	return out, nil
}
