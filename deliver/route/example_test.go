package route_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/pipe"
	"github.com/mailstead/mailstead/deliver/route"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// where says what a router does with one recipient.
func where(r *deliver.Router, from, to string) string {
	j := &queue.Job{Destination: r.Key(path(to)), ReversePath: smtp.ReversePath(path(from))}
	j.Recipients = []queue.Recipient{{Recipient: smtp.Recipient{ForwardPath: path(to)}}}
	hops, err := r.Route(context.Background(), j)
	switch {
	case err != nil:
		return err.Error()
	case hops[0].Err != nil:
		reply := smtp.ReplyOf(hops[0].Err)
		return reply.String()
	case hops[0].Move != "":
		return hops[0].Move
	}
	return hops[0].Name
}

// Mailboxes move from an old server to this one, user by user. Who has moved
// stands in a table that changes while the server runs; the accounts may exist
// here before.
func Example_stagedMigration() {
	moved := map[string]bool{"ann@example.org": true} // a query, in earnest
	old := &deliver.LMTP{Addr: "old.example.org:24"}
	table, err := route.New(route.Config{
		Targets: map[string]route.Target{"old": {Receiver: old, Addrs: []string{old.Addr}}},
		Default: &deliver.MX{Self: []string{"mx.example.org"}},
		Self:    []string{"mx.example.org"},
		Lookup: func(_ context.Context, address string) (string, error) {
			if moved[address] {
				return "", nil // as the directory has it
			}
			return "old", nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	accounts := newAccounts("ann@example.org", "bob@example.org")
	dir := table.Directory(accounts)
	router := &deliver.Router{Directory: dir, IsLocal: accounts.IsLocal, Local: &deliver.LocalDelivery{Directory: dir}, Remote: table}
	for _, to := range []string{"ann@example.org", "bob@example.org", "x@example.net"} {
		fmt.Println(to, "→", where(router, "s@example.net", to))
	}
	moved["bob@example.org"] = true
	fmt.Println("bob@example.org", "→", where(router, "s@example.net", "bob@example.org"))
	// Output:
	// ann@example.org → local
	// bob@example.org → route:old
	// x@example.net → example.net
	// bob@example.org → local
}

// A part of the users of one domain is here, the others are in a cloud. Whom the
// directory does not know goes there, which refuses whom it does not know either;
// names that exist nowhere are refused here.
func Example_hybrid() {
	table, err := route.New(route.Config{
		Targets: map[string]route.Target{"cloud": {Hops: &deliver.SmartHost{Addr: "example-org.mail.cloud.example:25"}}},
		Rows:    []route.Row{{Recipient: "example.org", To: "cloud"}},
		Default: &deliver.MX{},
		Lookup: func(_ context.Context, address string) (string, error) {
			if address == "former@example.org" {
				return "", route.ErrUnknown
			}
			return "", nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	accounts := newAccounts("ann@example.org")
	dir := table.Directory(accounts)
	router := &deliver.Router{Directory: dir, IsLocal: accounts.IsLocal, Local: &deliver.LocalDelivery{Directory: dir}, Remote: table}
	for _, to := range []string{"ann@example.org", "bob@example.org", "former@example.org"} {
		fmt.Println(to, "→", where(router, "s@example.net", to))
	}
	// Output:
	// ann@example.org → local
	// bob@example.org → route:cloud:relay:example-org.mail.cloud.example:25
	// former@example.org → 550 5.1.1 No such user here
}

// Rows are plain data, and come from a file.
func Example_rows() {
	const file = `[
		{"Recipient": "partner.example", "Sender": "sales.example.org", "To": "contract"},
		{"Recipient": ".corp.example", "To": "inside"},
		{"Recipient": "tickets@example.org", "To": "program"},
		{"Sender": "newsletter@example.org", "To": "bulk"}
	]`
	var rows []route.Row
	if err := json.Unmarshal([]byte(file), &rows); err != nil {
		log.Fatal(err)
	}
	first, second := &deliver.LMTP{Addr: "/run/inside-1"}, &deliver.LMTP{Addr: "/run/inside-2"}
	table, err := route.New(route.Config{
		Rows: rows,
		Targets: map[string]route.Target{
			"contract": {Hops: &deliver.SmartHost{Addr: "relay.partner.example:587"}},
			"bulk":     {Hops: &deliver.SmartHost{Addr: "bulk.example.org:25"}},
			"inside":   {Receiver: &route.Failover{Receivers: []smtp.Receiver{first, second}}},
			"program":  {Receiver: &pipe.Target{Command: []string{"/usr/bin/tickets", "--from", "--", "$sender"}}, Name: deliver.NextHopLocal},
		},
		Default: &route.Fallback{First: &deliver.MX{}, Rest: []smtp.Receiver{first}},
	})
	if err != nil {
		log.Fatal(err)
	}
	accounts := newAccounts("ann@example.org")
	router := &deliver.Router{Directory: table.Directory(accounts), IsLocal: accounts.IsLocal, Local: &deliver.LocalDelivery{}, Remote: table}
	for _, m := range [][2]string{
		{"x@sales.example.org", "y@partner.example"},
		{"ann@example.org", "y@partner.example"},
		{"ann@example.org", "y@a.b.corp.example"},
		{"x@example.net", "tickets+7@example.org"},
		{"newsletter@example.org", "y@example.net"},
	} {
		fmt.Println(m[0], m[1], "→", where(router, m[0], m[1]))
	}
	// Output:
	// x@sales.example.org y@partner.example → route:contract:relay:relay.partner.example:587
	// ann@example.org y@partner.example → partner.example
	// ann@example.org y@a.b.corp.example → inside
	// x@example.net tickets+7@example.org → local
	// newsletter@example.org y@example.net → route:bulk:relay:bulk.example.org:25
}

// A table with faults is not made; the error names all of them.
func ExampleNew() {
	_, err := route.New(route.Config{
		Targets: map[string]route.Target{"relay": {Hops: &deliver.SmartHost{Addr: "mx.example.org:25"}}},
		Rows:    []route.Row{{Recipient: "a@b@c", To: "relay"}, {Recipient: "example.net", To: "rely"}},
		Default: &deliver.MX{},
		Self:    []string{"mx.example.org"},
	})
	fmt.Println(errors.Is(err, route.ErrLoop))
	fmt.Println(err)
	// Output:
	// true
	// route: mail would come back to this host: target "relay" connects to mx.example.org:25
	// route: row 1: not an address, a domain, a domain behind a dot, or *: "a@b@c"
	// route: row 2: no such target: "rely"
}
