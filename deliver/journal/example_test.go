package journal_test

import (
	"fmt"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/intake"
	"github.com/mailstead/mailstead/deliver/journal"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// Mail that leaves or reaches the company is reported to an archive. The
// receiver takes the place of the queue behind every listener.
func ExampleJournal() {
	dir := &deliver.Accounts{Domains: []string{"example.org"}}
	router := &deliver.Router{Directory: dir, IsLocal: dir.IsLocal} // and Local, Remote
	q := &queue.Queue{Storage: &memqueue.Storage{}, Blobs: memblob.New(), Router: router}

	to, err := smtp.ParseForwardPath("<journal@archive.example>", false)
	if err != nil {
		fmt.Println(err)
		return
	}
	j := &journal.Journal{
		Hostname: "mail.example.org", IsLocal: dir.IsLocal, Directory: dir,
		Rules:  []journal.Rule{{To: to, Ways: journal.External}},
		Secret: []byte("from a file"),
	}
	receiver := &intake.Intake{Queue: q, Steps: []intake.Step{j}}
	runner := &queue.Runner{Queue: q, Router: &journal.Router{Next: router, Journal: j, Queue: q}}
	fmt.Println(receiver.Queue == runner.Queue)
	// Output: true
}
