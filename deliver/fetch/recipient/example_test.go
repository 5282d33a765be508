package recipient_test

import (
	"context"
	"fmt"
	"io"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/fetch/recipient"
	"github.com/mailstead/mailstead/deliver/route"
	"github.com/mailstead/mailstead/smtp"
)

// A catch-all mailbox at a provider whose Postfix rewrites everything to the
// mailbox, and whose customer is moving from another domain.
func ExampleNew() {
	table, err := recipient.NewTable([]recipient.Row{{From: "old.example", To: "company.example"}}, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	resolver, err := recipient.New(recipient.Config{
		Accept:  []string{"company.example", "old.example"},
		Own:     []string{"catchall@company.example"},
		Trust:   recipient.Trust{Hosts: []string{"mx1.isp.example", "mx2.isp.example"}},
		Rules:   []recipient.Rule{{Name: "news", Field: "List-Id", Match: "news.lists.example", To: []string{"ann@company.example"}}},
		Map:     table,
		Default: []string{"office@company.example"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	result, err := resolver.Find(context.Background(), []byte("X-Original-To: bob@old.example\r\n"+
		"Delivered-To: catchall@company.example\r\n"+
		"Received: from mail.partner.example by mx1.isp.example with ESMTPS; Mon, 2 Nov 2026 10:00:00 +0100\r\n"+
		"To: sales@partner.example\r\n"))
	fmt.Println(result.Recipients, result.By, err)
	// Output: [bob@company.example] x-original-to <nil>
}

// Users move to a new server one after the other. The same rows say at RCPT that
// their addresses exist, and at each attempt where the mail goes.
func ExampleStages_Lookup() {
	var stages recipient.Stages
	local, old := discard(), discard()
	table, err := route.New(route.Config{
		Default: &deliver.SmartHost{Addr: "smtp.isp.example:587"},
		Targets: map[string]route.Target{
			"old":  {Receiver: old},
			"both": {Receiver: &recipient.Staged{Stages: &stages, New: local, Old: old}},
		},
		Lookup: stages.Lookup("old", "both"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	dir := table.Directory(&deliver.Accounts{
		Domains: []string{"company.example"},
		Find: func(context.Context, string) (deliver.Entry, error) {
			return deliver.Entry{Kind: deliver.Local, Account: "bob"}, nil
		},
	})
	bob := smtp.ForwardPath{Path: smtp.Path{Local: "bob", Domain: "company.example"}}
	for _, place := range []recipient.Place{recipient.PlaceOld, recipient.PlaceBoth, recipient.PlaceNew} {
		err := stages.Set([]recipient.Stage{{User: "bob@company.example", Place: place}})
		entry, lookupErr := deliver.LookupOne(context.Background(), dir, bob)
		fmt.Println(entry.Kind, entry.NextHop, err, lookupErr)
	}
	// Output:
	// relayed route:old <nil> <nil>
	// relayed route:both <nil> <nil>
	// local  <nil> <nil>
}

func discard() smtp.Receiver {
	return smtp.ReceiveFunc(func(context.Context, *smtp.Envelope, io.Reader) error { return nil })
}
