package recipient_test

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/deliver/fetch/recipient"
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
