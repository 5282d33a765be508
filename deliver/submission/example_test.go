package submission_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/intake"
	"github.com/mailstead/mailstead/deliver/submission"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/memstore"
)

// The Receiver behind a submission listener, and the Runner behind its queue.
func Example() {
	blobs := memblob.New()
	mail := memstore.New(blobs)
	dir := &deliver.Accounts{Domains: []string{"example.org"}}      // and Exists
	router := &deliver.Router{Directory: dir, IsLocal: dir.IsLocal} // and Local, Remote
	q := &queue.Queue{Storage: &memqueue.Storage{}, Blobs: blobs, Router: router}

	users := &smtppolicy.Users{}
	owns := deliver.MaySend(dir)
	fixes := &submission.Fixes{Hostname: "mail.example.org", Owns: owns}
	sent := &submission.Sent{Store: mail, Window: time.Minute, Delay: 30 * time.Second}

	receiver := smtp.Chain(&intake.Intake{Queue: q, Steps: []intake.Step{submission.Declare(), sent}},
		users.Limit(),
		smtppolicy.SenderLogin(owns),
		deliver.Gate(dir, func(m *smtp.Mail) bool { return m.Peer.Identity != "" }),
		submission.Received("mail.example.org"),
		fixes.Middleware(), // and behind it the signer: auth.Signer.Middleware
	)
	runner := &queue.Runner{Queue: q, Router: sent.Router(router)}
	fmt.Println(receiver != nil, runner.Queue == q)
	// Output: true true
}

// A canonical map, and hosts that stay hidden.
func ExampleTable() {
	table, err := submission.ParseTable(strings.NewReader(`
		# account            address
		asmith@example.org   Alice.Smith@example.org
		@old.example         @example.org
	`))
	if err != nil {
		fmt.Println(err)
		return
	}
	maps := submission.Maps{table, &submission.Masquerade{Domains: []string{"example.org"}}}
	for _, a := range []string{"asmith+news@example.org", "bob@old.example", "carol@host7.example.org"} {
		p, err := smtp.ParseMailbox(a, false)
		if err != nil {
			fmt.Println(err)
			return
		}
		to, _, err := maps.Map(context.Background(), p)
		fmt.Println(to, err)
	}
	// Output:
	// Alice.Smith+news@example.org <nil>
	// bob@example.org <nil>
	// carol@example.org <nil>
}
