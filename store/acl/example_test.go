package acl_test

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/acl"
	"github.com/mailstead/mailstead/store/memstore"
)

// alice gives bob the right to read her INBOX.
func Example() {
	ctx := context.Background()
	st := memstore.New(nil)
	defer st.Close()
	for _, id := range []store.AccountID{"alice@example.org", "bob@example.org"} {
		if err := st.Create(ctx, id, store.AccountInfo{}); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := share(ctx, st); err != nil {
		fmt.Println(err)
	}
	// Output:
	// bob may read: true, and write: false
	// {Accounts:2 Added:0 Removed:0}
}

func share(ctx context.Context, st store.Store) error {
	account, err := st.Open(ctx, "alice@example.org")
	if err != nil {
		return err
	}
	box, err := store.MailboxByName(ctx, account, "INBOX")
	if err != nil {
		return err
	}
	err = acl.Set(ctx, st, "alice@example.org", box.ID, "bob@example.org",
		acl.Modification{Rights: acl.Lookup | acl.Read | acl.Seen})
	if err != nil {
		return err
	}
	list, err := acl.ReadList(ctx, account, box.ID)
	if err != nil {
		return err
	}
	bob := list.Of("bob@example.org")
	fmt.Printf("bob may read: %v, and write: %v\n", bob.Has(acl.Read), bob.Has(acl.Write))
	report, err := acl.Rebuild(ctx, st)
	fmt.Printf("%+v\n", report)
	return err
}
