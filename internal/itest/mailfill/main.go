// Command mailfill puts small messages into a mailbox of an account of the
// embedded engine, directly and 10,000 in one Change, so that large mailboxes for
// measurements take seconds. All share one body. No server may have the directory
// open.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqlite"
)

const message = "From: A <a@remote.example>\r\nTo: B <b@example.org>\r\nSubject: one of many\r\n" +
	"Date: Mon, 02 Nov 2026 10:00:00 +0000\r\nMessage-ID: <many@remote.example>\r\n\r\nText.\r\n"

func main() {
	data := flag.String("data", "", "the data `directory`")
	account := flag.String("account", "", "the account `name`, which is made when missing")
	mailbox := flag.String("mailbox", store.Inbox, "the mailbox `name`")
	n := flag.Int("n", 1000, "how many messages")
	flag.Parse()
	if err := fill(context.Background(), *data, store.AccountID(*account), *mailbox, *n); err != nil {
		fmt.Fprintln(os.Stderr, "mailfill:", err)
		os.Exit(1)
	}
}

func fill(ctx context.Context, data string, id store.AccountID, mailbox string, n int) (err error) {
	e, err := sqlite.Open(ctx, data, sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() {
		if cerr := e.Close(); err == nil {
			err = cerr
		}
	}()
	st := e.Store()
	a, err := st.Open(ctx, id)
	if err != nil {
		if err = st.Create(ctx, id, store.AccountInfo{}); err != nil {
			return err
		}
		if a, err = st.Open(ctx, id); err != nil {
			return err
		}
	}
	m, err := store.MailboxByName(ctx, a, mailbox)
	if err != nil {
		return err
	}
	op, err := store.PrepareAppend(ctx, st, store.NewMessage{
		Mailbox: m.ID, Body: strings.NewReader(message), BodySize: int64(len(message)), Flags: store.Seen,
	})
	if err != nil {
		return err
	}
	for n > 0 {
		var ops []store.Op
		for range min(n, 10_000) {
			op.EmailID = store.NewEmailID()
			ops = append(ops, op)
		}
		n -= len(ops)
		if _, err := a.Apply(ctx, store.Change{Ops: ops}); err != nil {
			return err
		}
	}
	return nil
}
