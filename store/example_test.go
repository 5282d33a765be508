package store_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// What every user of a store does: make an account, add a message, flag it,
// and read what changed.
func Example() {
	if err := example(context.Background(), memstore.New(nil)); err != nil {
		log.Fatal(err)
	}
	// Output:
	// UID 1
	// flagged 1
	// UID 1, flags changed: true
}

func example(ctx context.Context, s store.Store) error {
	defer s.Close()
	if err := s.Create(ctx, "alice@example.org", store.AccountInfo{}); err != nil {
		return err
	}
	alice, err := s.Open(ctx, "alice@example.org")
	if err != nil {
		return err
	}
	inbox, err := store.MailboxByName(ctx, alice, store.Inbox)
	if err != nil {
		return err
	}

	// AppendMessage stores the body, describes it and applies one Change.
	body := "Subject: hello\r\n\r\nHello.\r\n"
	added, err := store.AppendMessage(ctx, s, alice, "example-1", store.NewMessage{
		Mailbox: inbox.ID, Body: strings.NewReader(body), BodySize: int64(len(body)),
	})
	if err != nil {
		return err
	}
	uids := added.Ops[0].Dest
	fmt.Println("UID", uids.Max())

	// A change that is already true takes no ModSeq; this one is not.
	flagged, err := alice.Apply(ctx, store.Change{Ops: []store.Op{
		store.SetFlags{Mailbox: inbox.ID, UIDs: uids, Mode: store.FlagsAdd, Flags: store.Flagged},
	}})
	if err != nil {
		return err
	}
	fmt.Println("flagged", flagged.Ops[0].Changed)

	// Everything that happened since the message came in.
	for m, err := range alice.Messages(ctx, inbox.ID, store.Query{Since: added.ModSeq}) {
		if err != nil {
			return err
		}
		fmt.Printf("UID %d, flags changed: %t\n", m.UID, m.Flags&store.Flagged != 0)
	}
	return nil
}
