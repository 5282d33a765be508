package watch_test

import (
	"context"
	"log"
	"os"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/imap/imapclient/watch"
)

// A watcher of one mailbox that prints the UIDs of new messages, for ever.
func Example() {
	w := &watch.Watcher{
		Dialer: &imapclient.Dialer{Auth: login.Client{Credentials: saslmech.Credentials{
			Username: "alice@example.org", Password: os.Getenv("IMAP_PASSWORD"),
		}}},
		Addr: "imap.example.org:993",
	}
	for ev, err := range w.Events(context.Background()) {
		if err != nil {
			log.Print(err) // it goes on by itself
			continue
		}
		if ev.Kind == watch.New {
			log.Printf("%s: new message %d", ev.Mailbox, ev.UID)
		}
	}
}
