package migrate_test

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/imapaccount"
	"github.com/mailstead/mailstead/deliver/migrate/storeaccount"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/store"
)

// An account of a server moves into a store.
func Example() {
	pull := func(ctx context.Context, store store.Store, dialer *imapclient.Dialer) error {
		dst, err := storeaccount.New(ctx, store, "ann@example.org", storeaccount.Options{Create: true})
		if err != nil {
			return err
		}
		src, err := imapaccount.New(ctx, imapaccount.Options{
			Name: "imap://ann@old.example.org/",
			Dial: func(ctx context.Context) (*imapclient.Client, error) {
				return dialer.Dial(ctx, "tcp", "old.example.org:993")
			},
		})
		if err != nil {
			return err
		}
		defer src.Close()
		report, err := migrate.Run(ctx, src, dst, migrate.Options{Verify: migrate.VerifyBodies})
		for _, s := range report.Skips {
			fmt.Println(s.Mailbox, s.ID, s.Reason, s.Err)
		}
		return err
	}
	_ = pull
}
