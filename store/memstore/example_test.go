package memstore_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// A message is delivered, flagged and found again by what changed.
func Example() {
	ctx := context.Background()
	s := memstore.New(nil)
	defer s.Close()
	if err := s.Create(ctx, "alice@example.org", store.AccountInfo{}); err != nil {
		log.Fatal(err)
	}
	alice, err := s.Open(ctx, "alice@example.org")
	if err != nil {
		log.Fatal(err)
	}
	inbox, err := store.MailboxByName(ctx, alice, store.Inbox)
	if err != nil {
		log.Fatal(err)
	}
	r, err := store.AppendMessage(ctx, s, alice, "queue-id 1", store.NewMessage{
		Mailbox: inbox.ID, Body: strings.NewReader("Subject: hello\r\n\r\nhi\r\n"), BodySize: -1,
	})
	if err != nil {
		log.Fatal(err)
	}
	flag := store.SetFlags{Mailbox: inbox.ID, UIDs: r.Ops[0].Dest, Flags: store.Seen}
	if _, err := alice.Apply(ctx, store.Change{Ops: []store.Op{flag}}); err != nil {
		log.Fatal(err)
	}
	for m, err := range alice.Messages(ctx, inbox.ID, store.Query{Since: r.ModSeq}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("UID", m.UID, "seen:", m.Flags&store.Seen != 0)
	}
	// Output: UID 1 seen: true
}
